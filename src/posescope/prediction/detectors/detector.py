"""Who is in the picture: detectors give each image the boxes of its people.

A detector is asked image by image, in any order, and never about all at once: nobody has to hold them. What it needs for all of
them (an index of a file, a network) it makes at the first image, and keeps. Boxes are in our convention: x, y are the upper left
edge, pixel i spans [i - 0.5, i + 0.5].
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Options
from posescope.prediction.detectors.boxes_file import BoxIndex, BoxRules, Detections, MatchedImages, index_boxes
from posescope.prediction.poses import DetectedPerson, ImageInfo

__all__ = [
    "BoxesFile",
    "DetectedPerson",
    "Detections",
    "Detector",
    "FullImage",
    "ImageInfo",
    "MatchedImages",
    "ImageIndexedDetector",
]


class Detector(Protocol):
    """Component contract of `posescope.detectors`: `detector(options)(image, info, detections) -> persons of this image`."""

    def __call__(self, image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        """Find the people of one image.

        Args:
            image: (H, W, 3) uint8 RGB, upright.
            info: its name, number and size.
            detections: the file of boxes, for who reads one.

        Raises:
            ImageError: if this image alone cannot be answered for; the others can.
            DataError, OptionsError: if none can.
        """
        ...


class FullImageOptions(Options):
    """`full_image` has no options."""


class FullImage:
    """One person an image, whose box is the whole image."""

    Options = FullImageOptions

    def __init__(self, options: FullImageOptions) -> None:
        self.options = options

    def __call__(self, image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        """The image spans [-0.5, W - 0.5]."""
        return [DetectedPerson(info, (-0.5, -0.5, float(info.size[1]), float(info.size[0])))]


@runtime_checkable
class ImageIndexedDetector(Protocol):
    """What a detector may have besides: it is told the names of all images before the first one, where they are known."""

    def prepare(self, names: Sequence[str], detections: Detections) -> MatchedImages:
        """Look the images up.

        Args:
            names: of all images and videos that will be asked about.
            detections: the file of boxes.

        Returns:
            Their ids, as far as the detector's source has any, and what the user should be told.

        Raises:
            DataError: if the detector cannot answer for any of them.
        """
        ...


class BoxesFileOptions(Options):
    """Options of `boxes_file`."""

    min_score: float = Field(0.0, ge=0, le=1, description="boxes with a lower score are left out")
    category_id: int | None = Field(1, description="only boxes of this category; null: all")
    max_invalid_fraction: float = Field(
        0.01, ge=0, le=1, description="share of records that may be invalid (NaN, text, no width); they are named and left out"
    )


class BoxesFile:
    """Boxes of a COCO detection results file (parameter `boxes`), matched to the images by `file_name`, else by number.

    Names match as `coco.image_names.FileNameMatcher` says; text as `image_id` is a name, with or without its suffix. A number counts
    only where it is the image's name (`000000000139.jpg`). Annotation files say `file_name` by themselves, and how large the
    image was: boxes are those of the upright picture, in full size. The file is read and checked whole at first, and kept.
    """

    Options = BoxesFileOptions

    def __init__(self, options: BoxesFileOptions) -> None:
        self.options = options
        self._boxes: BoxIndex | None = None

    def prepare(self, names: Sequence[str], detections: Detections) -> MatchedImages:
        """Match the boxes to all images.

        Raises:
            DataError: if too many records are invalid, a name is ambiguous, or no box belongs to any of the images.
        """
        self._boxes, known = self._read(detections).match(names)
        return known

    def __call__(self, image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        """COCO's boxes lose 0.5, as everywhere where COCO is read. They come in the order of the file.

        Raises:
            ImageError: if the file says another size of the image.
            DataError: if too many records are invalid, or boxes are known by the number of two images.
        """
        if self._boxes is None or self._boxes.path != detections.root:
            self._boxes = self._read(detections)
        return [DetectedPerson(info, one.box, one.score) for one in self._boxes.find(info)]

    def _read(self, detections: Detections) -> BoxIndex:
        options = self.options
        return index_boxes(detections, BoxRules(options.min_score, options.category_id, options.max_invalid_fraction))
