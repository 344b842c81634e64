"""What each type of error costs: COCO's average precision, once more, with just that type's joints put right."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.records import ScoredPersons
from posescope.core.skeleton import Skeleton
from posescope.core.tables import join_joints
from posescope.data.coco.results_writer import coco_results
from posescope.evaluation.bootstrap import ImageDraws
from posescope.evaluation.error_analysis.error_types import ERROR_TYPES
from posescope.evaluation.metrics.average_precision import match_coco
from posescope.evaluation.metrics.oks import person_oks

__all__ = ["ALL_ERRORS", "correct_joints", "error_cost_table"]

ALL_ERRORS = "all"


@dataclass(frozen=True)
class _Truth:
    """The annotation file's content and what is needed to score results against it."""

    content: Mapping[str, Any]
    persons: pd.DataFrame
    skeleton: Skeleton
    annotation_ids: Collection[int] | None
    with_precision: bool


def correct_joints(scored: ScoredPersons, wrong: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, K, 2) the predictions, with the truth in their place where `wrong` (N, K) says so; unlabelled joints stay."""
    return np.where((wrong & scored.labelled)[..., None], scored.truth, scored.predicted)


def error_cost_table(
    scored: ScoredPersons,
    types: NDArray[np.int8],
    truth: Mapping[str, Any],
    persons: pd.DataFrame,
    skeleton: Skeleton,
    draws: ImageDraws,
    annotation_ids: Collection[int] | None = None,
    with_precision: bool = True,
) -> pd.DataFrame:
    """OKS AP and mean OKS that would be won if the joints of one type stood right; scores stay as they are.

    Each type is put right alone, so the gains of AP do not add up; the last row (`ALL_ERRORS`) puts right all of them. What AP
    then still lacks is lost to good joints that are not perfect, to persons who are wanted by AP alone, and to order. Somebody
    who was not found has no score; put right, such a person stands behind everybody, which is the least that could be won.

    Args:
        scored: N persons.
        types: (N, K), as `joint_error_types` gives them.
        truth: content of the annotation file.
        persons: table that has the N persons.
        skeleton: of the data.
        draws: of the images.
        annotation_ids: whom AP wants, as for `match_coco`; none: everybody.
        with_precision: whether the predictions are all that was put out. Where they were picked from another system's results, AP
            is not known (their scores and false alarms are not here), and its columns are NaN.

    Returns:
        A row an error type and one for all. Columns: type, persons, not_found (how many of them have no prediction), joints (how
        many are put right), oks_ap (as it is), oks_ap_corrected, ap_gain, ap_protocol (whom AP wants), oks_gain with oks_gain_low
        and oks_gain_high.
    """
    known = _Truth(truth, persons, skeleton, annotation_ids, with_precision)
    anybody, protocol = scored.labelled.any(axis=1), "coco" if annotation_ids is None else "crops"
    numbers = int(anybody.sum()), int((anybody & ~scored.found).sum())
    now, oks_now = _precision(scored, scored.predicted, known), _oks(scored, scored.predicted)
    rows = []
    wrong = {kind: types == ERROR_TYPES.index(kind) for kind in ERROR_TYPES[1:]} | {ALL_ERRORS: types > 0}
    for kind, joints in wrong.items():
        corrected = correct_joints(scored, joints)
        precision = _precision(scored, corrected, known)
        gain = draws.mean_interval(_oks(scored, corrected) - oks_now, scored.image_ids)
        gains = precision - now, protocol, gain.estimate, gain.low, gain.high
        rows.append((kind, *numbers, joints.sum(), now, precision, *gains))
    names = ["type", "persons", "not_found", "joints", "oks_ap", "oks_ap_corrected", "ap_gain", "ap_protocol"]
    return pd.DataFrame(rows, columns=[*names, "oks_gain", "oks_gain_low", "oks_gain_high"])


def _precision(scored: ScoredPersons, joints: NDArray[np.float64], truth: _Truth) -> float:
    if not truth.with_precision:
        return float("nan")
    there = ~np.isnan(joints).all(axis=(1, 2))
    places, scores = _without_holes(joints[there]), _scores_behind_everybody(scored)[there]
    table = join_joints(scored.person_ids[there], places, scores, "score")
    results = coco_results(table, truth.persons, truth.skeleton.category_id)
    skeleton, wanted = truth.skeleton, truth.annotation_ids
    found = match_coco(truth.content, results, skeleton.oks_sigmas, None, skeleton.category_id, wanted)
    return found.precision.metric_values["AP"]


def _oks(scored: ScoredPersons, joints: NDArray[np.float64]) -> NDArray[np.float64]:
    return person_oks(joints, scored.truth, scored.visibility, scored.areas, scored.oks_sigmas)


def _without_holes(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unlabelled joints of somebody put right who was not found have no place: any will do, but NaN is no JSON."""
    return np.where(np.isnan(joints), np.nanmean(joints, axis=1, keepdims=True), joints) if len(joints) else joints


def _scores_behind_everybody(scored: ScoredPersons) -> NDArray[np.float64]:
    """(N, K) the scores, with one that is lower than everybody's for those who have none."""
    lowest = scored.person_scores[scored.found].min(initial=0.0) - 1
    return np.where(scored.found[:, None], scored.scores, lowest)
