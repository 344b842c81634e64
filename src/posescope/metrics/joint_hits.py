"""What each joint of each person scored: kept for every run, so that runs can be compared joint by joint."""

import numpy as np
import pandas as pd

from posescope.geometry.affine import apply_affine
from posescope.metrics.oks import joint_similarities
from posescope.metrics.pck_thesis import pck_thesis_hits
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
        A `JointHits` table. A joint without a prediction has similarity 0 and is no hit.
    """
    # Rounded as the metric `pck_thesis` does: the way from crop to image and back must not decide a half cell.
    predicted = apply_affine(scored.crop_from_image, scored.predicted).round(6)
    truth = apply_affine(scored.crop_from_image, scored.truth).round(6)
    hits = pck_thesis_hits(predicted, truth, scored.visibility, scored.crop_size)
    similarities = joint_similarities(scored.predicted, scored.truth, scored.areas, skeleton.oks_sigmas)
    persons, joints = np.nonzero(scored.labelled)
    table = pd.DataFrame(
        {
            "person_id": scored.person_ids[persons],
            "image_id": scored.image_ids[persons],
            "joint": np.asarray(skeleton.joints, dtype=object)[joints],
            "visibility": scored.visibility[persons, joints],
            "oks": np.nan_to_num(similarities[persons, joints]),
            "pck_thesis": hits[persons, joints],
        }
    )
    return pd.DataFrame(JointHits.validate(table))
