"""Boxes around persons: the contract of a crop rule, and the rules that make squares.

    desired side  = (1 + margin) x the longer side of the person's box: the annotated box, or the smallest box around the
                    annotated box and the labelled joints (option `box`)
    centre        = the middle of the outermost labelled joints

         centred_square                          padded_square
    +-image---------------+                 +-image---------------+
    |      +-------+      |                 |               +-----|--+   the part outside
    |      |   x   |  <- limited by the     |               |   x |::|   the image is
    |      +-------+     image, centred in x,               |     |::|   padded with
    +---------------------+  moved up or down               +-----|--+   one colour

Pixel i spans [i - 0.5, i + 0.5] and an image [-0.5, W - 0.5].
"""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.errors import DataError
from posescope.core.plugins import Component, Options

__all__ = [
    "CentredSquare",
    "CropRule",
    "Extents",
    "MeasuredBox",
    "PaddedSquare",
    "PersonBoxes",
    "SquareBoxes",
    "SquareOptions",
    "measure_extents",
]

CANNOT_CENTRE = "no square inside the image is centred on the joints and contains them"
TOO_SMALL = "square smaller than min_side_px"
OFF_IMAGE = "square shows nothing of the image"
NOT_IN_BOX = "joints do not fit in the square of the annotated box"

MeasuredBox: TypeAlias = Literal["annotated", "annotated_and_keypoints"]


@dataclass(frozen=True)
class Extents:
    """Extents of N persons: the input of a crop rule.

    Attributes:
        box_min, box_max: (N, 2) float64 px, upper left and lower right edges of the annotated box.
        joint_min, joint_max: (N, 2) float64 px, outermost labelled joints.
        image_size: (N, 2) int, (height, width) px of the person's image.
        aspect: width of the crops divided by their height. Rules that make squares ignore it.
    """

    box_min: NDArray[np.float64]
    box_max: NDArray[np.float64]
    joint_min: NDArray[np.float64]
    joint_max: NDArray[np.float64]
    image_size: NDArray[np.int64]
    aspect: float = 1.0

    def __len__(self) -> int:
        return len(self.box_min)


class PersonBoxes(Protocol):
    """Boxes of N persons, in whole pixels: what a crop rule returns, `SquareBoxes` or `RectangularBoxes`."""

    @property
    def left(self) -> NDArray[np.int64]:
        """(N,) image px, first column; outside the image where the rule pads."""
        ...

    @property
    def top(self) -> NDArray[np.int64]:
        """(N,) image px, first row."""
        ...

    @property
    def width(self) -> NDArray[np.int64]:
        """(N,) image px, >= 1 for accepted persons."""
        ...

    @property
    def height(self) -> NDArray[np.int64]:
        """(N,) image px, >= 1 for accepted persons."""
        ...

    @property
    def reasons(self) -> NDArray[np.str_]:
        """(N,) why a person is rejected; empty for accepted persons."""
        ...


@dataclass(frozen=True)
class SquareBoxes:
    """Squares of N persons, in whole pixels.

    Attributes:
        left, top: (N,) int64 px, first column and row; they may be outside the image where the rule pads.
        side: (N,) int64 px, >= 1 for accepted persons.
        reasons: (N,) str, why a person is rejected; empty for accepted persons.
    """

    left: NDArray[np.int64]
    top: NDArray[np.int64]
    side: NDArray[np.int64]
    reasons: NDArray[np.str_]

    @property
    def width(self) -> NDArray[np.int64]:
        """(N,) int64 px, the side."""
        return self.side

    @property
    def height(self) -> NDArray[np.int64]:
        """(N,) int64 px, the side."""
        return self.side

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """(N,) bool: persons without a reason for rejection."""
        return np.asarray(self.reasons == "", dtype=np.bool_)


class SquareOptions(Options):
    """Options of both square rules."""

    margin: float = Field(0.1, ge=0, le=2, description="Growth of the side, as a fraction of it (0.1 = 10 %)")
    min_side_px: int = Field(1, ge=1, le=100_000, description="Persons with a smaller square are rejected")
    box: MeasuredBox = Field(
        "annotated_and_keypoints",
        description="Box whose longer side is the side of the square: annotated = the annotated box, as in the thesis document; "
        "annotated_and_keypoints = the smallest box around the annotated box and the labelled joints",
    )


class CropRule(Protocol):
    """Contract of the components of `posescope.crop_rules`: `rule(options)(extents) -> PersonBoxes`.

    A rule whose boxes have the aspect ratio `extents.aspect` has the class attribute `follows_aspect = True`. Only such a rule
    can make crops that are not square, and it crops detected persons as well: the detected box takes the place of the joints. A
    rule without this attribute makes squares, and detected persons are cropped by `PaddedSquare`.
    """

    def __call__(self, extents: Extents) -> PersonBoxes:
        """Return the boxes of all persons."""
        ...


