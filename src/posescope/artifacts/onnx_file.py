"""Check of untrusted ONNX files: a file must not read weights from other files.

An ONNX file is a Protocol Buffers message (onnx.proto3). Only its structure is parsed here, without a package.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from posescope.artifacts.description import ModelFolderError

__all__ = ["check_self_contained"]

_MOST_BYTES = 2**31 - 1  # limit of Protocol Buffers messages
_MOST_DEPTH = 100
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
# Message type -> field number -> type of the message in that field (onnx.proto3).
_FIELDS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


class _BrokenMessageError(ValueError):
    """A message is truncated or malformed."""


def check_self_contained(path: Path) -> None:
    """Check that an ONNX file holds all its weights itself.

    Raises:
        ModelFolderError: if it is too large, no ONNX file, or a tensor of it is stored in another file.
    """
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise ModelFolderError(f"{path}: expected at most {_MOST_BYTES:,} bytes, found {size:,}.")
    try:
        external = _has_external(memoryview(path.read_bytes()), "model", 0)
    except _BrokenMessageError as error:
        raise ModelFolderError(f"{path}: not an ONNX file ({error}).") from error
    if external:
        raise ModelFolderError(
            f"{path}: expected all weights in this file, found a tensor whose values are in another file. Export the model again."
        )


def _has_external(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _MOST_DEPTH:
        raise _BrokenMessageError("nested too deeply")
    for number, value in _fields_of(message):
        if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)):
            return True
        inner = _FIELDS[kind].get(number)
        if inner and isinstance(value, memoryview) and _has_external(value, inner, depth + 1):
            return True
    return False


def _fields_of(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    place = 0
    while place < len(message):
        key, place = _read_varint(message, place)
        wire = key & 7
        if wire == _VARINT:
            value, place = _read_varint(message, place)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            length, place = _read_varint(message, place)
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if wire == _EIGHT_BYTES else 4
        else:
            raise _BrokenMessageError(f"unknown kind of field {wire}")
        if place + length > len(message):
            raise _BrokenMessageError("truncated")
        yield key >> 3, message[place : place + length]
        place += length


def _read_varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise _BrokenMessageError("truncated")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise _BrokenMessageError("a number of more than ten bytes")
