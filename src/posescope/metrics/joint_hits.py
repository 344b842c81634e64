"""What each joint of each person scored: kept for every run, so that runs can be compared joint by joint."""

import numpy as np
import pandas as pd

from posescope.metrics.cases import thesis_hits
from posescope.metrics.oks import joint_similarities
from posescope.records import ScoredPersons
from posescope.skeleton import Skeleton
from posescope.tables import JointHits

__all__ = ["tabulate_joint_hits"]


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
