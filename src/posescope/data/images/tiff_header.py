"""Read the first directory of a TIFF file: size, orientation, and whether OpenCV decodes its colours correctly.

OpenCV decodes 1, 2, 4, 8 and 16 bits per sample, grey, palette, RGB, CMYK (8 bits) and YCbCr. Floating-point and signed samples,
CIE L*a*b* and more than four samples are refused: they are decoded to wrong colours or not at all. Later pages are ignored.

Source: TIFF 6.0 (Adobe, 1992) and the BigTIFF design.
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["TIFF_STARTS", "TiffError", "TiffHeader", "read_tiff"]

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 256, 257, 258, 262, 274, 277
_TILE_WIDTH, _TILE_HEIGHT, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 322, 323, 338, 339
_TAGS = frozenset(
    {_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES, _TILE_WIDTH, _TILE_HEIGHT, _EXTRA_SAMPLES, _SAMPLE_FORMAT}
)
_BYTES_OF_TYPE = {1: 1, 3: 2, 4: 4, 16: 8}  # BYTE, SHORT, LONG, LONG8: unsigned whole numbers
_MOST_VALUES = 16  # per tag; an image of more than four samples is refused anyway
_MOST_ENTRIES = 4096
_RGB, _CMYK = 2, 5
_PHOTOMETRICS = {0: "white is zero", 1: "grey", _RGB: "RGB", 3: "palette", _CMYK: "CMYK", 6: "YCbCr"}
_NUMBER_FORMATS = {2: "signed numbers", 3: "floating-point numbers", 5: "complex numbers", 6: "complex numbers"}
_UNSIGNED = frozenset({1, 4})  # 4: undefined, read as unsigned
_BITS_READ = frozenset({1, 2, 4, 8, 16})
_OPACITY = frozenset({1, 2})


class TiffError(Exception):
    """The directory cannot be read, or the colours cannot be decoded correctly."""


@dataclass(frozen=True)
class TiffHeader:
    """The values that the first directory declares.

    Attributes:
        size: (height, width) px.
        largest_part: (height, width) px of the image, or of a tile if that has more pixels.
        orientation: 1..8.
        bits: per sample.
        has_opacity: whether the fourth sample is the opacity.
    """

    size: tuple[int, int]
    largest_part: tuple[int, int]
    orientation: int
    bits: int
    has_opacity: bool


def read_tiff(raw: bytes) -> TiffHeader:
    """Read the first directory.

    Raises:
        TiffError: if it is truncated or inconsistent, or the colours cannot be decoded correctly.
    """
    tags = _read_tags(raw)
    size = (_one(tags, _HEIGHT), _one(tags, _WIDTH))
    tile = (_one(tags, _TILE_HEIGHT, 1), _one(tags, _TILE_WIDTH, 1))
    orientation = _one(tags, _ORIENTATION, 1)
    bits, has_opacity = _check_samples(tags)
    return TiffHeader(
        size=size,
        largest_part=max(size, tile, key=lambda part: part[0] * part[1]),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        bits=bits,
        has_opacity=has_opacity,
    )


def _check_samples(tags: Mapping[int, tuple[int, ...]]) -> tuple[int, bool]:
    """Return the bits per sample, and whether the fourth sample is the opacity."""
    photometric, samples = _one(tags, _PHOTOMETRIC), _one(tags, _SAMPLES, 1)
    bits = set(tags.get(_BITS, (1,)))
    unusual = next((one for one in tags.get(_SAMPLE_FORMAT, ()) if one not in _UNSIGNED), None)
    if unusual is not None:
        numbers = _NUMBER_FORMATS.get(unusual, "samples of an unknown format")
        raise TiffError(f"TIFF of {numbers}, {max(bits)} bits each; save it with 8 or 16 bits, unsigned")
    if len(bits) != 1 or not bits <= _BITS_READ:
        raise TiffError(f"TIFF of {', '.join(map(str, sorted(bits)))} bits per sample; save it with 8 or 16 bits")
    if photometric not in _PHOTOMETRICS or (photometric == _CMYK and bits != {8}):
        name = _PHOTOMETRICS.get(photometric, f"photometric interpretation {photometric}")
        raise TiffError(f"TIFF of {name}, {max(bits)} bits; save it as RGB or grey")
    extra = tags.get(_EXTRA_SAMPLES, ())
    has_opacity = bool(_OPACITY & set(extra))
    if samples > 4 or (has_opacity and (photometric != _RGB or samples != 4)):
        raise TiffError(f"TIFF of {samples} samples per pixel, {len(extra)} of them beyond the colour; save it as RGB or grey")
    return max(bits), has_opacity


def _one(tags: Mapping[int, tuple[int, ...]], tag: int, default: int | None = None) -> int:
    values = tags.get(tag)
    if values is None:
        if default is None:
            raise TiffError(f"TIFF without tag {tag}")
        return default
    return values[0]


def _read_tags(raw: bytes) -> dict[int, tuple[int, ...]]:
    """Return the values of the tags in `_TAGS`."""
    big = raw[2:4] in (b"+\0", b"\0+")
    order = "little" if raw.startswith(b"II") else "big"

    def number(at: int, length: int) -> int:
        if at + length > len(raw):
            raise TiffError("TIFF truncated in its first directory")
        return int.from_bytes(raw[at : at + length], order)  # type: ignore[arg-type]

    first, count_bytes, entry_bytes, inline_bytes = (number(8, 8), 8, 20, 8) if big else (number(4, 4), 2, 12, 4)
    count = number(first, count_bytes)
    if count > _MOST_ENTRIES:
        raise TiffError(f"TIFF whose first directory declares {count} entries")
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(first + count_bytes, first + count_bytes + count * entry_bytes, entry_bytes):
        tag, kind = number(entry, 2), number(entry + 2, 2)
        if tag not in _TAGS:
            continue
        values, length = number(entry + 4, inline_bytes), _BYTES_OF_TYPE.get(kind, 0)
        if tag in tags or not length or not 1 <= values <= _MOST_VALUES:
            raise TiffError(f"TIFF whose tag {tag} is repeated or has an unexpected type or length")
        at = entry + 4 + inline_bytes
        at = at if values * length <= inline_bytes else number(at, inline_bytes)
        tags[tag] = tuple(number(at + place * length, length) for place in range(values))
    return tags
