"""Write one shard: the crops as `.npy`, crop by crop, and the record of its content."""

import errno
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray
from pydantic import TypeAdapter

# File systems that cannot allocate space in advance can still be written to.
_CANNOT_RESERVE = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})

__all__ = ["ImageFacts", "ShardRecord", "ShardWriter", "digest_bytes_of", "digest_of"]


class ImageFacts(NamedTuple):
    """Facts about an image file that was read.

    Attributes:
        name: `<split>/<file name>` in the data set.
        digest: XXH3-128 of the file's bytes, 32 hex digits.
        orientation: EXIF orientation, 1..8.
        height, width: px of the image as stored.
    """

    name: str
    digest: str
    orientation: int
    height: int
    width: int


@dataclass(frozen=True)
class ShardRecord:
    """The record of one shard, stored as JSON beside it.

    Attributes:
        name: name of its files, without suffix.
        fingerprint: fingerprint of the inputs and options that it was made from.
        person_ids: per row.
        rgb_sums: per row, the sums of R, G and B over the valid (not padded) pixels of the crop.
        pixel_counts: per row, the number of valid pixels.
        failures: (person_id, kind, message) per person whose image could not be read.
        size_bytes: size of the `.npy` file.
        row_digests: per row, XXH3-128 of the crop's pixels, 32 hex digits.
        images: the image files that were read, in order.
    """

    name: str
    fingerprint: str
    person_ids: tuple[int, ...]
    rgb_sums: tuple[tuple[int, int, int], ...]
    pixel_counts: tuple[int, ...]
    failures: tuple[tuple[int, str, str], ...]
    size_bytes: int
    row_digests: tuple[str, ...]
    images: tuple[ImageFacts, ...] = ()

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "ShardRecord":
        """Return the record from the content of its JSON file.

        Raises:
            KeyError, ValueError: if the content is no record, or that of an older version with other fields.
        """
        images = content["images" if "images" in content else "pictures"]  # `pictures` in older records
        record = _RECORD.validate_python({**content, "images": images})
        rows = {name: len(getattr(record, name)) for name in ("person_ids", "rgb_sums", "pixel_counts", "row_digests")}
        if len(set(rows.values())) > 1:
            raise ValueError(f"lists of different lengths: {rows}")
        return record


_RECORD = TypeAdapter(ShardRecord)


@dataclass
class ShardWriter:
    """Appends crops to an open `.npy` file and collects the shard's record.

    Attributes:
        stream: the empty, unbuffered file.
        name, fingerprint: name and fingerprint of the shard.
        person_count: maximum number of crops; persons without a readable image have none.
        crop_size: (height, width) px of the crops.
    """

    stream: IO[bytes]
    name: str
    fingerprint: str
    person_count: int
    crop_size: tuple[int, int]
    _person_ids: list[int] = field(default_factory=list)
    _rgb_sums: list[tuple[int, int, int]] = field(default_factory=list)
    _pixel_counts: list[int] = field(default_factory=list)
    _digests: list[str] = field(default_factory=list)
    _failures: list[tuple[int, str, str]] = field(default_factory=list)
    _images: list[ImageFacts] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._write_header(self.person_count)
        self._reserve()

    def append(self, person_id: int, crop: NDArray[np.uint8], rgb_sum: tuple[int, int, int], pixel_count: int) -> None:
        """Write the crop of a person while it is still in the processor's cache.

        Args:
            person_id: id of the person.
            crop: (*crop_size, 3) uint8 RGB, contiguous.
            rgb_sum: sums of R, G and B over its valid pixels.
            pixel_count: number of valid pixels.

        Raises:
            OSError: if the disk is full.
        """
        written = self.stream.write(crop.data)
        if written != crop.nbytes:
            raise OSError(errno.ENOSPC, f"only {written} of {crop.nbytes} bytes of a crop could be written")
        self._digests.append(digest_of(crop))
        self._person_ids.append(person_id)
        self._rgb_sums.append(rgb_sum)
        self._pixel_counts.append(pixel_count)

    def add_image(self, facts: ImageFacts) -> None:
        """Record an image file that was read."""
        self._images.append(facts)

    def add_failure(self, person_ids: tuple[int, ...], kind: str, message: str) -> None:
        """Record persons without a crop.

        Args:
            person_ids: all persons of an image.
            kind, message: kind and text of the `ImageError`.
        """
        self._failures.extend((person, kind, message) for person in person_ids)

    def close(self) -> ShardRecord:
        """Write the final number of crops into the file's header, and return the shard's record."""
        size_bytes = self.stream.tell()
        self.stream.truncate(size_bytes)
        self._write_header(len(self._person_ids))
        return ShardRecord(
            name=self.name,
            fingerprint=self.fingerprint,
            person_ids=tuple(self._person_ids),
            rgb_sums=tuple(self._rgb_sums),
            pixel_counts=tuple(self._pixel_counts),
            failures=tuple(self._failures),
            size_bytes=size_bytes,
            row_digests=tuple(self._digests),
            images=tuple(self._images),
        )

    def _reserve(self) -> None:
        """Allocate the space of all crops at once: it is faster, and a full disk fails before any work is done."""
        size = self.stream.tell() + self.person_count * math.prod(self.crop_size) * 3
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self.stream.fileno(), 0, size)
        except OSError as error:
            if error.errno not in _CANNOT_RESERVE:
                raise

    def _write_header(self, count: int) -> None:
        """Write the NumPy header; it is padded, so that it can be overwritten with another count."""
        self.stream.seek(0)
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *self.crop_size, 3)}
        np.lib.format.write_array_header_1_0(self.stream, header)


def digest_of(content: NDArray[np.uint8] | bytes) -> str:
    """Return XXH3-128 of contiguous pixels or of the bytes of a file as 32 hex digits."""
    return xxhash.xxh3_128_hexdigest(content if isinstance(content, bytes) else content.data)


def digest_bytes_of(crop: NDArray[np.uint8]) -> bytes:
    """Return XXH3-128 of contiguous pixels as 16 bytes."""
    return xxhash.xxh3_128_digest(crop.data)
