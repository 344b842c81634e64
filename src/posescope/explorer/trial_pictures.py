"""Pictures of a tried photograph: joints with their radii on it, and the evidence of one joint on the crop."""

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.drawing.heatmap_overlays import dim_image, overlay_heatmaps
from posescope.drawing.image_grids import resize_to_height
from posescope.drawing.skeletons import OUTLINE_RGB, draw_skeleton
from posescope.drawing.strokes import draw_stroke
from posescope.explorer.pictures import PANEL_PX
from posescope.geometry.affine import apply_affine
from posescope.prediction.poses import PersonPose

__all__ = ["draw_evidence", "draw_tried_person", "shrink_photograph"]

_LONGEST_PX = 1000  # of a photograph on the page
_CIRCLE_RGB, _CIRCLE_OPACITY = (255, 255, 255), 0.7
_SUBPIXEL_BITS = 4
_BLUR = 0.012  # standard deviation as a fraction of the crop's longer side
_DOT_RGB = (255, 255, 255)


def shrink_photograph(image: NDArray[np.uint8], longest_px: int = _LONGEST_PX) -> NDArray[np.uint8]:
    """Return a photograph whose longer side has at most `longest_px`; a smaller one is returned unchanged.

    Args:
        image: (H, W, 3) uint8 RGB.
        longest_px: longest side.
    """
    scale = longest_px / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def draw_tried_person(
    image: NDArray[np.uint8], pose: PersonPose, skeleton: Skeleton, longest_px: int = _LONGEST_PX
) -> NDArray[np.uint8]:
    """Draw the joints of a person and their radii on a photograph.

    Joints that are not to be trusted are rings. The others are discs, in a circle of their calibrated radius if there is one.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        pose: joints and radii in image px.
        skeleton: K joints and their limbs.
        longest_px: longest side of the picture.

    Returns:
        (H', W', 3) uint8 RGB.
    """
    shown = shrink_photograph(image, longest_px)
    scale = np.array([shown.shape[1] / image.shape[1], shown.shape[0] / image.shape[0]])
    joints = (pose.joints + 0.5) * scale - 0.5
    distrusted = np.zeros(len(joints), dtype=np.bool_) if pose.do_not_trust is None else pose.do_not_trust
    if pose.radii is not None:
        shown = _draw_radii(shown, joints, np.where(distrusted, np.nan, pose.radii) * float(scale.mean()))
    return draw_skeleton(shown, joints, skeleton, visibility=np.where(distrusted, 1, 2))


def draw_evidence(
    crop: NDArray[np.uint8], evidence: NDArray[np.floating], point: NDArray[np.floating], height_px: int = PANEL_PX
) -> NDArray[np.uint8]:
    """Draw the strength of an attribution map on a dimmed crop, and a dot at the joint.

    Args:
        crop: (H, W, 3) uint8 RGB; not changed.
        evidence: (H, W); absolute values are drawn, slightly blurred.
        point: (2,) the joint, crop px.
        height_px: height of the picture.

    Returns:
        (height_px, W', 3) uint8 RGB.
    """
    sigma = max(_BLUR * max(evidence.shape), 0.5)
    strength = cv2.GaussianBlur(np.abs(evidence).astype(np.float32), (0, 0), sigma)
    panel, panel_from_crop = resize_to_height(overlay_heatmaps(dim_image(crop), strength[None], opacity=0.9), height_px)
    (centre,) = apply_affine(panel_from_crop, point[None].astype(np.float64))
    canvas = np.ascontiguousarray(panel)
    draw_stroke(canvas, centre, centre, height_px / 64, OUTLINE_RGB)
    draw_stroke(canvas, centre, centre, height_px / 96, _DOT_RGB)
    return canvas


def _draw_radii(canvas: NDArray[np.uint8], joints: NDArray[np.float64], radii: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the picture with translucent circles; those without a radius, or far larger than the picture, are left out."""
    factor, most = 2**_SUBPIXEL_BITS, 2 * max(canvas.shape)
    drawn = canvas.copy()
    for (x, y), radius in zip(joints.tolist(), radii.tolist(), strict=True):
        if not np.isfinite([x, y, radius]).all() or max(abs(x), abs(y), radius) > most:
            continue
        centre = (round(x * factor), round(y * factor))
        for colour, thickness in ((OUTLINE_RGB, 3), (_CIRCLE_RGB, 1)):
            cv2.circle(drawn, centre, round(radius * factor), colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
    return np.asarray(cv2.addWeighted(drawn, _CIRCLE_OPACITY, canvas, 1 - _CIRCLE_OPACITY, 0), dtype=np.uint8)
