"""The contract of person detectors, and the detector `full_image`.

A detector gives an image the boxes of its persons. It is called for one image after the other, in any order. What it needs for
all of them (the index of a file, a network) it loads at the first image and keeps. Boxes are in the project's convention: x, y
are the upper left edge, pixel i spans [i - 0.5, i + 0.5].
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from posescope.core.plugins import Component, Options
from posescope.prediction.poses import DetectedPerson, ImageInfo

__all__ = ["Detections", "Detector", "FullImage", "ImageIndexedDetector", "MatchedImages"]


@dataclass(frozen=True)
class Detections:
    """A file of boxes, if there is one: COCO detection results or annotations.

    Attributes:
        root: path of the file.
    """

    root: Path

    def is_finished(self) -> bool:
        """Return True if the file is there."""
        return self.root.is_file()


@dataclass(frozen=True)
class MatchedImages:
    """What a file of boxes says of the images of a run.

    Attributes:
        ids: image_id in the file by image name, for the images that the file knows.
        notes: messages for the user, one sentence each.
    """

    ids: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Detector(Protocol):
    """Component contract of `posescope.detectors`: `detector(options)(image, info, detections) -> persons of this image`."""

    def __call__(self, image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        """Detect the persons of one image.

        Args:
            image: (H, W, 3) uint8 RGB, upright.
            info: its name, id and size.
            detections: the file of boxes, for detectors that read one.

        Raises:
            ImageError: if the detector cannot work for this image, but can for others.
            DataError, OptionsError: if it cannot work at all.
        """
        ...


@runtime_checkable
class ImageIndexedDetector(Protocol):
    """A detector that is given the names of all images before the first image, where they are known."""

    def prepare(self, names: Sequence[str], detections: Detections) -> MatchedImages:
        """Match the images with the detector's source.

        Args:
            names: names of all images and videos of the run.
            detections: the file of boxes.

        Returns:
            The ids that the source has for these images, and messages for the user.

        Raises:
            DataError: if the source has no box for any of them.
        """
        ...


class FullImage(Component[Options]):
    """One person per image, whose box is the whole image."""

    def __call__(self, image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        """Return one box; the image spans [-0.5, W - 0.5] x [-0.5, H - 0.5]."""
        return [DetectedPerson(info, (-0.5, -0.5, float(info.size[1]), float(info.size[0])))]