def measure_extents(
    boxes: NDArray[np.float64], joints: NDArray[np.float64], image_size: NDArray[np.int64], aspect: float = 1.0
) -> Extents:
    """Measure the extents of N persons.

    Args:
        boxes: (N, 4) x, y, w, h px.
        joints: (N, K, 2) px, NaN where unlabelled; at least one labelled joint per person.
        image_size: (N, 2) (height, width) px.
        aspect: width of the crops divided by their height.

    Raises:
        DataError: A person has no labelled joint, so its square has no centre.
    """
    empty = np.flatnonzero(np.isnan(joints[..., 0]).all(axis=1))
    if len(empty):
        raise DataError(f"{len(empty)} persons have no labelled joint (first: row {empty[0]}). Filter them before cropping.")
    return Extents(
        box_min=boxes[:, :2],
        box_max=boxes[:, :2] + boxes[:, 2:],
        joint_min=np.fmin.reduce(joints, axis=1) if len(joints) else np.empty((0, 2)),  # without NaN, and without a copy
        joint_max=np.fmax.reduce(joints, axis=1) if len(joints) else np.empty((0, 2)),
        image_size=image_size,
        aspect=aspect,
    )


class CentredSquare(Component[SquareOptions]):
    """Square inside the image, the thesis's rule; persons that cannot be centred are rejected.

    The side is limited by the image while the square stays centred in x. The square is then moved up or down into the image.
    The joints must fit in the square before it is snapped to whole pixels.
    """

    def __call__(self, extents: Extents) -> SquareBoxes:
        """Return square boxes inside the images."""
        height, width = extents.image_size[:, 0], extents.image_size[:, 1]
        centre, desired = _centre_and_side(extents, self.options)
        available_x = 2 * np.minimum(centre[:, 0] + 0.5, width - 0.5 - centre[:, 0])
        side = np.minimum(np.minimum(desired, available_x), height)
        left = centre[:, 0] - side / 2
        top = np.clip(centre[:, 1] - side / 2, -0.5, height - 0.5 - side)
        low = np.stack([left, top], axis=1)
        fits = _holds_joints(extents, low, side)
        # Snap to whole pixels: round the side down and take the nearest whole position inside the image.
        whole = np.maximum(np.floor(side + 1e-9), 0).astype(np.int64)
        first = np.rint(np.stack([centre[:, 0] - whole / 2, top], axis=1) + 0.5).astype(np.int64)
        limit = np.stack([width - whole, height - whole], axis=1)
        first = np.clip(first, 0, np.maximum(limit, 0))
        # Objects: an array of texts has the width of the longest one in each row.
        texts = np.array(["", TOO_SMALL, CANNOT_CENTRE], dtype=object)
        reasons = texts[np.where(fits, whole < self.options.min_side_px, 2)]
        return SquareBoxes(left=first[:, 0], top=first[:, 1], side=whole, reasons=reasons)


class PaddedSquare(Component[SquareOptions]):
    """Square of the desired side, padded with one colour outside the image.

    A person is rejected if the square shows nothing of the image, which is possible with joints beyond the border. With the
    option `box: annotated` a person is also rejected if its labelled joints do not fit in the square before it is snapped to
    whole pixels. With `annotated_and_keypoints` they always fit.
    """

    def __call__(self, extents: Extents) -> SquareBoxes:
        """Return square boxes that may extend beyond the images."""
        centre, desired = _centre_and_side(extents, self.options)
        side = np.maximum(np.rint(desired), 1).astype(np.int64)
        first = np.rint(centre - side[:, None] / 2 + 0.5).astype(np.int64)
        touches = ((first + side[:, None] > 0) & (first < extents.image_size[:, ::-1])).all(axis=1)
        texts = np.array(["", TOO_SMALL, OFF_IMAGE], dtype=object)
        reasons = texts[np.where(touches, side < self.options.min_side_px, 2)]
        if self.options.box == "annotated":
            fits = _holds_joints(extents, centre - desired[:, None] / 2, desired)
            reasons = np.where((reasons == "") & ~fits, NOT_IN_BOX, reasons)
        return SquareBoxes(left=first[:, 0], top=first[:, 1], side=side, reasons=reasons)


def _centre_and_side(extents: Extents, options: SquareOptions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    centre = (extents.joint_min + extents.joint_max) / 2
    low, high = extents.box_min, extents.box_max
    if options.box == "annotated_and_keypoints":
        low, high = np.minimum(low, extents.joint_min), np.maximum(high, extents.joint_max)
    return centre, (1 + options.margin) * (high - low).max(axis=1, initial=0)


def _holds_joints(extents: Extents, low: NDArray[np.float64], side: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (N,) bool: all labelled joints are in the square with upper left corner `low` (N, 2) and `side` (N,), float px."""
    return np.asarray(((extents.joint_min >= low) & (extents.joint_max <= low + side[:, None])).all(axis=1))
