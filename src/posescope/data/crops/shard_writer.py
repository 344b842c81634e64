"""One shard on disk: pixels as `.npy`, written crop by crop, and the record of what they are."""

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

# File systems that cannot give room beforehand: writing works all the same.
_CANNOT_RESERVE = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})

__all__ = [
    "ColourSums", "ImageFacts", "ShardRecord", "ShardWriter", "checksum_of_rows",
    "digest_bytes_of", "digest_of",
]  # fmt: skip


class ImageFacts(NamedTuple):
    """What is known of one image file that was read.

    Attributes:
        name: of the file within its data set, `<split>/<file name>`.
        digest: 32 hex digits of XXH3-128 over the file's bytes.
        orientation: EXIF's, 1..8.
        height, width: px of the picture as it is stored.
    """

    name: str
    digest: str
    orientation: int
    height: int
    width: int


@dataclass(frozen=True)
class ShardRecord:
    """What is known of one shard.

    Attributes:
        name: of its files, without suffix.
        fingerprint: of the inputs and options that made it.
        person_ids: by row.
        rgb_sums: per row, the sums of the three channels over the real (not padded) pixels of the crop.
        pixel_counts: per row, the number of those pixels.
        failures: (person_id, kind, message) of people whose image could not be read.
        size_bytes: of the `.npy` file.
        checksum: of all its pixels: 32 hex digits of XXH3-128 over the digests of the rows.
        row_digests: per row, 32 hex digits of XXH3-128 over the crop's pixels.
        pictures: the image files that were read, in order.
    """

    name: str
    fingerprint: str
    person_ids: tuple[int, ...]
    rgb_sums: tuple[tuple[int, int, int], ...]
    pixel_counts: tuple[int, ...]
    failures: tuple[tuple[int, str, str], ...]
    size_bytes: int
    checksum: str
    row_digests: tuple[str, ...]
    pictures: tuple[ImageFacts, ...] = ()

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "ShardRecord":
        """From the content of its JSON file; that of an older version has other fields, and is not done.

        Raises:
            KeyError, TypeError, ValueError: if it is something else.
        """
        rows = {name: len(content[name]) for name in ("person_ids", "rgb_sums", "pixel_counts", "row_digests")}
        if len(set(rows.values())) > 1:
            raise ValueError(f"lists of different lengths: {rows}")
        return cls(
            name=content["name"],
            fingerprint=content["fingerprint"],
            person_ids=tuple(content["person_ids"]),
            rgb_sums=tuple((int(r), int(g), int(b)) for r, g, b in content["rgb_sums"]),
            pixel_counts=tuple(content["pixel_counts"]),
            failures=tuple((int(person), str(kind), str(message)) for person, kind, message in content["failures"]),
            size_bytes=content["size_bytes"],
            checksum=content["checksum"],
            row_digests=tuple(content["row_digests"]),
            pictures=tuple(ImageFacts(*facts) for facts in content["pictures"]),
        )


@dataclass(frozen=True)
class ColourSums:
    """Attributes: rgb_sum: of the real px of a crop, channel by channel; pixel_count: how many px those are."""

    rgb_sum: tuple[int, int, int]
    pixel_count: int


@dataclass
class ShardWriter:
    """Appends crops to an open `.npy` file, and gathers the record on the way.

    Attributes:
        stream: of the file, empty and unbuffered.
        name, fingerprint: of the shard.
        person_count: crops at most: failed ones are left out.
        size_px: side of the crops.
    """

    stream: IO[bytes]
    name: str
    fingerprint: str
    person_count: int
    size_px: int
    _people: list[int] = field(default_factory=list)
    _colours: list[ColourSums] = field(default_factory=list)
    _digests: list[str] = field(default_factory=list)
    _failures: list[tuple[int, str, str]] = field(default_factory=list)
    _pictures: list[ImageFacts] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._write_header(self.person_count)
        self._reserve()

    def append(self, person_id: int, crop: NDArray[np.uint8], colour: ColourSums) -> None:
        """Add the (size_px, size_px, 3) crop of a person. Crop by crop, because what was just computed is still in the cache."""
        written = self.stream.write(crop.data)
        if written != crop.nbytes:
            raise OSError(errno.ENOSPC, f"only {written} of {crop.nbytes} bytes of a crop could be written")
        self._digests.append(digest_of(crop))
        self._people.append(person_id)
        self._colours.append(colour)

    def add_image(self, facts: ImageFacts) -> None:
        """Note an image file that was read."""
        self._pictures.append(facts)

    def add_failure(self, person_ids: tuple[int, ...], kind: str, message: str) -> None:
        """Note people who have no crop, and why."""
        self._failures.extend((person, kind, message) for person in person_ids)

    def close(self) -> ShardRecord:
        """State the number of crops in the file; the record of the shard."""
        size_bytes = self.stream.tell()
        self.stream.truncate(size_bytes)
        self._write_header(len(self._people))
        return ShardRecord(
            name=self.name,
            fingerprint=self.fingerprint,
            person_ids=tuple(self._people),
            rgb_sums=tuple(colour.rgb_sum for colour in self._colours),
            pixel_counts=tuple(colour.pixel_count for colour in self._colours),
            failures=tuple(self._failures),
            size_bytes=size_bytes,
            checksum=checksum_of_rows(self._digests),
            row_digests=tuple(self._digests),
            pictures=tuple(self._pictures),
        )

    def _reserve(self) -> None:
        """Ask for all the room at once: it is cheaper, and a full disk shows before any work is done."""
        size = self.stream.tell() + self.person_count * self.size_px**2 * 3
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self.stream.fileno(), 0, size)
        except OSError as error:
            if error.errno not in _CANNOT_RESERVE:
                raise

    def _write_header(self, count: int) -> None:
        """NumPy keeps room in the header for a longer number, so that it can be written again in the same place."""
        self.stream.seek(0)
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, self.size_px, self.size_px, 3)}
        np.lib.format.write_array_header_1_0(self.stream, header)


def digest_of(content: NDArray[np.uint8] | bytes) -> str:
    """Return 32 hex digits of XXH3-128 over contiguous pixels, or over the bytes of a file."""
    return xxhash.xxh3_128_hexdigest(content if isinstance(content, bytes) else content.data)


def digest_bytes_of(crop: NDArray[np.uint8]) -> bytes:
    """The same as 16 bytes."""
    return xxhash.xxh3_128_digest(crop.data)


def checksum_of_rows(digests: Sequence[str]) -> str:
    """One checksum of many crops, from their digests."""
    return xxhash.xxh3_128_hexdigest("".join(digests).encode())
