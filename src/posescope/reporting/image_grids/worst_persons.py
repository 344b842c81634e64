"""The persons on whom the model fails most, as a contact sheet: what is there (left) and what it says (right)."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import joints_of, matrices_of
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.image_grids import draw_image_grid, resize_to_height
from posescope.drawing.skeletons import draw_skeleton
from posescope.evaluation.error_analysis.error_types import ERROR_TYPES
from posescope.geometry.affine import apply_affine

__all__ = ["select_worst", "describe_errors", "draw_worst_persons"]

_PANEL_PX, _GAP_PX, _COLUMNS = 168, 2, 4
_GAP_GREY = 236


def select_worst(person_scores: pd.DataFrame, count: int) -> pd.DataFrame:
    """The `count` rows with the lowest OKS, the worst first; equal ones by PCK, then by id. Who has no label is left out.

    Args:
        person_scores: a `PersonScores` table with pck_thesis; without a column oks (the metric is not chosen) PCK alone decides.
        count: fewer where there are fewer.
    """
    order = [name for name in ("oks", "pck_thesis") if name in person_scores.columns]
    known = person_scores.dropna(subset=order)
    return known.sort_values([*order, "person_id"], kind="stable").head(count)


def describe_errors(types: pd.Series) -> str:
    """One person's types of errors in words, the gravest first: "5 miss, 1 swap"; "no errors" where all are good."""
    counts = types.value_counts()
    said = [f"{counts[kind]} {kind}" for kind in reversed(ERROR_TYPES[1:]) if kind in counts.index]
    return ", ".join(said) if said else "no errors"


def draw_worst_persons(
    person_scores: pd.DataFrame,
    joint_errors: pd.DataFrame,
    predictions: pd.DataFrame,
    crops: CropStore,
    targets: PoseTargets,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    count: int,
) -> NDArray[np.uint8]:
    """The worst persons: the crop with the annotation, and beside it with the prediction.

    Args:
        person_scores, joint_errors, predictions: tables of the scored persons; predictions in image px.
        crops, targets, crop_boxes: of a run that has them.
        skeleton: of the data.
        count: persons, at most.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    # Who has no crop, or no prediction, cannot be shown.
    shown = np.intersect1d(crops.person_ids(), predictions["person_id"].to_numpy())
    chosen = select_worst(person_scores[person_scores["person_id"].isin(shown)], count)
    members = crops.select(targets, chosen["person_id"].to_numpy(dtype=np.int64))
    ids = members.targets.person_ids
    images = members.read_images(np.arange(len(ids)))
    in_image = joints_of(predictions, ids)[..., :2]
    predicted = apply_affine(matrices_of(crop_boxes.set_index("person_id").loc[ids]), in_image)
    errors = joint_errors[joint_errors["person_id"].isin(ids)].groupby("person_id")["type"]
    said = {person: describe_errors(types) for person, types in errors}
    figures = chosen.set_index("person_id")
    tiles = [
        _picture_pair(images[row], members.targets.joints[row], members.targets.visibility[row], predicted[row], skeleton)
        for row in range(len(ids))
    ]
    captions = [f"person {person}: {_figures(figures.loc[person])}\n{said[person]}" for person in ids.tolist()]
    return draw_image_grid(tiles, _COLUMNS, captions, (_PANEL_PX, 2 * _PANEL_PX + _GAP_PX), gap_px=8)


def _figures(row: pd.Series) -> str:
    names = {"oks": "OKS", "pck_thesis": "PCK"}
    return ", ".join(f"{title} {row[name]:.2f}" for name, title in names.items() if name in row.index)


def _picture_pair(
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
