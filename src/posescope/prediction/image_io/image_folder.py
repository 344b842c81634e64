"""A folder of images that somebody wants posed.

Joints and boxes are in the px of the upright picture: a photograph that says by EXIF how the camera was held is turned first.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.data.images.decoding import read_bytes, read_image
from posescope.data.images.headers import ImageLimits, read_header
from posescope.prediction.image_io.folder_listing import UNREADABLE, VIDEO, FolderListing, SkippedFile, count_reasons, list_media
from posescope.prediction.poses import ImageInfo, image_id_from_name

__all__ = ["ImageFolder", "ImageIdAllocator", "assign_image_ids", "read_images", "read_size", "read_upright"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageFolder:
    """A folder of images (or one image file). Nodes get it from the catalog.

    Attributes:
        root: the folder or the file.
        limits: the largest picture that is decoded.
    """

    root: Path
    limits: ImageLimits = field(default_factory=ImageLimits)

    def with_limits(self, limits: ImageLimits) -> "ImageFolder":
        """Return the same folder with other limits."""
        return replace(self, limits=limits)

    def is_finished(self) -> bool:
        """True if there is at least one image."""
        return bool(self.listing().images)

    def listing(self) -> FolderListing:
        """Everything in the folder: images, videos, what is left out."""
        return list_media(self.root)

    def names(self) -> tuple[str, ...]:
        """Names of the images, relative to the folder, in alphabetical order.

        Raises:
            DataError: if there is none.
        """
        listing = self.listing()
        if not listing.images:
            found = count_reasons([*listing.skipped_files, *(SkippedFile(name, VIDEO) for name in listing.videos)])
            raise DataError(f"{self.root}: no images here ({found or 'it is empty'}). `images` names the folder.")
        return listing.images

    def read(self, name: str) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB, upright.

        Raises:
            DataError: if it cannot be decoded.
        """
        return read_upright(self._base() / name, self.limits)

    def _base(self) -> Path:
        return self.root.parent if self.root.is_file() else self.root


class ImageIdAllocator:
    """Gives images numbers, and no number twice.

    Args:
        expected: numbers that images will ask for: nobody else gets one of them.
        first_free: whoever does not ask gets this one, or the next that is free.
    """

    def __init__(self, expected: Collection[int] = (), first_free: int = 0) -> None:
        self._expected, self._next = frozenset(expected), first_free
        # Of all below `_next` none is free: a stream of images without numbers takes no memory.
        self._given: set[int] = set()

    def give(self, wanted: int | None = None) -> int:
        """The number wanted, if nobody has it; else a free one."""
        if wanted is not None and wanted not in self._given and (wanted >= self._next or wanted in self._expected):
            if wanted == self._next and wanted not in self._expected:
                self._next += 1
            else:
                self._given.add(wanted)
            return wanted
        while self._next in self._given or self._next in self._expected:
            self._next += 1
        self._next += 1
        return self._next - 1


def assign_image_ids(names: Sequence[str], known: Mapping[str, int] | None = None) -> list[int]:
    """Return the ids of images: those that are known; else the number that is the name, to the first image that has it.

    The others get the numbers after the largest in use, in the order in which they come.

    Args:
        names: of the images; COCO's are numbers (`000000000139.jpg`).
        known: ids by name, each once, from the file that the images' boxes come from.
    """
    given = known or {}
    wanted = [given.get(name, image_id_from_name(name)) for name in names]
    taken = {given[name] for name in names if name in given}
    numbers = ImageIdAllocator(
        [number for number in wanted if number is not None],
        first_free=max([*(n for n in wanted if n is not None), *given.values(), -1]) + 1,
    )
    for number in taken:
        numbers.give(number)
    return [given[name] if name in given else numbers.give(number) for name, number in zip(names, wanted, strict=True)]


def read_images(
    folder: ImageFolder, known: Mapping[str, int] | None = None, leave_out: Callable[[SkippedFile], None] | None = None
) -> Iterator[tuple[ImageInfo, NDArray[np.uint8]]]:
    """Yield every readable image, one at a time, with its name, number and size.

    Args:
        folder: of the images.
        known: ids by name, as for `assign_image_ids`.
        leave_out: is told of each file that cannot be decoded; the log is told in any case.

    Yields:
        What it is, and (H, W, 3) uint8 RGB, upright.

    Raises:
        DataError: if there is no image, or not one that can be read.
    """
    names = folder.names()
    readable = 0
    for name, image_id in zip(names, assign_image_ids(names, known), strict=True):
        try:
            image = folder.read(name)
        except DataError as error:
            logger.warning("left out: %s", error)
            if leave_out is not None:
                leave_out(SkippedFile(name, getattr(error, "kind", UNREADABLE), str(error)))
            continue
        readable += 1
        yield ImageInfo(name, image_id, (image.shape[0], image.shape[1])), image
    if not readable:
        raise DataError(f"{folder.root}: none of the {len(names)} images can be read.")


# MERGED from reading: Pictures as people see them: the reader of `data.images.decoding` with EXIF's orientation applied.
#
# Joints and boxes of predictions are in the px of the upright picture, as every viewer shows it.

_LIMITS = ImageLimits()


def read_upright(path: Path, limits: ImageLimits = _LIMITS) -> NDArray[np.uint8]:
    """Decode an image and turn it upright; its size is that of the upright picture.

    Args:
        path: of the image.
        limits: the largest picture that is decoded.

    Returns:
        (H, W, 3) uint8 RGB, see `crops.decoding.read_image`.

    Raises:
        ImageError: see `crops.decoding.read_image`.
    """
    return read_image(path, frame="upright", limits=limits)


def read_size(path: Path) -> tuple[int, int]:
    """Return (height, width) px of the upright picture, from the file's header.

    `read_upright` gives a picture of this size, unless the rest of the file is damaged or it is too large.

    Raises:
        ImageError: if the file is missing, or has no header of an image.
    """
    return read_header(read_bytes(path), path).upright_size
