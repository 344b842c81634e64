"""Draw skeletons on images with sub-pixel positions.

An integer coordinate is a pixel's centre: a joint at (10, 5) is centred on `image[5, 10]`. Left is orange, right is blue, the
middle is green (Okabe-Ito palette, safe for colour-blind readers). *Left* is the person's own left.

    visible (2): filled disc         occluded (1): ring, the image shows through         unlabelled (0, NaN): not drawn
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posescope.core.skeleton import Skeleton
from posescope.drawing.rgb_images import DrawingError, check_rgb
from posescope.drawing.strokes import Colour, clear_disc, draw_stroke

__all__ = ["CENTRE_RGB", "DRAW_THRESHOLD", "LEFT_RGB", "OUTLINE_RGB", "RIGHT_RGB", "draw_skeleton", "side_colour"]

LEFT_RGB: Colour = (245, 150, 0)
RIGHT_RGB: Colour = (0, 125, 235)
CENTRE_RGB: Colour = (0, 185, 120)
OUTLINE_RGB: Colour = (20, 20, 20)

# Lowest heatmap peak that is drawn, for targets with peak 1. On the validation set of the generated sample, no joint within
# 10 px of its label scores less.
DRAW_THRESHOLD = 0.2

_REFERENCE_SIDE_PX = 256  # image side at which a limb has the requested thickness


@dataclass(frozen=True)
class _Pen:
    """Radii in px for an image of this size."""

    limb: float
    joint: float
    hole: float
    rim: float

    @classmethod
    def for_image(cls, image: NDArray[np.uint8], thickness_px: float) -> "_Pen":
        thickness = thickness_px * math.sqrt(max(image.shape[:2]) / _REFERENCE_SIDE_PX)
        joint = 1.3 * thickness + 0.4
        return cls(limb=thickness / 2, joint=joint, hole=max(0.5, joint - 0.45 * thickness - 0.4), rim=0.3 + 0.2 * thickness)


def side_colour(side: str) -> Colour:
    """Return the RGB colour of `left`, `right` or the centre (any other value); sides as in `Skeleton.side_of`."""
    return {"left": LEFT_RGB, "right": RIGHT_RGB}.get(side, CENTRE_RGB)


def draw_skeleton(
    image: NDArray[np.uint8],
    joints: ArrayLike,
    skeleton: Skeleton,
    visibility: ArrayLike | None = None,
    thickness_px: float = 2,
    scores: ArrayLike | None = None,
    min_score: float = DRAW_THRESHOLD,
) -> NDArray[np.uint8]:
    """Draw the joints and limbs of one person on a copy of an image.

    A limb is drawn if both of its joints are drawn. A limb between left and right has the colour of the centre; a limb between
    the centre and a side has the colour of the side.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        joints: (K, 2) x, y in image px; NaN: not drawn. Joints may lie outside the image.
        skeleton: K joints and their limbs.
        visibility: (K,) 0: not drawn, 1: ring, 2: disc. None: every finite joint is a disc.
        thickness_px: limb thickness at an image side of 256 px; scales with the square root of the longer side.
        scores: (K,) joint scores. None: all joints are drawn.
        min_score: joints with a lower score, and their limbs, are not drawn.

    Returns:
        A new (H, W, 3) uint8 RGB image.

    Raises:
        DrawingError: if the image is not RGB, the shapes do not match the skeleton, or the thickness is not positive.

    Example:
        >>> from posescope.core.skeleton import COCO_PERSON
        >>> image = np.zeros((64, 64, 3), dtype=np.uint8)
        >>> draw_skeleton(image, np.full((17, 2), 32.0), COCO_PERSON).shape
        (64, 64, 3)
    """
    check_rgb(image)
    points, seen = _check_joints(joints, visibility, len(skeleton))
    if thickness_px <= 0:
        raise DrawingError(f"thickness_px: expected a positive number, found {thickness_px}.")
    drawn = np.isfinite(points).all(axis=1) & (seen > 0) & _certain(scores, min_score, len(skeleton))
    pen = _Pen.for_image(image, thickness_px)
    canvas = np.ascontiguousarray(image.copy())
    _draw_limbs(canvas, points, drawn, skeleton, pen)
    _draw_joints(canvas, image, points, np.where(drawn, seen, 0), skeleton=skeleton, pen=pen)
    return canvas


def _check_joints(
    joints: ArrayLike, visibility: ArrayLike | None, joint_count: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    points = np.asarray(joints, dtype=np.float64)
    seen = np.full(joint_count, 2) if visibility is None else np.asarray(visibility, dtype=np.int64)
    if points.shape != (joint_count, 2) or seen.shape != (joint_count,):
        raise DrawingError(
            f"The skeleton has {joint_count} joints: expected joints ({joint_count}, 2) and visibility ({joint_count},), "
            f"found {points.shape} and {seen.shape}. Draw one person per call, with the skeleton of the data set."
        )
    return points, seen


def _certain(scores: ArrayLike | None, min_score: float, joint_count: int) -> NDArray[np.bool_]:
    if scores is None:
        return np.ones(joint_count, dtype=np.bool_)
    heights = np.asarray(scores, dtype=np.float64)
    if heights.shape != (joint_count,):
        raise DrawingError(f"The skeleton has {joint_count} joints: expected scores ({joint_count},), found {heights.shape}.")
    return np.asarray(heights >= min_score)  # False for NaN


def _draw_limbs(
    canvas: NDArray[np.uint8], points: NDArray[np.float64], drawn: NDArray[np.bool_], skeleton: Skeleton, pen: _Pen
) -> None:
    """Draw all outlines first, so that no outline covers another limb."""
    limbs = [(start, end) for start, end in skeleton.limbs if drawn[start] and drawn[end]]
    for start, end in limbs:
        draw_stroke(canvas, points[start], points[end], pen.limb + pen.rim, OUTLINE_RGB)
    for start, end in limbs:
        sides = {skeleton.side_of(start), skeleton.side_of(end)} - {"centre"}
        colour = side_colour(sides.pop() if len(sides) == 1 else "centre")
        draw_stroke(canvas, points[start], points[end], pen.limb, colour)


def _draw_joints(
    canvas: NDArray[np.uint8],
    image: NDArray[np.uint8],
    points: NDArray[np.float64],
    seen: NDArray[np.int64],
    *,
    skeleton: Skeleton,
    pen: _Pen,
) -> None:
    """Draw discs; occluded joints become rings by restoring the image inside."""
    for joint in np.flatnonzero(seen):
        point = points[joint]
        draw_stroke(canvas, point, point, pen.joint + pen.rim, OUTLINE_RGB)
        draw_stroke(canvas, point, point, pen.joint, side_colour(skeleton.side_of(int(joint))))
        if seen[joint] == 1:
            clear_disc(canvas, image, point, pen.hole)
