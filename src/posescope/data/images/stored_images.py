"""The images of a data set in an object store: listed once per folder, and read by one request each, with several ahead.

Nothing is written to this machine: each image is needed once, and all of them may not fit. Copies that another command left are
not read: they may be older than the objects of the listing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from posescope.core.mirrors import remote_of
from posescope.core.read_ahead import map_ahead
from posescope.data.images.decoding import read_bytes
from posescope.data.images.limits import ImageError, ImageLimits

__all__ = ["ImageFile", "StoredImages", "list_stored_images", "read_images_ahead"]


class ImageFile(NamedTuple):
    """An image to read. Attributes: path; limits; stored_bytes: size of an object in the listing, None if unknown."""

    path: Path
    limits: ImageLimits
    stored_bytes: int | None = None


@dataclass(frozen=True)
class StoredImages:
    """The objects below an image folder at the time when it was listed.

    Attributes:
        stamps: size in bytes and version of the content by name relative to the folder.
    """

    stamps: dict[str, tuple[int, str]]

    def __contains__(self, name: str) -> bool:
        return name in self.stamps

    def names_in(self, folder: str) -> list[str]:
        """Return the names of the files and folders directly in a folder, sorted.

        Args:
            folder: its name relative to the image folder; "" for the image folder itself.
        """
        return sorted(self._entries.get(folder, ()))

    @cached_property
    def _entries(self) -> dict[str, set[str]]:
        entries: dict[str, set[str]] = {}
        for name in self.stamps:
            path = PurePosixPath(name)
            for parent in path.parents:
                found = entries.setdefault("" if str(parent) == "." else str(parent), set())
                if path.name in found:
                    break  # so are its parents
                found.add(path.name)
                path = parent
        return entries


def list_stored_images(folder: Path) -> StoredImages | None:
    """List an image folder of an object store; None for a folder of this machine.

    Args:
        folder: the folder, or its place in the mirror of an object store.

    Raises:
        ObjectStoreError: if it cannot be listed.
    """
    remote = remote_of(folder)
    if remote is None:
        return None
    name = remote.name_of(folder)
    start = len(name) + 1 if name else 0
    return StoredImages({found.name[start:]: (found.size_bytes, found.version) for found in remote.store.list(name)})


def read_images_ahead(images: Sequence[ImageFile], in_flight: int) -> Iterator[bytes | ImageError]:
    """Yield the bytes of image files in order, or the error that stands for one.

    Images of an object store are read by several requests at a time. Those of this machine are read one by one: a disk that is
    read in order needs no help.

    Args:
        images: the images.
        in_flight: number of requests at a time, and of images held in memory.

    Raises:
        ObjectStoreError: if the object store fails: an image that is there must not count as missing.
    """
    is_stored = any(remote_of(folder) is not None for folder in {image.path.parent for image in images})
    yield from map_ahead(_read, images, in_flight) if is_stored else map(_read, images)


def _read(image: ImageFile) -> bytes | ImageError:
    try:
        return read_bytes(*image)
    except ImageError as error:
        return error
