"""Predictions beside the annotations: the arrays that every metric reads, and the context of the persons in their images.

Coordinates come in two frames. Image px serve OKS, PCK and average precision. Crop px serve `pck_thesis`, whose grid is the
crop's. The crop coordinates of a network's predictions are those that its decoder returned; other coordinates are mapped by
`crop_from_image` and stored as float32, as the training targets are.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.joint_matching import joint_names_of
from posescope.core.skeleton import Skeleton
from posescope.core.tables import joints_of, matrices_of
from posescope.evaluation.bootstrap import ImageResamples, resample_images
from posescope.geometry.affine import apply_affine

__all__ = ["Cases", "Neighbours", "ScoredPersons", "find_neighbours", "gather_cases", "gather_scored", "keep_joints"]

_BOX = ["bbox_x", "bbox_y", "bbox_w", "bbox_h"]


@dataclass(frozen=True)
class ScoredPersons:
    """Predictions and annotations of N persons with K joints: the input of every metric.

    Attributes:
        person_ids, image_ids: (N,) int64.
        predicted: (N, K, 2) float64 image px; NaN for a person without prediction.
        predicted_crop: (N, K, 2) float64 crop px; NaN for a person without prediction or without crop.
        scores: (N, K) float64; NaN for a person without prediction.
        truth: (N, K, 2) float64 image px; NaN where unlabelled.
        truth_crop: (N, K, 2) float64 crop px; NaN where unlabelled, or without crop.
        visibility: (N, K) uint8, 0 unlabelled, 1 occluded, 2 visible.
        boxes: (N, 4) float64 x, y, w, h of the annotated boxes, image px, in the package's convention.
        areas: (N,) float64 px^2: COCO's area of the person (of its segment), the scale of OKS.
        crop_from_image: (N, 2, 3) float64; NaN for a person without crop.
        crop_size: (height, width) px of the crops.
        skeleton: names the K joints and holds their sigmas of OKS.
        result_scores: (N,) float64, the scores of another system's results; NaN for a person without prediction. None for a
            network's predictions: the score of a person is the mean of its joint scores.
    """

    person_ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    predicted: NDArray[np.float64]
    predicted_crop: NDArray[np.float64]
    scores: NDArray[np.float64]
    truth: NDArray[np.float64]
    truth_crop: NDArray[np.float64]
    visibility: NDArray[np.uint8]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    crop_from_image: NDArray[np.float64]
    crop_size: tuple[int, int]
    skeleton: Skeleton
    result_scores: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.person_ids)

    @property
    def person_scores(self) -> NDArray[np.float64]:
        """(N,) the score that ranks each person; NaN for a person without prediction."""
        return np.asarray(self.scores.mean(axis=1)) if self.result_scores is None else self.result_scores

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(N, K) True where a joint is labelled (visibility > 0)."""
        return self.visibility > 0

    @property
    def found(self) -> NDArray[np.bool_]:
        """(N,) False for a person without prediction."""
        return np.asarray(~np.isnan(self.predicted).all(axis=(1, 2)), dtype=np.bool_)

    @property
    def measurable_in_crop(self) -> NDArray[np.bool_]:
        """(N,) False for a person with a prediction but without a crop: whether its joints are correct in the crop is unknown."""
        return np.asarray(np.isfinite(self.crop_from_image).all(axis=(1, 2)) | ~self.found, dtype=np.bool_)


@dataclass(frozen=True)
class Neighbours:
    """P pairs of a scored person and another person of the same image.

    Attributes:
        rows: (P,) int64, the row of the scored person.
        joints: (P, K, 2) float64 image px of the other person; NaN where unlabelled.
        areas: (P,) float64 px^2 of the other person.
        boxes: (P, 4) float64 x, y, w, h px of the other person.
    """

    rows: NDArray[np.int64]
    joints: NDArray[np.float64]
    areas: NDArray[np.float64]
    boxes: NDArray[np.float64]


@dataclass(frozen=True)
class Cases:
    """The input of the error analysis.

    Attributes:
        scored: N scored persons.
        neighbours: other persons in their images.
        image_sizes: (N, 2) height and width px of their images.
        images: ids of all images of the evaluation, those without evaluated persons included, so that the bootstrap draws are
            those of the metrics. None: the images of the persons.
        sources: (N,) names of the data sets of the persons. None: there is a single one.
    """

    scored: ScoredPersons
    neighbours: Neighbours
    image_sizes: NDArray[np.int64]
    images: NDArray[np.int64] | None = None
    sources: NDArray[np.str_] | None = None

    def resample(self, seed: int, resamples: int) -> ImageResamples:
        """Draw images with replacement.

        Args:
            seed: random seed of the draws.
            resamples: number of draws.
        """
        return resample_images(self.scored.image_ids if self.images is None else self.images, seed, resamples)


