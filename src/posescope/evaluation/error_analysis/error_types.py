"""Types of localisation error (Ronchi and Perona, ICCV 2017).

    ks(p, place) = exp(-d^2 / (2 s^2 k^2))     d: distance; s^2: area of the person at that place; k = 2 sigma of the joint

The place with the largest ks decides the type of a predicted joint:

    good        its own place, ks >= 0.85
    jitter      its own place, 0.5 <= ks < 0.85
    inversion   the mirrored joint (left or right) of the same person, ks >= 0.5
    swap        the same or the mirrored joint of another person of the image, ks >= 0.5
    miss        ks < 0.5 everywhere
    not found   the person has no prediction

The paper's text allows an inversion with any other joint of the body. This module follows the published code and takes the
skeleton's flip partner only; a joint without one (the nose) is never inverted. Of equal values the joint's own place comes first,
then the mirrored joint.
"""

from dataclasses import astuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples, Interval
from posescope.evaluation.metrics.base import mean_over_labelled
from posescope.evaluation.metrics.oks import joint_oks, joint_similarities
from posescope.evaluation.scored_persons import Cases, ScoredPersons

__all__ = [
    "ALL_JOINTS",
    "ERROR_TYPES",
    "GOOD",
    "NEAR",
    "classify_errors",
    "error_type_table",
    "joint_error_types",
]

ERROR_TYPES = ("good", "jitter", "inversion", "swap", "miss", "not found")
GOOD, NEAR = 0.85, 0.5
ALL_JOINTS = "all"
_COLUMNS = (
    "joint", "type", "persons", "not_found", "labelled", "count", "fraction", "low", "high", "oks_gain", "oks_gain_low",
    "oks_gain_high",
)  # fmt: skip


def classify_errors(
    own: NDArray[np.float64], mirrored: NDArray[np.float64], others: NDArray[np.float64], labelled: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """Return the error type of each joint of persons with a prediction.

    Args:
        own: (N, K) similarity to the joint's own place, 0..1.
        mirrored: (N, K) similarity to the mirrored joint of the same person; NaN if there is none.
        others: (N, K) largest similarity to a joint of another person; NaN if there is none.
        labelled: (N, K).

    Returns:
        (N, K) int8: index into `ERROR_TYPES`; -1 where unlabelled.
    """
    inverted, swapped = np.nan_to_num(mirrored), np.nan_to_num(others)
    own_place = (own >= inverted) & (own >= swapped)
    mistaken = [(inverted >= NEAR) & (inverted >= swapped), swapped >= NEAR]
    conditions = [~labelled, own_place & (own >= GOOD), own_place & (own >= NEAR), *mistaken]
    return np.select(conditions, [-1, 0, 1, 2, 3], default=4).astype(np.int8)


def joint_error_types(cases: Cases) -> NDArray[np.int8]:
    """Return the error type of every joint of N persons.

    Args:
        cases: the persons and their neighbours.

    Returns:
        (N, K) int8 as for `classify_errors`; "not found" for persons without prediction.
    """
    scored, flip = cases.scored, list(cases.scored.skeleton.flip_indices)
    sigmas = np.asarray(scored.skeleton.oks_sigmas)[flip].tolist()
    partner = joint_similarities(scored.predicted, scored.truth[:, flip], scored.areas, sigmas)
    # A joint that is its own flip partner cannot be inverted.
    partner[:, np.arange(len(flip)) == np.array(flip)] = np.nan
    others = _swap_similarities(cases, flip)
    types = classify_errors(joint_oks(scored), partner, others, scored.labelled)
    missed = scored.labelled & ~scored.found[:, None]
    return np.where(missed, np.int8(ERROR_TYPES.index("not found")), types)


def _swap_similarities(cases: Cases, flip: list[int]) -> NDArray[np.float64]:
    """Return (N, K) the largest similarity to the same, or the mirrored, joint of another person; 0 if there is none."""
    predicted, others, sigmas = cases.scored.predicted, cases.neighbours, np.asarray(cases.scored.skeleton.oks_sigmas)
    points = predicted[others.rows]
    same = joint_similarities(points, others.joints, others.areas, sigmas.tolist())
    across = joint_similarities(points, others.joints[:, flip], others.areas, sigmas[flip].tolist())
    best = np.zeros(predicted.shape[:2])
    np.maximum.at(best, others.rows, np.fmax(np.nan_to_num(same), np.nan_to_num(across)))
    return best


def error_type_table(scored: ScoredPersons, types: NDArray[np.int8], draws: ImageResamples) -> pd.DataFrame:
    """Return how often each error type occurs per joint, and what it costs in mean OKS.

    The costs add up: over all types (and joints) to 1 - mean OKS, since OKS is a mean over the labelled joints.

    Args:
        scored: N persons.
        types: (N, K) as returned by `joint_error_types`.
        draws: bootstrap draws of the images.

    Returns:
        One row per joint (and one for all joints, `ALL_JOINTS`) and type. Columns: joint, type, persons (with this joint
        labelled), not_found (those of them without prediction), labelled (number of labelled joints), count, fraction of the
        labelled joints with low and high, oks_gain (mean OKS gained by correcting these joints) with oks_gain_low and
        oks_gain_high. NaN where nothing is labelled.
    """
    numbers = scored.labelled.sum(axis=1)
    loss = np.where(scored.labelled, 1 - joint_oks(scored), 0.0) / np.where(numbers > 0, numbers, np.nan)[:, None]
    rows = []
    for name, columns in [
        (ALL_JOINTS, slice(None)),
        *((joint, slice(k, k + 1)) for k, joint in enumerate(scored.skeleton.joints)),
    ]:
        labelled = scored.labelled[:, columns]
        members = labelled.any(axis=1)
        numbers_of = int(members.sum()), int((members & ~scored.found).sum()), int(labelled.sum())
        for number, kind in enumerate(ERROR_TYPES):
            hit = types[:, columns] == number
            fraction = _fraction(hit, labelled, scored.image_ids, draws)
            gain = draws.mean_interval((hit * loss[:, columns]).sum(axis=1), scored.image_ids)
            rows.append((name, kind, *numbers_of, hit.sum(), *astuple(fraction), *astuple(gain)))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _fraction(
    hits: NDArray[np.bool_], labelled: NDArray[np.bool_], image_ids: NDArray[np.int64], draws: ImageResamples
) -> Interval:
    values = np.where(labelled, hits.astype(np.float64), np.nan)
    found = draws.means(values.ravel(), np.repeat(image_ids, values.shape[1]))
    return draws.interval(float(mean_over_labelled(hits, labelled)), found)
