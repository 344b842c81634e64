"""Image grid of the persons with the lowest OKS: annotation (left) and prediction (right)."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import joints_of, matrices_of
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.image_grids import draw_image_grid, resize_to_height
from posescope.drawing.photographs import PhotographMode
from posescope.drawing.skeletons import draw_skeleton
from posescope.evaluation.error_analysis.error_types import ERROR_TYPES
from posescope.geometry.affine import apply_affine

__all__ = ["select_worst", "describe_errors", "draw_worst_persons"]

_PANEL_PX, _GAP_PX, _COLUMNS = 168, 2, 4
_GAP_GREY = 236


def select_worst(person_scores: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the rows with the lowest OKS, worst first; ties are sorted by PCK, then by id.

    Args:
        person_scores: a `PersonScores` table with pck_thesis and, optionally, oks; persons without labels are ignored.
        count: maximum number of rows.
    """
    order = [name for name in ("oks", "pck_thesis") if name in person_scores.columns]
    known = person_scores.dropna(subset=order)
    return known.sort_values([*order, "person_id"], kind="stable").head(count)


def describe_errors(types: pd.Series) -> str:
    """Return the counts of a person's error types, worst type first: "5 miss, 1 swap"; "no errors" if all joints are good."""
    counts = types.value_counts()
    parts = [f"{counts[kind]} {kind}" for kind in reversed(ERROR_TYPES[1:]) if kind in counts.index]
    return ", ".join(parts) if parts else "no errors"


def draw_worst_persons(
    person_scores: pd.DataFrame,
    joint_errors: pd.DataFrame,
    predictions: pd.DataFrame,
    crops: CropStore,
    targets: PoseTargets,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    count: int,
    photographs: PhotographMode = "full",
) -> NDArray[np.uint8]:
    """Draw the crops of the worst persons, with annotation and with prediction.

    Args:
        person_scores, joint_errors, predictions: tables of the scored persons; predictions are in image px.
        crops, targets, crop_boxes: crops of the data set, their joints and boxes.
        skeleton: joints and limbs.
        count: maximum number of persons.
        photographs: how photographs are shown.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    # Only persons with a crop and a prediction can be drawn.
    shown = np.intersect1d(crops.person_ids(), predictions["person_id"].to_numpy())
    chosen = select_worst(person_scores[person_scores["person_id"].isin(shown)], count)
    members = crops.select(targets, chosen["person_id"].to_numpy(dtype=np.int64))
    ids = members.targets.person_ids
    images = members.read_shown_images(np.arange(len(ids)), photographs)
    in_image = joints_of(predictions, ids)[..., :2]
    predicted = apply_affine(matrices_of(crop_boxes.set_index("person_id").loc[ids]), in_image)
    errors = joint_errors[joint_errors["person_id"].isin(ids)].groupby("person_id")["type"]
    errors_of = {person: describe_errors(types) for person, types in errors}
    scores = chosen.set_index("person_id")
    tiles = [
        _draw_pair(images[row], members.targets.joints[row], members.targets.visibility[row], predicted[row], skeleton)
        for row in range(len(ids))
    ]
    captions = [f"person {person}: {_scores(scores.loc[person])}\n{errors_of[person]}" for person in ids.tolist()]
    return draw_image_grid(tiles, _COLUMNS, captions, (_PANEL_PX, 2 * _PANEL_PX + _GAP_PX), gap_px=8)


def _scores(row: pd.Series) -> str:
    names = {"oks": "OKS", "pck_thesis": "PCK"}
    return ", ".join(f"{title} {row[name]:.2f}" for name, title in names.items() if name in row.index)


def _draw_pair(
    crop: NDArray[np.uint8],
    truth: NDArray[np.float32],
    visibility: NDArray[np.uint8],
    predicted: NDArray[np.float64],
    skeleton: Skeleton,
) -> NDArray[np.uint8]:
    panel, panel_from_crop = resize_to_height(crop, _PANEL_PX)
    left = draw_skeleton(panel, apply_affine(panel_from_crop, truth), skeleton, visibility, thickness_px=1.5)
    right = draw_skeleton(panel, apply_affine(panel_from_crop, predicted), skeleton, thickness_px=1.5)
    gap = np.full((_PANEL_PX, _GAP_PX, 3), _GAP_GREY, dtype=np.uint8)
    return np.concatenate([left, gap, right], axis=1)
