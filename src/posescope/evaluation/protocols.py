"""Whom the figures are about: everybody labelled, or those who were cropped; and how another system's results meet them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.core.tables import Predictions, images_of, join_joints, joints_of
from posescope.evaluation.metric_values import Protocol
from posescope.evaluation.metrics.base import MetricError
from posescope.evaluation.metrics.oks import person_oks
from posescope.evaluation.result_validation import check_results

__all__ = ["annotations_to_find", "images_to_evaluate", "match_results", "select_evaluated_persons"]


def select_evaluated_persons(
    protocol: Protocol,
    split: str,
    persons_read: pd.DataFrame,
    keypoints: pd.DataFrame,
    persons: pd.DataFrame,
    cropped: pd.DataFrame,
) -> pd.DataFrame:
    """Who counts in the figures a person: rows of a `Persons` table, of this split, in ascending order of person_id.

    Args:
        protocol: `crops`: those who have a crop. `coco`: everybody with a labelled joint, crowds aside, as COCO's evaluation
            has it: whoever was filtered away, could not be squared or lies in an unreadable image is there too.
        split: train, val or test.
        persons_read: everybody in the annotation files.
        keypoints: of everybody in the annotation files.
        persons: those of all splits who were to be cropped. Somebody discarded belongs to the split of the others in the image,
            or, where there is nobody else, to that of the annotation file: an image without them is never in the test set.
        cropped: those of them who have a crop: whose image could be read.
    """
    if protocol == "crops":
        return cropped[cropped["split"] == split].sort_values("person_id").reset_index(drop=True)
    labelled = keypoints.loc[keypoints["visibility"] > 0, "person_id"].unique()
    everybody = persons_read[persons_read["person_id"].isin(labelled) & ~persons_read["is_crowd"]]
    # Not of `cropped`: a test image that cannot be read stays a test image, as for average precision.
    split_of_image = persons.drop_duplicates(["source_split", "image_id"]).set_index(["source_split", "image_id"])["split"]
    images = pd.MultiIndex.from_frame(everybody[["source_split", "image_id"]])
    splits = split_of_image.reindex(images).to_numpy()
    chosen = everybody.assign(split=np.where(pd.isna(splits), everybody["split"], splits))
    return chosen[chosen["split"] == split].sort_values("person_id").reset_index(drop=True)


def images_to_evaluate(split: str, persons: pd.DataFrame) -> NDArray[np.int64] | None:
    """Ids of the images that average precision is taken over.

    Args:
        split: val: None, all images of the annotation file, those without people included. test: those that the test persons were
            drawn with, readable or not.
        persons: those of all splits who were to be cropped.
    """
    return images_of(persons, split) if split == "test" else None


def annotations_to_find(protocol: Protocol, wanted: pd.DataFrame) -> list[int] | None:
    """Ids of the annotations whose people AP wants: of a `Persons` table for `crops`; None, everybody, for `coco`."""
    return None if protocol == "coco" else [int(annotation) for annotation in wanted["annotation_id"]]


def match_results(
    results: Sequence[Mapping[str, Any]], wanted: pd.DataFrame, keypoints: pd.DataFrame, skeleton: Skeleton
) -> pd.DataFrame:
    """Each person's own result: the one of the same image with the highest OKS, whatever its score.

    The match is kind: several people may be given the same result, and a result that nobody is given costs nothing (average
    precision, beside it, punishes both). Among equals the first counts.

    Args:
        results: COCO keypoint results; those of other categories and other images are left out. They are checked one by one, and
            a `file_name` decides over `image_id` (`check_results`).
        wanted: a `Persons` table.
        keypoints: of these persons at least.
        skeleton: of the data.

    Returns:
        A `Predictions` table, image px, without the persons in whose image nothing was found. `person_score` is the result's
        own score; a joint's score is the third number of its keypoint, which in many files is a flag and says little.

    Raises:
        MetricError: if a result is faulty, or if none is of an image with somebody who counts.
    """
    points, scores, images = _result_arrays(results, wanted, skeleton)
    person_ids = wanted["person_id"].to_numpy(dtype=np.int64)
    truth, areas = joints_of(keypoints, person_ids), wanted["area"].to_numpy(dtype=np.float64)
    order = np.argsort(images, kind="stable")
    first = np.searchsorted(images[order], wanted["image_id"], side="left")
    last = np.searchsorted(images[order], wanted["image_id"], side="right")
    if not (last > first).any():
        raise MetricError(
            f"COCO results: none of the {len(results)} records is of category {skeleton.category_id} and of an image with one of "
            f"the {len(wanted)} persons who count: there is nothing to score. Check image_id and category_id."
        )
    # One row a pair of a person and a result of the same image.
    people = np.repeat(np.arange(len(person_ids)), last - first)
    pairs = order[np.arange(len(people)) - np.repeat(np.cumsum(last - first) - last, last - first)]
    visibility = truth[people, :, 2].astype(np.uint8)
    similarity = person_oks(points[pairs, :, :2], truth[people, :, :2], visibility, areas[people], skeleton.oks_sigmas)
    ranked = np.lexsort((pairs, -similarity, people))
    matched, best = np.unique(people[ranked], return_index=True)
    chosen = pairs[ranked[best]]
    own = points[chosen]
    table = join_joints(person_ids[matched], own[..., :2], own[..., 2].astype(np.float32), "score")
    return pd.DataFrame(Predictions.validate(table.assign(person_score=np.repeat(scores[chosen], len(skeleton)))))


def _result_arrays(results: Sequence[Mapping[str, Any]], wanted: pd.DataFrame, skeleton: Skeleton) -> tuple[Any, Any, Any]:
    """(R, K, 3) keypoints, (R,) scores and (R,) image ids of the results of this category, in images with people who count."""
    images = [{"id": image, "file_name": name} for image, name in set(zip(wanted["image_id"], wanted["file_name"], strict=True))]
    own = check_results(results, len(skeleton), skeleton.category_id, images, other_images=True)
    points = np.array([result["keypoints"] for result in own], dtype=np.float64).reshape(-1, len(skeleton), 3)
    scores = np.array([result["score"] for result in own], dtype=np.float64)
    return points, scores, np.array([result["image_id"] for result in own], dtype=np.int64)
