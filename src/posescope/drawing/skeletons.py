"""Skeletons on images, placed to a fraction of a pixel.

Points follow the project's convention: an integer is a pixel's centre, so a joint at (10, 5) is centred on `image[5, 10]`.
Left is orange, right is blue, the middle is green (after Okabe and Ito's palette, which colour-blind readers can tell
apart); *left* is the person's own left, at the viewer's right when the person faces the camera.

    visible  (2)  filled disc         hidden (1)  ring, the image shows through         unlabelled (0, NaN)  nothing
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posescope.core.skeleton import Skeleton
from posescope.drawing.rgb_images import DrawingError, check_rgb
from posescope.drawing.strokes import Colour, draw_stroke

__all__ = ["CENTRE_RGB", "DRAW_THRESHOLD", "LEFT_RGB", "OUTLINE_RGB", "RIGHT_RGB", "draw_skeleton", "side_colour"]

LEFT_RGB: Colour = (245, 150, 0)
RIGHT_RGB: Colour = (0, 125, 235)
CENTRE_RGB: Colour = (0, 185, 120)
OUTLINE_RGB: Colour = (20, 20, 20)

# Of a heatmap whose target has the peak 1: no joint within 10 px of its label was lower on the generated sample's validation set.
DRAW_THRESHOLD = 0.2

_REFERENCE_SIDE_PX = 256  # the image side at which a limb is exactly as thick as asked


@dataclass(frozen=True)
class _Pen:
    """Radii in px, from a limb's thickness in this image."""

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
    """RGB of `left`, `right` or anything else (centre), as in `Skeleton.side_of`."""
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
    """Draw one person's joints and limbs on a copy of an image.

    A limb is drawn where both of its ends are. Limbs between left and right (the shoulders) have the centre's colour; those
    between the centre and a side have the side's.

    Args:
        image: (H, W, 3) RGB; not changed.
        joints: (K, 2) image px; NaN is not drawn; a joint may lie outside the image.
        skeleton: of K joints.
        visibility: (K,) 0..2: 0 is not drawn, 1 is a ring, 2 is a disc. None: every joint that is not NaN is a disc.
        thickness_px: of a limb in an image whose longer side is 256 px; it grows with the square root of that side.
        scores: (K,) of the joints. None: every joint is certain.
        min_score: joints with a lower score, and their limbs, are not drawn.

    Returns:
        A new (H, W, 3) RGB image.

    Raises:
        DrawingError: if the image is not RGB, joints or scores are not the skeleton's, or the thickness is not positive.
    """
    check_rgb(image)
    points, seen = _check_joints(joints, visibility, len(skeleton))
    if thickness_px <= 0:
        raise DrawingError(f"thickness_px: expected a positive number, found {thickness_px}.")
    drawn = np.isfinite(points).all(axis=1) & (seen > 0) & _certain(scores, min_score, len(skeleton))
    pen = _Pen.for_image(image, thickness_px)
    canvas = image.copy()
    _paint_limbs(canvas, points, drawn, skeleton, pen)
    _paint_joints(canvas, image, points, np.where(drawn, seen, 0), skeleton=skeleton, pen=pen)
    return canvas


def _check_joints(
    joints: ArrayLike, visibility: ArrayLike | None, joint_count: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    points = np.asarray(joints, dtype=np.float64)
    seen = np.full(joint_count, 2) if visibility is None else np.asarray(visibility, dtype=np.int64)
    if points.shape != (joint_count, 2) or seen.shape != (joint_count,):
        raise DrawingError(
            f"The skeleton has {joint_count} joints: expected joints ({joint_count}, 2) and visibility ({joint_count},), "
            f"found {points.shape} and {seen.shape}. Draw one person at a time, with the skeleton of its data."
        )
    return points, seen


def _certain(scores: ArrayLike | None, min_score: float, joint_count: int) -> NDArray[np.bool_]:
    if scores is None:
        return np.ones(joint_count, dtype=np.bool_)
    heights = np.asarray(scores, dtype=np.float64)
    if heights.shape != (joint_count,):
        raise DrawingError(f"The skeleton has {joint_count} joints: expected scores ({joint_count},), found {heights.shape}.")
    return np.asarray(heights >= min_score)  # a NaN is not


def _paint_limbs(
    canvas: NDArray[np.uint8], points: NDArray[np.float64], drawn: NDArray[np.bool_], skeleton: Skeleton, pen: _Pen
) -> None:
    """All outlines first, so that no limb's outline cuts through another limb."""
    limbs = [(start, end) for start, end in skeleton.limbs if drawn[start] and drawn[end]]
    for start, end in limbs:
        draw_stroke(canvas, points[start], points[end], pen.limb + pen.rim, OUTLINE_RGB)
    for start, end in limbs:
        sides = {skeleton.side_of(start), skeleton.side_of(end)} - {"centre"}
        colour = side_colour(sides.pop() if len(sides) == 1 else "centre")
        draw_stroke(canvas, points[start], points[end], pen.limb, colour)


def _paint_joints(
    canvas: NDArray[np.uint8],
    image: NDArray[np.uint8],
    points: NDArray[np.float64],
    seen: NDArray[np.int64],
    *,
    skeleton: Skeleton,
    pen: _Pen,
) -> None:
    """Discs; in the hidden ones the image, without the limbs, is put back inside."""
    for joint in np.flatnonzero(seen):
        point = points[joint]
        draw_stroke(canvas, point, point, pen.joint + pen.rim, OUTLINE_RGB)
        draw_stroke(canvas, point, point, pen.joint, side_colour(skeleton.side_of(int(joint))))
        if seen[joint] == 1:
            draw_stroke(canvas, point, point, pen.hole, image)
