"""Boxes of the crop rule `top_down`: the annotated box, padded and extended to the aspect ratio of the crop.

    width, height = padding x the smallest box of the crop's aspect ratio that has the centre of the annotated box and contains it
    centre        = the centre of the annotated box

    +-crop box------+
    |  +---------+  |     A tall person in a crop of 3:4. The annotated box is as high as the crop box divided by the padding;
    |  :annotated:  |     it is extended to both sides. The part outside the image is filled with one colour.
    |  :  box    :  |
    |  +---------+  |
    +---------------+

These are the crops of "top-down" methods, with which results on COCO are reported: SimpleBaseline (Xiao et al. 2018), HRNet
(Sun et al. 2019), ViTPose (Xu et al. 2022). Their code and mmpose's differ from this rule in two ways: see `TopDown`.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Component, Options
from posescope.geometry.square_boxes import OFF_IMAGE, TOO_SMALL, Extents

__all__ = ["RectangularBoxes", "TopDown", "TopDownOptions"]


@dataclass(frozen=True)
class RectangularBoxes:
    """Rectangles of N persons, in whole pixels.

    Attributes:
        left, top: (N,) int64 px, first column and row; they may be outside the image where the rule pads.
        width, height: (N,) int64 px, >= 1 for accepted persons.
        reasons: (N,) str, why a person is rejected; empty for accepted persons.
    """

    left: NDArray[np.int64]
    top: NDArray[np.int64]
    width: NDArray[np.int64]
    height: NDArray[np.int64]
    reasons: NDArray[np.str_]


class TopDownOptions(Options):
    """Options of `top_down`."""

    padding: float = Field(1.25, ge=1, le=4, description="Size of the crop box divided by that of the extended annotated box")
    min_side_px: int = Field(1, ge=1, le=100_000, description="Persons whose crop box has a smaller longer side are rejected")


class TopDown(Component[TopDownOptions]):
    """The annotated box, padded and extended to the aspect ratio of the crop.

    Joints have no influence: a joint outside the box is a joint outside the crop, which counts as unlabelled in the targets.

    Two things differ from mmpose and ViTPose. They move the corners of the crop box by up to 1.25 px of the image + 0.3 % of its
    width. The edges are snapped to whole pixels. And a crop of W px spans W pixels of its frame, from edge to edge; in "unbiased
    data processing" (Huang et al. 2020) the centres of its first and last px are on the edges of the box, which makes it
    W / (W - 1) times as large, and COCO's edges are taken as centres of pixels, which moves it by half a px. The
    positions of joints are right in either convention.
    """

    follows_aspect: ClassVar[bool] = True

    def __call__(self, extents: Extents) -> RectangularBoxes:
        """Return boxes that may extend beyond the images."""
        box = extents.box_max - extents.box_min
        wanted_height = self.options.padding * np.maximum(box[:, 1], box[:, 0] / extents.aspect)
        wanted = np.stack([wanted_height * extents.aspect, wanted_height], axis=1)
        size = np.maximum(np.rint(wanted), 1).astype(np.int64)
        first = np.rint((extents.box_min + extents.box_max) / 2 - size / 2 + 0.5).astype(np.int64)
        touches = ((first + size > 0) & (first < extents.image_size[:, ::-1])).all(axis=1)
        large = size.max(axis=1, initial=0) >= self.options.min_side_px
        reasons = np.where(touches, np.where(large, "", TOO_SMALL), OFF_IMAGE)
        return RectangularBoxes(left=first[:, 0], top=first[:, 1], width=size[:, 0], height=size[:, 1], reasons=reasons)
