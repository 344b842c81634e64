"""What is wrong with a joint: the types of localisation error, after Ronchi and Perona (ICCV 2017).

    ks(p, place) = exp(-d^2 / (2 s^2 k^2))     d: distance; s^2: area of the person whose place it is; k = 2 sigma of the joint

The nearest place, of the largest ks, says which it is:

    good        its own, ks >= 0.85
    jitter      its own, 0.5 <= ks < 0.85: near, but not as near as annotators agree
    inversion   the mirrored joint (left or right) of the same person, ks >= 0.5
    swap        the same or the mirrored joint of another person in the image, ks >= 0.5
    miss        ks < 0.5 everywhere: near nothing that it could be mistaken for
    not found   the person was to be found, and has no prediction: every labelled joint of it

Their text lets an inversion be any other joint of the body. Here, as in the code that they published, it is the skeleton's flip
partner; a joint without one (the nose) is never inverted. Of equally near places its own comes first, then the mirrored one.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.records import ScoredPersons
from posescope.evaluation.bootstrap import ImageDraws, Interval
from posescope.evaluation.metrics.base import mean_over_labelled
from posescope.evaluation.metrics.oks import joint_similarities
from posescope.evaluation.scored_persons import Cases, Neighbours

__all__ = [
    "ALL_JOINTS",
    "ERROR_TYPES",
    "GOOD",
    "NEAR",
    "classify_errors",
    "error_type_table",
    "joint_error_types",
    "swap_similarities",
]

ERROR_TYPES = ("good", "jitter", "inversion", "swap", "miss", "not found")
GOOD, NEAR = 0.85, 0.5
ALL_JOINTS = "all"


def classify_errors(
    own: NDArray[np.float64], mirrored: NDArray[np.float64], others: NDArray[np.float64], labelled: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """The type of each joint of persons who were found.

    Args:
        own: (N, K) similarity to its own place, 0..1.
        mirrored: (N, K) to the mirrored joint of the same person; NaN where there is none.
        others: (N, K) the largest one to a joint of another person; NaN where there is none.
        labelled: (N, K).

    Returns:
        (N, K) int8: index into `ERROR_TYPES`; -1 where unlabelled.
    """
    inverted, swapped = np.nan_to_num(mirrored), np.nan_to_num(others)
    at_home = (own >= inverted) & (own >= swapped)
    mistaken = [(inverted >= NEAR) & (inverted >= swapped), swapped >= NEAR]
    conditions = [~labelled, at_home & (own >= GOOD), at_home & (own >= NEAR), *mistaken]
    return np.select(conditions, [-1, 0, 1, 2, 3], default=4).astype(np.int8)


def swap_similarities(
    predicted: NDArray[np.float64], neighbours: Neighbours, flip_indices: Sequence[int], sigmas: Sequence[float]
) -> NDArray[np.float64]:
    """The largest similarity of each joint to the same, or the mirrored, joint of another person.

    Args:
        predicted: (N, K, 2) image px.
        neighbours: of the N persons.
        flip_indices: (K,) as `Skeleton.flip_indices`.
        sigmas: (K,).

    Returns:
        (N, K) float64, 0..1; 0 where there is nobody else, or nothing labelled on them.
    """
    points, flip = predicted[neighbours.rows], list(flip_indices)
    same = joint_similarities(points, neighbours.joints, neighbours.areas, sigmas)
    across = joint_similarities(points, neighbours.joints[:, flip], neighbours.areas, np.asarray(sigmas)[flip].tolist())
    best = np.zeros(predicted.shape[:2])
    np.maximum.at(best, neighbours.rows, np.fmax(np.nan_to_num(same), np.nan_to_num(across)))
    return best


def joint_error_types(cases: Cases, flip_indices: Sequence[int]) -> NDArray[np.int8]:
    """(N, K) types of N persons' joints, as `classify_errors` says them; "not found" where a person has no prediction."""
    scored, flip = cases.scored, list(flip_indices)
    partner = joint_similarities(
        scored.predicted, scored.truth[:, flip], scored.areas, np.asarray(scored.oks_sigmas)[flip].tolist()
    )
    # A joint that is its own partner has none.
    partner[:, np.arange(len(flip)) == np.array(flip)] = np.nan
    others = swap_similarities(scored.predicted, cases.neighbours, flip, scored.oks_sigmas)
    own = joint_similarities(scored.predicted, scored.truth, scored.areas, scored.oks_sigmas)
    types = classify_errors(own, partner, others, scored.labelled)
    nowhere = scored.labelled & ~scored.found[:, None]
    return np.where(nowhere, np.int8(ERROR_TYPES.index("not found")), types)


def error_type_table(
    scored: ScoredPersons, types: NDArray[np.int8], joint_names: Sequence[str], draws: ImageDraws
) -> pd.DataFrame:
    """How often each type happens to each joint, and what it takes from the mean OKS.

    The losses add up: over all types (and joints) to 1 - mean OKS, for OKS is a mean over the labelled joints.

    Args:
        scored: N persons.
        types: (N, K), as `joint_error_types` gives them.
        joint_names: (K,).
        draws: of the images.

    Returns:
        A row a joint (and one for all together, `ALL_JOINTS`) and type. Columns: joint, type, persons (who have such a place
        labelled), not_found (how many of them have no prediction), labelled (places), count, share of the labelled places with
        low and high, oks_gain (mean OKS won if just these joints were put right) with oks_gain_low and oks_gain_high. NaN where
        nothing is labelled.
    """
    own = joint_similarities(scored.predicted, scored.truth, scored.areas, scored.oks_sigmas)
    numbers = scored.labelled.sum(axis=1)
    loss = np.where(scored.labelled, 1 - own, 0.0) / np.where(numbers > 0, numbers, np.nan)[:, None]
    rows = []
    for name, columns in [(ALL_JOINTS, slice(None)), *((joint, slice(k, k + 1)) for k, joint in enumerate(joint_names))]:
        labelled = scored.labelled[:, columns]
        members = labelled.any(axis=1)
        numbers_of = int(members.sum()), int((members & ~scored.found).sum()), int(labelled.sum())
        for number, kind in enumerate(ERROR_TYPES):
            hit = types[:, columns] == number
            fraction = _share(hit, labelled, scored.image_ids, draws)
            gain = draws.mean_interval((hit * loss[:, columns]).sum(axis=1), scored.image_ids)
            rows.append((name, kind, *numbers_of, hit.sum(), *_ends(fraction), *_ends(gain)))
    names = ["joint", "type", "persons", "not_found", "labelled", "count", "fraction", "low", "high"]
    return pd.DataFrame(rows, columns=[*names, "oks_gain", "oks_gain_low", "oks_gain_high"])


def _share(hits: NDArray[np.bool_], labelled: NDArray[np.bool_], image_ids: NDArray[np.int64], draws: ImageDraws) -> Interval:
    values = np.where(labelled, hits.astype(np.float64), np.nan)
    found = draws.means(values.ravel(), np.repeat(image_ids, values.shape[1]))
    return draws.interval(float(mean_over_labelled(hits.astype(np.float64), labelled)), found)


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.estimate, interval.low, interval.high
