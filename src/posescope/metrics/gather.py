"""Bring predictions and truth together: tables in, the arrays that every metric reads out."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.errors import DataError
from posescope.joint_map import joint_names_of
from posescope.records import ScoredPersons
from posescope.skeleton import Skeleton
from posescope.tables import joints_of, matrices_of

__all__ = ["check_names", "gather_scored"]


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
    own_scores = None
    if "person_score" in predictions:
        own_scores = predictions.groupby("person_id")["person_score"].first().reindex(person_ids).to_numpy(dtype=np.float64)
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
        own_scores=own_scores,
    )
