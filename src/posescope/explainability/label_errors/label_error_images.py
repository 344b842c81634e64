"""Image grid of the most suspicious annotations beside the predictions."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.drawing.image_grids import draw_image_grid
from posescope.drawing.skeletons import draw_skeleton
from posescope.drawing.strokes import Colour, draw_outline
from posescope.explainability.label_errors.annotated_poses import Doubles

__all__ = ["MARK_RGB", "draw_suspicions"]

MARK_RGB: Colour = (230, 0, 160)
_SIDE_PX, _COLUMNS, _GAP_PX = 190, 4, 3
_RING_PX, _RING_CORNERS, _RING_WIDTH_PX = 13, 24, 3


def draw_suspicions(
    images: NDArray[np.uint8],
    annotated: Doubles,
    predicted: Doubles,
    marked: Sequence[Sequence[int]],
    captions: Sequence[str],
    skeleton: Skeleton,
) -> NDArray[np.uint8]:
    """Draw each person twice: with the annotated joints on the left and with the predicted ones on the right.

    Args:
        images: (n, H, W, 3) uint8 RGB crops.
        annotated, predicted: (n, K, 2) fractions of the crop's side, NaN where unlabelled.
        marked: joints of each person that get a ring.
        captions: one per person.
        skeleton: K joints.
    """
    tiles = [
        _draw_person(image, (own, found), joints, skeleton)
        for image, own, found, joints in zip(images, annotated, predicted, marked, strict=True)
    ]
    title = "Annotations to check: on the left as annotated, on the right as predicted; the doubtful joint has a ring"
    size = (_SIDE_PX, 2 * _SIDE_PX + _GAP_PX)
    return draw_image_grid(tiles, columns=_COLUMNS, captions=captions, tile_size=size, gap_px=10, title=title)


def _draw_person(
    image: NDArray[np.uint8], poses: tuple[Doubles, Doubles], marked: Sequence[int], skeleton: Skeleton
) -> NDArray[np.uint8]:
    height, width = (round(side * _SIDE_PX / max(image.shape[:2])) for side in image.shape[:2])
    panel = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    halves = []
    for pose in poses:
        joints = pose * _SIDE_PX - 0.5
        half = draw_skeleton(panel, joints, skeleton)
        for joint in marked:
            if np.isfinite(joints[joint]).all():
                half = draw_outline(half, joints[joint] + _ring(), MARK_RGB, _RING_WIDTH_PX)
        halves.append(half)
    gap = np.full((height, _GAP_PX, 3), 255, dtype=np.uint8)
    return np.concatenate([halves[0], gap, halves[1]], axis=1)


def _ring() -> Doubles:
    """(M, 2) corners of a circle around 0, px."""
    angles = np.linspace(0, 2 * np.pi, _RING_CORNERS, endpoint=False)
    return _RING_PX * np.stack([np.cos(angles), np.sin(angles)], axis=1)
