"""Image grid of some persons with the circle of each joint, which contains its true place with the calibrated probability."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.artifacts.uncertainty import Uncertainty
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import joints_of
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.image_grids import draw_image_grid, resize_to_height
from posescope.drawing.photographs import PhotographMode
from posescope.drawing.rgb_images import PngImage
from posescope.drawing.strokes import Colour, draw_outline, draw_stroke
from posescope.drawing.text_rendering import BACKGROUND_RGB
from posescope.geometry.affine import apply_affine
from posescope.reporting.image_grids.person_examples import select_examples

__all__ = ["draw_joint_circles", "plain_ground"]

_PANEL_PX, _COLUMNS, _PERSONS = 300, 3, 6
_TRUSTED_RGB: Colour = (30, 144, 255)
_FLAGGED_RGB: Colour = (213, 94, 0)
_TRUTH_RGB: Colour = (255, 255, 255)
_RING_RGB: Colour = (0, 0, 0)
_CORNERS = np.stack([np.cos(angles := np.linspace(0, 2 * np.pi, 48, endpoint=False)), np.sin(angles)], axis=1)


def draw_joint_circles(
    person_scores: pd.DataFrame,
    predictions: pd.DataFrame,
    uncertainty: Uncertainty,
    flip_test: bool,
    crops: CropStore,
    targets: PoseTargets,
    skeleton: Skeleton,
    photographs: PhotographMode = "full",
) -> NDArray[np.uint8]:
    """Draw the predicted joints of six persons with their circles, and the annotated places as white dots.

    Circles of joints that are flagged as not to be trusted are orange, the others blue. Only labelled joints are drawn.

    Args:
        person_scores, predictions: `PersonScores` and `Predictions` of the persons; they are evenly spaced from the best to the
            worst PCK.
        uncertainty: radii of the model.
        flip_test: whether the predictions are those of a flip test.
        crops, targets: crops of the data set and their joints.
        skeleton: skeleton of the data.
        photographs: how photographs are shown.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    members = crops.select(targets, select_examples(person_scores, _PERSONS))
    ids = members.targets.person_ids
    found = joints_of(predictions.assign(x=predictions["crop_x"], y=predictions["crop_y"]), ids)
    radii = uncertainty.radius_table(skeleton.joints, flip_test).radii(found[..., 2], uncertainty.level)
    images = members.read_shown_images(np.arange(len(ids)), photographs)
    tiles = [
        _draw_person(images[row], found[row, :, :2], members.targets.joints[row], radii[row], uncertainty.distrust(radii[row]))
        for row in range(len(ids))
    ]
    labelled = members.targets.visibility > 0
    offset = np.linalg.norm(found[..., :2] - members.targets.joints, axis=2)
    inside = (labelled & (offset <= radii)).sum(axis=1)
    captions = [
        f"person {person}: {own} of {count} joints inside"
        for person, own, count in zip(ids.tolist(), inside.tolist(), labelled.sum(axis=1).tolist(), strict=True)
    ]
    return draw_image_grid(tiles, _COLUMNS, captions, (_PANEL_PX, _PANEL_PX), gap_px=8)


def plain_ground() -> PngImage:
    """Return a plain panel, for a model without radii."""
    return PngImage(np.full((_PANEL_PX, _PANEL_PX, 3), BACKGROUND_RGB, dtype=np.uint8), {})


def _draw_person(
    crop: NDArray[np.uint8],
    predicted: NDArray[np.float64],
    truth: NDArray[np.float32],
    radii: NDArray[np.float64],
    flagged: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    panel, panel_from_crop = resize_to_height(crop, _PANEL_PX)
    scale = float(np.sqrt(abs(np.linalg.det(panel_from_crop[:, :2]))))
    centres, places = (apply_affine(panel_from_crop, points.astype(np.float64)) for points in (predicted, truth))
    # Large circles first, so that they hide no small one; joints that are not labelled are left out.
    order = [joint for joint in np.argsort(-np.nan_to_num(radii), kind="stable") if not np.isnan(places[joint]).any()]
    colours = [_FLAGGED_RGB if flag else _TRUSTED_RGB for flag in flagged]
    for joint in order:
        if np.isfinite(radii[joint]):
            panel = draw_outline(panel, centres[joint] + scale * radii[joint] * _CORNERS, colours[joint], 2)
    canvas = np.ascontiguousarray(panel.copy())
    for joint in order:
        draw_stroke(canvas, centres[joint], centres[joint], 2.5, colours[joint])
        for radius_px, colour in ((3.6, _RING_RGB), (2.6, _TRUTH_RGB)):
            draw_stroke(canvas, places[joint], places[joint], radius_px, colour)
    return canvas
