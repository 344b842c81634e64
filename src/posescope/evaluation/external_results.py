"""COCO keypoint results of another system: read a file, and match its results to the annotated persons."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from posescope.core.errors import DataError
from posescope.core.files import read_json
from posescope.core.skeleton import Skeleton
from posescope.core.tables import Predictions, join_joints, joints_of
from posescope.evaluation.metrics.base import MetricError
from posescope.evaluation.metrics.oks import person_oks

__all__ = ["match_results", "read_results"]


def read_results(path: Path) -> list[dict[str, Any]]:
    """Read a JSON file of COCO results. Its records are not checked yet (see `check_results`).

    Raises:
        DataError: if the file is missing, not JSON, or not a list.
    """
    try:
        content = read_json(path, strict=False)
    except DataError as error:
        raise DataError(f"{error} Expected a JSON file of COCO keypoint results: see evaluation.results.") from error
    if not isinstance(content, list) or (content and not any(isinstance(record, dict) for record in content)):
        raise DataError(f"{path}: expected COCO keypoint results, a list of records, found {type(content).__name__}.")
    return content


def match_results(
    results: Sequence[Mapping[str, Any]], evaluated_persons: pd.DataFrame, keypoints: pd.DataFrame, skeleton: Skeleton
) -> pd.DataFrame:
    """Match each person to the result of the same image with the highest OKS, whatever its score.

    The match is lenient: several persons may get the same result, and an unmatched result costs nothing. Average precision,
    computed beside it, penalises both. Of equal results the first is taken.

    Args:
        results: COCO keypoint results, as returned by `check_results`; those of other images are ignored.
        evaluated_persons: a `Persons` table.
        keypoints: a `Keypoints` table that holds these persons.
        skeleton: skeleton of the data set.

    Returns:
        A `Predictions` table in image px, without the persons whose image has no result. `person_score` is the score of the
        result; the score of a joint is the third number of its keypoint, which is a flag in many files.

    Raises:
        MetricError: if no result is of an image with an evaluated person.
    """
    points = np.array([result["keypoints"] for result in results], dtype=np.float64).reshape(-1, len(skeleton), 3)
    scores = np.array([result["score"] for result in results], dtype=np.float64)
    images = np.array([result["image_id"] for result in results], dtype=np.int64)
    person_ids = evaluated_persons["person_id"].to_numpy(dtype=np.int64)
    truth, areas = joints_of(keypoints, person_ids), evaluated_persons["area"].to_numpy(dtype=np.float64)
    # One row per pair of a person and a result of the same image.
    image_of_person = pd.DataFrame({"image_id": evaluated_persons["image_id"].to_numpy(), "row": np.arange(len(person_ids))})
    image_of_result = pd.DataFrame({"image_id": images, "result": np.arange(len(images))})
    joined = image_of_person.merge(image_of_result, on="image_id")
    if joined.empty:
        raise MetricError(
            f"COCO results: expected records of category {skeleton.category_id} in the images of the {len(evaluated_persons)} "
            f"evaluated persons, found none among {len(results)} records. Check image_id and category_id."
        )
    rows, pairs = joined["row"].to_numpy(), joined["result"].to_numpy()
    visibility = truth[rows, :, 2].astype(np.uint8)
    similarity = person_oks(points[pairs, :, :2], truth[rows, :, :2], visibility, areas[rows], skeleton.oks_sigmas)
    ranked = np.lexsort((pairs, -similarity, rows))
    matched, best = np.unique(rows[ranked], return_index=True)
    chosen = pairs[ranked[best]]
    joints = points[chosen]
    table = join_joints(person_ids[matched], joints[..., :2], joints[..., 2].astype(np.float32), "score")
    return pd.DataFrame(Predictions.validate(table.assign(person_score=np.repeat(scores[chosen], len(skeleton)))))
