"""How far off each joint is, by visibility: a table for people to read."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.records import ScoredPersons
from posescope.core.skeleton import Skeleton
from posescope.core.tables import JointHits
from posescope.evaluation.metrics.oks import joint_similarities
from posescope.evaluation.scored_persons import thesis_hits

__all__ = ["JOINT_ERROR_COLUMNS", "joint_error_table", "joint_errors", "tabulate_joint_hits"]

JOINT_ERROR_COLUMNS = ("joint", "visibility", "persons", "not_found", "labelled", "mean_error_px", "normalised_mean_error")
_GROUPS = {"occluded": (1,), "visible": (2,), "all": (1, 2)}


def joint_errors(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K, 2) px twice, in one frame -> (N, K) distances in px; NaN where either is missing."""
    offset = predicted - truth
    distances: NDArray[np.float64] = np.hypot(offset[..., 0], offset[..., 1])
    return distances


def joint_error_table(scored: ScoredPersons, joint_names: Sequence[str]) -> pd.DataFrame:
    """Mean error of every joint, over hidden, visible and all labelled places.

    Args:
        scored: N persons.
        joint_names: (K,) names in the skeleton's order.

    Returns:
        3 K rows. Columns: joint (name), visibility ("hidden", "visible", "all"), persons (who have such a place labelled),
        not_found (how many of them have no prediction, and so no distance), labelled (places that the means are over),
        mean_error_px (image px), mean_error_of_box (as a share of the longer side of the person's box). Means are NaN where
        `labelled` is 0.
    """
    errors = joint_errors(scored.predicted, scored.truth)
    relative = errors / scored.boxes[:, 2:].max(axis=1, initial=0.0)[:, None]
    rows = [
        _row(name, group, np.isin(scored.visibility[:, joint], kinds), scored.found, errors[:, joint], relative[:, joint])
        for joint, name in enumerate(joint_names)
        for group, kinds in _GROUPS.items()
    ]
    return pd.DataFrame(rows, columns=list(JOINT_ERROR_COLUMNS))


def _row(
    name: str,
    group: str,
    labelled: NDArray[np.bool_],
    found: NDArray[np.bool_],
    errors: NDArray[np.float64],
    relative: NDArray[np.float64],
) -> tuple[str, str, int, int, int, float, float]:
    known = labelled & found
    means = [float(values[known].mean()) if known.any() else float("nan") for values in (errors, relative)]
    return name, group, int(labelled.sum()), int((labelled & ~found).sum()), int(known.sum()), means[0], means[1]


# MERGED from joint_hits: What each joint of each person scored: kept for every run, so that runs can be compared joint by
# joint.


def tabulate_joint_hits(scored: ScoredPersons, skeleton: Skeleton) -> pd.DataFrame:
    """A row a labelled joint: persons in their order, joints in the skeleton's; unlabelled joints have no row.

    Args:
        scored: N persons with the K joints of the skeleton.
        skeleton: names the joints and has the tolerances of OKS.

    Returns:
        A `JointHits` table. A joint without a prediction has similarity 0 and is no hit, so somebody who was missed has 0
        throughout; of somebody who was found and has no crop nobody knows the hit (NaN), as in `pck_thesis`.
    """
    hits = thesis_hits(scored)
    similarities = joint_similarities(scored.predicted, scored.truth, scored.areas, skeleton.oks_sigmas)
    persons, joints = np.nonzero(scored.labelled)
    table = pd.DataFrame(
        {
            "person_id": scored.person_ids[persons],
            "image_id": scored.image_ids[persons],
            "joint": np.asarray(skeleton.joints, dtype=object)[joints],
            "visibility": scored.visibility[persons, joints],
            "x": scored.truth[persons, joints, 0].astype(np.float32),
            "y": scored.truth[persons, joints, 1].astype(np.float32),
            "oks": np.nan_to_num(similarities[persons, joints]),
            "pck_thesis": hits[persons, joints],
        }
    )
    return pd.DataFrame(JointHits.validate(table))
