"""A folder of images, read upright, and the ids of its images.

Joints and boxes of predictions are in px of the upright image, as viewers show it: the orientation that EXIF states is applied.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posescope.data.images.decoding import read_image
from posescope.data.images.limits import ImageLimits
from posescope.prediction.image_io.folder_listing import list_media
from posescope.prediction.poses import image_id_from_name

__all__ = ["ImageFolder", "ImageIdAllocator", "assign_image_ids"]


@dataclass(frozen=True)
class ImageFolder:
    """A folder of images, or one image file, as the catalog hands it to a node.

    Attributes:
        root: the folder or the file.
        limits: the largest image that is decoded.
    """

    root: Path
    limits: ImageLimits = field(default_factory=ImageLimits)

    def with_limits(self, limits: ImageLimits) -> "ImageFolder":
        """Return the same folder with other limits."""
        return replace(self, limits=limits)

    def is_finished(self) -> bool:
        """Return True if there is at least one image."""
        return bool(list_media(self.root).images)

    def read(self, name: str) -> NDArray[np.uint8]:
        """Return an image by its name, (H, W, 3) uint8 RGB, upright.

        Raises:
            ImageError: if it cannot be decoded; see `data.images.decoding.read_image`.
        """
        base = self.root.parent if self.root.is_file() else self.root
        return read_image(base / name, frame="upright", limits=self.limits, is_fetched=True)


class ImageIdAllocator:
    """Allocates unique image ids.

    Args:
        expected: ids that images will ask for; no other image gets one of them.
        first_free: the first id for images that do not ask for one; the next free ones follow.
    """

    def __init__(self, expected: Collection[int] = (), first_free: int = 0) -> None:
        self._expected, self._next = frozenset(expected), first_free
        # No id below `_next` is free, so a stream of images without ids takes no memory.
        self._allocated: set[int] = set()

    def allocate(self, wanted: int | None = None) -> int:
        """Return the wanted id if it is unused, else the next unused id."""
        if wanted is not None and wanted not in self._allocated and (wanted >= self._next or wanted in self._expected):
            if wanted == self._next and wanted not in self._expected:
                self._next += 1
            else:
                self._allocated.add(wanted)
            return wanted
        while self._next in self._allocated or self._next in self._expected:
            self._next += 1
        self._next += 1
        return self._next - 1


def assign_image_ids(names: Sequence[str], known: Mapping[str, int] | None = None) -> list[int]:
    """Return the id of each image: the known one, else the number in its name, for the first image with this number.

    All others get the numbers after the largest in use, in order.

    Args:
        names: names of the images, such as COCO's `000000000139.jpg`.
        known: unique ids by name, from the file of the images' boxes.
    """
    given = known or {}
    wanted = [given.get(name, image_id_from_name(name)) for name in names]
    taken = {given[name] for name in names if name in given}
    ids = ImageIdAllocator(
        [number for number in wanted if number is not None],
        first_free=max([*(n for n in wanted if n is not None), *given.values(), -1]) + 1,
    )
    for number in taken:
        ids.allocate(number)
    return [given[name] if name in given else ids.allocate(number) for name, number in zip(names, wanted, strict=True)]