def gather_scored(
    predictions: pd.DataFrame,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    crop_size: tuple[int, int],
    evaluated_ids: NDArray[np.int64] | None = None,
) -> ScoredPersons:
    """Join predictions and annotations, in ascending order of person_id.

    Args:
        predictions: a `Predictions` table. Without the columns crop_x and crop_y (another system's results) the crop coordinates
            are mapped from the image coordinates.
        persons, keypoints: `Persons` and `Keypoints` tables with every person of the split.
        crop_boxes: a `CropBoxes` table; persons who are not in it have no crop.
        skeleton: skeleton of the data set.
        crop_size: (height, width) px.
        evaluated_ids: person_id of the evaluated persons; those without prediction are added with NaN. None: the predicted
            persons.

    Raises:
        DataError: if the names of the joints in `keypoints` are not those of the skeleton.
    """
    names = joint_names_of(keypoints)
    if names and names != skeleton.joints:
        raise DataError(
            "The skeleton and the table of keypoints belong to different data. Joints of the skeleton: "
            f"{', '.join(skeleton.joints)}. Joints of the table: {', '.join(names)}. Run the pipeline data_engineering."
        )
    predicted_ids = np.unique(predictions["person_id"].to_numpy())
    person_ids = predicted_ids if evaluated_ids is None else np.union1d(predicted_ids, evaluated_ids)
    truth, rows = joints_of(keypoints, person_ids), persons.set_index("person_id").loc[person_ids]
    crop_from_image = matrices_of(crop_boxes.set_index("person_id").reindex(person_ids))
    found = _predicted_joints(predictions, person_ids, len(skeleton))
    predicted_crop = _to_crop(crop_from_image, found[..., :2])
    if "crop_x" in predictions:
        in_crop = predictions.assign(x=predictions["crop_x"], y=predictions["crop_y"])
        predicted_crop = _predicted_joints(in_crop, person_ids, len(skeleton))[..., :2]
    result_scores = None
    if "person_score" in predictions:
        result_scores = predictions.groupby("person_id")["person_score"].first().reindex(person_ids).to_numpy(dtype=np.float64)
    return ScoredPersons(
        person_ids=person_ids,
        image_ids=rows["image_id"].to_numpy(dtype=np.int64),
        predicted=found[..., :2],
        predicted_crop=predicted_crop,
        scores=found[..., 2],
        truth=truth[..., :2],
        truth_crop=_to_crop(crop_from_image, truth[..., :2]),
        visibility=truth[..., 2].astype(np.uint8),
        boxes=rows[_BOX].to_numpy(dtype=np.float64),
        areas=rows["area"].to_numpy(dtype=np.float64),
        crop_from_image=crop_from_image,
        crop_size=crop_size,
        skeleton=skeleton,
        result_scores=result_scores,
    )


def keep_joints(scored: ScoredPersons, names: Collection[str]) -> ScoredPersons:
    """Return the same persons with all other joints unlabelled, so that no metric counts them.

    Args:
        scored: N persons.
        names: names of the joints that count.
    """
    others = ~np.isin(scored.skeleton.joints, list(names))
    truth, truth_crop, visibility = scored.truth.copy(), scored.truth_crop.copy(), scored.visibility.copy()
    truth[:, others], truth_crop[:, others], visibility[:, others] = np.nan, np.nan, 0
    return replace(scored, truth=truth, truth_crop=truth_crop, visibility=visibility)


def find_neighbours(person_ids: NDArray[np.int64], persons: pd.DataFrame, keypoints: pd.DataFrame) -> Neighbours:
    """Return the other annotated persons in the images of the scored persons, crowds excluded.

    Args:
        person_ids: (N,) the scored persons.
        persons: a `Persons` table of all persons that were read, those without crop included. Images are identified by
            source_split and image_id, since an image_id may occur in train and in val.
        keypoints: a `Keypoints` table of the same persons.
    """
    image = ["source_split", "image_id"]
    scored = persons.set_index("person_id").loc[person_ids, image].reset_index().assign(row=np.arange(len(person_ids)))
    pairs = scored.merge(persons.loc[~persons["is_crowd"]], on=image, suffixes=("_scored", ""))
    pairs = pairs[pairs["person_id_scored"] != pairs["person_id"]]
    return Neighbours(
        rows=pairs["row"].to_numpy(dtype=np.int64),
        joints=joints_of(keypoints, pairs["person_id"].to_numpy(dtype=np.int64))[..., :2],
        areas=pairs["area"].to_numpy(dtype=np.float64),
        boxes=pairs[_BOX].to_numpy(dtype=np.float64),
    )


def gather_cases(
    predictions: pd.DataFrame,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    crop_size: tuple[int, int],
    evaluated_ids: NDArray[np.int64] | None = None,
) -> Cases:
    """Join predictions, annotations and the other persons of the same images.

    Args:
        predictions, crop_boxes, skeleton, crop_size, evaluated_ids: see `gather_scored`.
        persons, keypoints: tables of all persons that were read, those without crop included.
    """
    predicted_ids = np.unique(predictions["person_id"].to_numpy())
    ids = predicted_ids if evaluated_ids is None else np.union1d(predicted_ids, evaluated_ids)
    splits = persons.loc[persons["person_id"].isin(ids), "source_split"].unique()
    # Joints of other splits are dropped first: sorting millions of them takes seconds.
    near = persons[persons["source_split"].isin(splits)]
    joints = keypoints[keypoints["person_id"].isin(near["person_id"])]
    scored = gather_scored(predictions, near, joints, crop_boxes, skeleton, crop_size, evaluated_ids)
    rows = near.set_index("person_id").loc[scored.person_ids]
    sizes = rows[["image_h", "image_w"]].to_numpy(dtype=np.int64)
    sources = rows["source"].to_numpy(dtype=np.str_) if "source" in rows else None
    return Cases(scored, find_neighbours(scored.person_ids, near, joints), sizes, sources=sources)


def _predicted_joints(predictions: pd.DataFrame, person_ids: NDArray[np.int64], joint_count: int) -> NDArray[np.float64]:
    """Return (N, K, 3) x, y and score; NaN for persons who are not in the table."""
    joints = np.full((len(person_ids), joint_count, 3), np.nan)
    known = np.isin(person_ids, predictions["person_id"].to_numpy())
    if known.any():
        joints[known] = joints_of(predictions, person_ids[known])
    return joints


def _to_crop(crop_from_image: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map (N, K, 2) image px to crop px, in the precision of the stored targets."""
    return apply_affine(crop_from_image, points).astype(np.float32).astype(np.float64)
