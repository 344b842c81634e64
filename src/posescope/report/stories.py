"""The story of one person, from the photograph to the prediction, as one picture.

photograph + truth + square | crop + truth | target heatmaps | network's heatmaps | predicted skeleton
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.drawing.heatmaps import overlay_heatmaps
from posescope.drawing.images import DrawingError, check_rgb
from posescope.drawing.panels import fit_height
from posescope.drawing.sheets import picture_row
from posescope.drawing.skeletons import draw_skeleton
from posescope.drawing.strokes import draw_outline
from posescope.geometry.affine import apply_affine, invert_affine
from posescope.skeleton import Skeleton

__all__ = ["PersonStory", "picture_person_story"]

_SQUARE_RGB = (255, 225, 40)
_OPACITY = 0.75


@dataclass(frozen=True, eq=False)
class PersonStory:
    """One person at every stage. The last two are None where no network has run yet.

    Attributes:
        image: (H, W, 3) RGB, the photograph.
        joints: (K, 2) image px, NaN where unlabelled.
        visibility: (K,) 0..2.
        crop: (h, w, 3) RGB.
        crop_from_image: (2, 3) float64.
        target_heatmaps: (K, h', w') over the crop.
        predicted_heatmaps: likewise.
        predicted_joints: (K, 2) crop px.
    """

    image: NDArray[np.uint8]
    joints: NDArray[np.floating]
    visibility: NDArray[np.uint8]
    crop: NDArray[np.uint8]
    crop_from_image: NDArray[np.float64]
    target_heatmaps: NDArray[np.floating]
    predicted_heatmaps: NDArray[np.floating] | None = None
    predicted_joints: NDArray[np.floating] | None = None


def picture_person_story(story: PersonStory, skeleton: Skeleton, height_px: int = 256) -> NDArray[np.uint8]:
    """Draw a person's story: three panels without a network, five with one.

    Args:
        story: of one person.
        skeleton: of its K joints.
        height_px: of the panels.

    Returns:
        (H, W, 3) RGB.

    Raises:
        DrawingError: if an image is not RGB, or joints and skeleton do not belong together.
    """
    check_rgb(story.image, "photograph")
    check_rgb(story.crop, "crop")
    crop, panel_from_crop = fit_height(story.crop, height_px)
    truth = apply_affine(panel_from_crop, apply_affine(story.crop_from_image, story.joints))
    panels = {
        "photograph and crop square": _picture_photograph(story, skeleton, height_px),
        "crop and annotation": draw_skeleton(crop, truth, skeleton, story.visibility),
        "target heatmaps": overlay_heatmaps(crop, story.target_heatmaps, _OPACITY),
    }
    if story.predicted_heatmaps is not None:
        panels["the network's heatmaps"] = overlay_heatmaps(crop, story.predicted_heatmaps, _OPACITY)
    if story.predicted_joints is not None:
        predicted = apply_affine(panel_from_crop, story.predicted_joints)
        panels[_prediction_title(story)] = draw_skeleton(crop, predicted, skeleton)
    return picture_row(list(panels.values()), list(panels), height_px)


def _picture_photograph(story: PersonStory, skeleton: Skeleton, height_px: int) -> NDArray[np.uint8]:
    photograph, panel_from_image = fit_height(story.image, height_px)
    height, width = story.crop.shape[:2]
    edges = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    corners = apply_affine(panel_from_image, apply_affine(invert_affine(story.crop_from_image), edges))
    framed = draw_outline(draw_outline(photograph, corners, (20, 20, 20), 4), corners, _SQUARE_RGB, 2)
    return draw_skeleton(framed, apply_affine(panel_from_image, story.joints), skeleton, story.visibility, thickness_px=1.5)


def _prediction_title(story: PersonStory) -> str:
    if story.predicted_joints is None:
        raise DrawingError("A story without predicted joints has no prediction to name.")
    offsets = story.predicted_joints - apply_affine(story.crop_from_image, story.joints)
    errors = np.hypot(offsets[:, 0], offsets[:, 1])
    labelled = errors[np.isfinite(errors)]
    return f"prediction, mean error {labelled.mean():.1f} px of the crop" if labelled.size else "prediction"
