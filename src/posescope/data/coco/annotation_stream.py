"""Read a COCO annotation file in pieces, so that it is never in memory as a whole.

    file:  {"info": ..., "images": [...], "annotations": [{...}, {...}, ...], "categories": [...]}
                              |                 |  |                             |
                           begin(images, categories)                             |
                                              add([...])  add([...])  ...        +- found before by a look at the end of the file

The records are parsed one by one by the parser of `core.files.read_json`, with the same checks. A file in which anything is wrong
or unusual is read again as a whole by `load_annotation_file`, whose error names the fault.
"""

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Generic, Protocol, TypeVar

from posescope.core.errors import DataError
from posescope.core.files import MAX_JSON_BYTES, read_json, refuse_repeated_keys

__all__ = ["RecordConsumer", "load_annotation_file", "read_in_pieces"]

LISTS = ("images", "annotations", "categories")
MAX_ANNOTATION_BYTES = 32 * 1024**3
PIECE_RECORDS = 8192

_WINDOW_BYTES = 4 * 1024**2
_MAX_WINDOW_CHARACTERS = 256 * 1024**2  # of a single value; records have less than 0.1 MB
_SPACE = re.compile(r"[ \t\n\r]*")
_SCAN = json.JSONDecoder(object_pairs_hook=refuse_repeated_keys).scan_once  # type: ignore[attr-defined]  # of all versions
_CATEGORIES = re.compile(rb'"categories"[ \t\n\r]*:[ \t\n\r]*(?=\[)')
_UNREADABLE = (ValueError, EOFError, RecursionError, OSError, zlib.error)


class RecordConsumer(Protocol):
    """Receives the content of an annotation file."""

    def begin(self, images: list[Any], categories: list[Any]) -> None:
        """Receive the records of the images and of the categories, before any annotation."""
        ...

    def add(self, annotations: Sequence[Any]) -> None:
        """Receive the next annotation records, in the order of the file."""
        ...


Consumer = TypeVar("Consumer", bound=RecordConsumer)


def read_in_pieces(path: Path, consumer: Callable[[], Consumer]) -> Consumer:
    """Read an annotation file, and return the consumer that received all of it.

    Args:
        path: `.json` or `.json.gz`.
        consumer: makes an empty consumer; called again if the file has to be read again.

    Raises:
        DataError: as `load_annotation_file`, and errors of the consumer.
    """
    if not path.is_file():
        raise DataError(f"{path}: the annotation file does not exist.")
    try:
        return _read_stream(path, consumer)
    except (*_UNREADABLE, DataError) as error:
        if path.suffix != ".gz" and path.stat().st_size > MAX_JSON_BYTES:  # too large to be read as a whole
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path}: not an annotation file that can be read ({error}). Download or write it again.") from error
    content = load_annotation_file(path)
    result = consumer()
    result.begin(content["images"], content["categories"])
    for first in range(0, len(content["annotations"]), PIECE_RECORDS):
        result.add(content["annotations"][first : first + PIECE_RECORDS])
    return result


def load_annotation_file(path: Path) -> dict[str, Any]:
    """Return the content of a COCO annotation file, `.json` or `.json.gz`.

    Raises:
        DataError: if the file cannot be read, is no JSON, or lacks one of the lists images, annotations and categories.
    """
    if not path.is_file():
        raise DataError(f"{path}: the annotation file does not exist.")
    content = read_json(path, strict=False)  # records are validated one by one
    if not isinstance(content, dict):
        raise DataError(
            f"{path}: expected an object with the lists images, annotations and categories, found {type(content).__name__}."
        )
    for field in LISTS:
        found = content.get(field)
        if not isinstance(found, list):
            raise DataError(f"{path}: field '{field}': expected a list, found {type(found).__name__}.")
    return content


def _read_stream(path: Path, make: Callable[[], Consumer]) -> Consumer:
    """Read the file once, or twice if the other lists follow the annotations and a look at the end did not find them.

    Raises:
        ValueError: and others of `_UNREADABLE`, if the file is not plain JSON with the three lists, each once.
    """
    known: dict[str, list[Any]] = {}
    for _ in range(2):
        reading = _Reading(path, make, known)
        with _open(path) as stream:
            reading.run(_Window(stream))
        if reading.consumer is not None and reading.used_categories == reading.lists["categories"]:
            return reading.consumer
        known = reading.lists
    raise ValueError("the lists images and categories differ between two readings")


