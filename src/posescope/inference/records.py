"""Images, the people found in them, and their poses: what detectors, predictor and outputs hand each other.

Boxes and joints are in our convention: x, y are the upper left edge, pixel i spans [i - 0.5, i + 0.5]; they lie in the upright
picture (see `inference.images`). Nothing here needs torch: whoever runs an exported model does not load it.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

__all__ = ["DetectedPerson", "ImageInfo", "PosedPerson", "number_in"]


# A box may be so many times as long as the picture, or so many px.
_LARGEST_BOX, _LARGEST_BOX_PX = 20, 10_000


@dataclass(frozen=True)
class ImageInfo:
    """Attributes: name: relative to the folder; image_id: in the results; size: (height, width) px."""

    name: str
    image_id: int
    size: tuple[int, int]

    @property
    def own_number(self) -> int | None:
        """The number that is the image's name; `image_id` may be another, where two images have the same."""
        return number_in(self.name)


def number_in(name: str) -> int | None:
    """The number that is an image's name, as COCO does it (`000000000139.jpg`); none for all others, and frames of videos.

    The number of any other image was given by us, and means nothing elsewhere.
    """
    last = PurePosixPath(name)
    stem = last.name.partition(".")[0]
    # 12.mp4#3 is the fourth frame of a video: neither 12 nor 3 is an image's name.
    return int(stem) if stem.isdecimal() and "#" not in last.suffix else None


@dataclass(frozen=True)
class DetectedPerson:
    """Attributes: image: where; box: (x, y, w, h) px, our convention; score: of the box, 0..1."""

    image: ImageInfo
    box: tuple[float, float, float, float]
    score: float = 1.0

    @property
    def is_in_picture(self) -> bool:
        """Whether the box and the picture have a part in common, and the box is not many times as large."""
        x, y, width, height = self.box
        image_height, image_width = self.image.size
        if max(width, height) > max(_LARGEST_BOX * max(image_height, image_width), _LARGEST_BOX_PX):  # no memory holds its square
            return False
        return x < image_width - 0.5 and y < image_height - 0.5 and x + width > -0.5 and y + height > -0.5


@dataclass(frozen=True)
class PosedPerson:
    """A person whose pose was found.

    Attributes:
        person: image, box and score of the detection.
        joints: (K, 2) float64 image px.
        scores: (K,) float32: the height of the heatmaps' peaks.
    """

    person: DetectedPerson
    joints: NDArray[np.float64]
    scores: NDArray[np.float32]

    @property
    def score(self) -> float:
        """Mean joint score times the score of the box, as COCO's evaluation is fed."""
        return float(self.scores.mean()) * self.person.score

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x, y, w, h px as COCO and detectors have it: the image's left and upper edges are 0."""
        x, y, width, height = self.person.box
        return x + 0.5, y + 0.5, width, height
