"""Per-joint tables: the localisation error of each joint, and the hits of each joint of each person."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.metrics.oks import joint_oks
from posescope.evaluation.metrics.pck_thesis import joint_hits
from posescope.evaluation.scored_persons import ScoredPersons
from posescope.evaluation.table_schemas import JointHits

__all__ = ["joint_error_table", "tabulate_joint_hits"]

_COLUMNS = ("joint", "visibility", "persons", "not_found", "labelled", "mean_error_px", "normalised_mean_error")
_GROUPS = {"occluded": (1,), "visible": (2,), "all": (1, 2)}


def joint_error_table(scored: ScoredPersons) -> pd.DataFrame:
    """Return the mean localisation error of every joint, over occluded, visible and all labelled joints.

    Args:
        scored: N persons.

    Returns:
        3 K rows. Columns: joint (name), visibility ("occluded", "visible", "all"), persons (with this joint labelled), not_found
        (those of them without prediction, and so without error), labelled (joints that the means are over), mean_error_px (image
        px), normalised_mean_error (fraction of the longer side of the person's box). Means are NaN where `labelled` is 0.
    """
    offset = scored.predicted - scored.truth
    errors: NDArray[np.float64] = np.hypot(offset[..., 0], offset[..., 1])
    relative = errors / scored.boxes[:, 2:].max(axis=1, initial=0.0)[:, None]
    rows = []
    for joint, name in enumerate(scored.skeleton.joints):
        for group, kinds in _GROUPS.items():
            labelled = np.isin(scored.visibility[:, joint], kinds)
            known = labelled & scored.found
            means = [float(values[known, joint].mean()) if known.any() else float("nan") for values in (errors, relative)]
            rows.append((name, group, int(labelled.sum()), int((labelled & ~scored.found).sum()), int(known.sum()), *means))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def tabulate_joint_hits(scored: ScoredPersons) -> pd.DataFrame:
    """Return one row per labelled joint and person. Every run keeps this table for comparisons of runs joint by joint.

    Args:
        scored: N persons.

    Returns:
        A `JointHits` table. A person without prediction has similarity 0 and no hit. A person with a prediction but without a
        crop has an unknown hit (NaN), as in `pck_thesis`.
    """
    hits, similarities = joint_hits(scored), joint_oks(scored)
    persons, joints = np.nonzero(scored.labelled)
    table = pd.DataFrame(
        {
            "person_id": scored.person_ids[persons],
            "image_id": scored.image_ids[persons],
            "joint": np.asarray(scored.skeleton.joints, dtype=object)[joints],
            "visibility": scored.visibility[persons, joints],
            "x": scored.truth[persons, joints, 0].astype(np.float32),
            "y": scored.truth[persons, joints, 1].astype(np.float32),
            "oks": np.nan_to_num(similarities[persons, joints]),
            "pck_thesis": hits[persons, joints],
        }
    )
    return pd.DataFrame(JointHits.validate(table))