class _Reading(Generic[Consumer]):
    """One reading of a file from its begin to its end.

    Args:
        path: the file.
        make: makes the consumer.
        known: the lists of images and categories, if an earlier reading found them.

    Attributes:
        lists: the lists of images and categories of this reading; that of the images is dropped once the consumer has it.
        consumer: received all records; None if a list was unknown when the annotations began.
        used_categories: the categories that the consumer received; the guess may be wrong.
    """

    def __init__(self, path: Path, make: Callable[[], Consumer], known: dict[str, list[Any]]) -> None:
        self._path, self._make, self._known = path, make, known
        self.lists: dict[str, list[Any]] = {}
        self.consumer: Consumer | None = None
        self.used_categories: list[Any] | None = None

    def run(self, window: "_Window") -> None:
        """Read the file."""
        seen = set[str]()
        for name in window.members():
            if name in seen:
                raise ValueError(f"the key {name!a} is repeated")
            seen.add(name)
            if name == "annotations":
                self._read_annotations(window)
            elif name in LISTS:
                self.lists[name] = list(window.elements())
            else:
                window.read_value()
        if not seen.issuperset(LISTS):
            raise ValueError(f"expected the lists {', '.join(LISTS)}")

    def _read_annotations(self, window: "_Window") -> None:
        lists = self._known | self.lists
        if "categories" not in lists:
            lists |= _guess_categories(self._path)
        records = window.elements()
        if "images" in lists and "categories" in lists:
            self.consumer, self.used_categories = self._make(), lists["categories"]
            # The records of the images take as much memory as a third of the tables: no other reference may remain.
            self._known.clear()
            self.lists.pop("images", None)
            self.consumer.begin(lists.pop("images"), self.used_categories)
            while piece := list(islice(records, PIECE_RECORDS)):
                self.consumer.add(piece)
        for _ in records:
            pass


class _Window:
    """The part of a file that is being parsed, as text.

    Args:
        stream: the opened file.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        first = stream.read(_WINDOW_BYTES)
        self._decoder = codecs.getincrementaldecoder(json.detect_encoding(first))("surrogatepass")
        self._text, self._place, self._is_at_end = self._decoder.decode(first), 0, not first
        self._bytes_read = len(first)

    def members(self) -> Iterator[str]:
        """Yield the keys of the object that is the file; the caller reads the value of each before the next one."""
        self._expect("{")
        sign = self._take() if self._next() == "}" else ","
        while sign == ",":
            if self._next() != '"':
                raise ValueError("expected a key")
            name = self.read_value()
            self._expect(":")
            yield name
            sign = self._take()
        if sign != "}" or self._next():
            raise ValueError("expected the end of the object and of the file")

    def elements(self) -> Iterator[Any]:
        """Yield the values of the list that is next."""
        self._expect("[")
        if self._next() == "]":
            self._take()
            return
        sign = ","
        while sign == ",":
            yield self.read_value()
            sign = self._take()
        if sign != "]":
            raise ValueError("expected the end of a list")

    def read_value(self) -> Any:
        """Return the value that is next."""
        self._next()
        while True:
            try:
                value, end = _SCAN(self._text, self._place)
            except (StopIteration, json.JSONDecodeError) as error:
                if self._is_at_end:
                    raise ValueError("expected a value") from error
            else:
                if end < len(self._text) or self._is_at_end:  # a number may go on
                    self._place = end
                    return value
            self._extend()

    def _expect(self, sign: str) -> None:
        if self._take() != sign:
            raise ValueError(f"expected {sign!r}")

    def _take(self) -> str:
        sign = self._next()
        self._place += len(sign)
        return sign

    def _next(self) -> str:
        """Return the next character that is no space, '' at the end of the file."""
        while True:
            self._place = _SPACE.match(self._text, self._place).end()  # type: ignore[union-attr]  # matches always
            if self._place < len(self._text) or self._is_at_end:
                return self._text[self._place : self._place + 1]
            self._extend()

    def _extend(self) -> None:
        """Read on; at least as much as is left of the text, so that a long value takes linear time."""
        left = len(self._text) - self._place
        raw = self._stream.read(max(_WINDOW_BYTES, left))
        self._bytes_read += len(raw)
        if self._bytes_read > MAX_ANNOTATION_BYTES or left > _MAX_WINDOW_CHARACTERS:
            raise ValueError("the file, or one of its values, is too large")
        self._text, self._place = self._text[self._place :] + self._decoder.decode(raw, not raw), 0
        self._is_at_end = not raw


def _open(path: Path) -> IO[bytes]:
    # GzipFile is a binary stream with another class.
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _guess_categories(path: Path) -> dict[str, list[Any]]:
    """Return the last list with the key `categories` near the end of a file, where official files have it, or nothing.

    It is a guess, which the reading confirms.
    """
    tail = b""
    with _open(path) as stream:
        if path.suffix != ".gz":
            stream.seek(max(0, path.stat().st_size - _WINDOW_BYTES))
        while raw := stream.read(_WINDOW_BYTES):
            tail = tail[-_WINDOW_BYTES:] + raw
    places = [match.end() for match in _CATEGORIES.finditer(tail)]
    try:
        value, _ = _SCAN(tail[places[-1] :].decode("utf-8", "replace"), 0) if places else (None, 0)
    except (StopIteration, ValueError, RecursionError):
        return {}
    return {"categories": value} if isinstance(value, list) else {}
