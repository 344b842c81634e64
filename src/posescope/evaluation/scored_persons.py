"""Bring predictions and truth together: tables in, the arrays that every metric reads out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.joint_matching import joint_names_of
from posescope.core.records import ScoredPersons
from posescope.core.skeleton import Skeleton
from posescope.core.tables import joints_of, matrices_of
from posescope.evaluation.metrics.pck_thesis import pck_thesis_hits
from posescope.geometry.affine import apply_affine

__all__ = ["check_names", "gather_scored", "Cases", "Neighbours", "find_neighbours", "gather_cases", "thesis_hits"]


def check_names(skeleton: Skeleton, keypoints: pd.DataFrame) -> None:
    """Check that a skeleton and a table of keypoints are of the same data: the same names in the same order.

    Raises:
        DataError: if they are not. A table without names or without rows is not checked.
    """
    names = joint_names_of(keypoints)
    if names and names != skeleton.joints:
        raise DataError(
            "The skeleton and the table of keypoints are of different data. Joints of the skeleton: "
            f"{', '.join(skeleton.joints)}. Joints of the table: {', '.join(names)}. Run the pipeline data_engineering."
        )


def gather_scored(
    predictions: pd.DataFrame,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    crop_size: tuple[int, int],
    wanted: NDArray[np.int64] | None = None,
) -> ScoredPersons:
    """Predicted persons beside their annotation, in ascending order of person_id.

    Args:
        predictions: a `Predictions` table, image px.
        persons, keypoints: tables that have every person.
        crop_boxes: of somebody who is not in it, the map into the crop is NaN.
        skeleton: of the data.
        crop_size: (height, width) px.
        wanted: ids of those who ought to be there: whoever of them has no prediction was missed, and stands there with NaN
            as prediction; none: nobody was missed.

    Raises:
        DataError: if the table of keypoints names its joints, and not as the skeleton does.
    """
    check_names(skeleton, keypoints)
    predicted_ids = np.unique(predictions["person_id"].to_numpy())
    person_ids = predicted_ids if wanted is None else np.union1d(predicted_ids, wanted)
    truth = joints_of(keypoints, person_ids)
    found = np.full(truth.shape, np.nan)
    if len(predicted_ids):
        found[np.isin(person_ids, predicted_ids)] = joints_of(predictions, predicted_ids)
    rows = persons.set_index("person_id").loc[person_ids]
    result_scores = None
    if "person_score" in predictions:
        result_scores = predictions.groupby("person_id")["person_score"].first().reindex(person_ids).to_numpy(dtype=np.float64)
    return ScoredPersons(
        person_ids=person_ids,
        image_ids=rows["image_id"].to_numpy(dtype=np.int64),
        predicted=found[..., :2],
        scores=found[..., 2],
        truth=truth[..., :2],
        visibility=truth[..., 2].astype(np.uint8),
        boxes=rows[["bbox_x", "bbox_y", "bbox_w", "bbox_h"]].to_numpy(dtype=np.float64),
        areas=rows["area"].to_numpy(dtype=np.float64),
        crop_from_image=matrices_of(crop_boxes.set_index("person_id").reindex(person_ids)),
        crop_size=crop_size,
        oks_sigmas=skeleton.oks_sigmas,
        joint_names=skeleton.joints,
        result_scores=result_scores,
    )


# MERGED from cases: Scored persons together with all that is needed to say where a model fails: who else is in their
# image, and its size.


@dataclass(frozen=True)
class Neighbours:
    """Pairs of a scored person and another one of the same image, P in all.

    Attributes:
        rows: (P,) int64: the row of the scored person.
        joints: (P, K, 2) float64 image px of the other; NaN where unlabelled.
        areas: (P,) float64 px^2 of the other.
        boxes: (P, 4) float64 x, y, w, h px of the other.
    """

    rows: NDArray[np.int64]
    joints: NDArray[np.float64]
    areas: NDArray[np.float64]
    boxes: NDArray[np.float64]


@dataclass(frozen=True)
class Cases:
    """N scored persons, their neighbours, and the (N, 2) height and width px of their images."""

    scored: ScoredPersons
    neighbours: Neighbours
    image_sizes: NDArray[np.int64]


def find_neighbours(person_ids: NDArray[np.int64], persons: pd.DataFrame, keypoints: pd.DataFrame) -> Neighbours:
    """Who else is annotated in the images of some persons; crowds are nobody.

    Args:
        person_ids: (N,) the scored persons.
        persons: a `Persons` table of everybody that was read, also of those without a crop. Images are told apart by file of
            annotations and image_id, for the same number may stand in train and in val.
        keypoints: a `Keypoints` table that has them.
    """
    image = ["source_split", "image_id"]
    scored = persons.set_index("person_id").loc[person_ids, image].reset_index().assign(row=np.arange(len(person_ids)))
    people = persons.loc[~persons["is_crowd"]]
    pairs = scored.merge(people, on=image, suffixes=("_scored", ""))
    pairs = pairs[pairs["person_id_scored"] != pairs["person_id"]]
    return Neighbours(
        rows=pairs["row"].to_numpy(dtype=np.int64),
        joints=joints_of(keypoints, pairs["person_id"].to_numpy(dtype=np.int64))[..., :2],
        areas=pairs["area"].to_numpy(dtype=np.float64),
        boxes=pairs[["bbox_x", "bbox_y", "bbox_w", "bbox_h"]].to_numpy(dtype=np.float64),
    )


def gather_cases(
    predictions: pd.DataFrame,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    crop_size: tuple[int, int],
    wanted: NDArray[np.int64] | None = None,
) -> Cases:
    """As `gather_scored`, with the surroundings; `persons` is the table of everybody that was read."""
    predicted_ids = np.unique(predictions["person_id"].to_numpy())
    ids = predicted_ids if wanted is None else np.union1d(predicted_ids, wanted)
    splits = persons.loc[persons["person_id"].isin(ids), "source_split"].unique()
    # Millions of joints of other splits need not be sorted.
    near = persons[persons["source_split"].isin(splits)]
    joints = keypoints[keypoints["person_id"].isin(near["person_id"])]
    scored = gather_scored(predictions, near, joints, crop_boxes, skeleton, crop_size, wanted)
    sizes = near.set_index("person_id").loc[scored.person_ids, ["image_h", "image_w"]].to_numpy(dtype=np.int64)
    return Cases(scored, find_neighbours(scored.person_ids, near, joints), sizes)


def thesis_hits(scored: ScoredPersons) -> NDArray[np.float64]:
    """(N, K): 1 where a joint is right as `pck_thesis` counts it, 0 where wrong, NaN where unlabelled.

    Somebody who was missed has hit nothing; who was found but has no crop cannot be measured (NaN).
    """
    # As there: the way from crop to image and back must not decide the rounding of a half cell.
    predicted = apply_affine(scored.crop_from_image, scored.predicted).round(6)
    target = apply_affine(scored.crop_from_image, scored.truth).round(6)
    hits = pck_thesis_hits(predicted, target, scored.visibility, scored.crop_size)
    known = np.isfinite(scored.crop_from_image).all(axis=(1, 2)) | ~scored.found
    return np.where(scored.labelled & known[:, None], hits.astype(np.float64), np.nan)
