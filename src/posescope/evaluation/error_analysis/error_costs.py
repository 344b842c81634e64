"""Cost of each error type: average precision and mean OKS after correcting the joints of one type (Ronchi and Perona, 2017)."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.tables import join_joints
from posescope.data.coco.results_writer import coco_results
from posescope.evaluation.bootstrap import ImageResamples
from posescope.evaluation.error_analysis.error_types import ERROR_TYPES
from posescope.evaluation.metrics.average_precision import evaluate_coco
from posescope.evaluation.metrics.oks import person_oks
from posescope.evaluation.scored_persons import ScoredPersons

__all__ = ["ALL_ERRORS", "error_cost_table"]

ALL_ERRORS = "all"
_COLUMNS = (
    "type", "persons", "not_found", "joints", "oks_ap", "oks_ap_corrected", "ap_gain", "ap_protocol", "oks_gain", "oks_gain_low",
    "oks_gain_high",
)  # fmt: skip


def error_cost_table(
    scored: ScoredPersons,
    types: NDArray[np.int8],
    truth: Mapping[str, Any],
    persons: pd.DataFrame,
    draws: ImageResamples,
    annotation_ids: Collection[int] | None = None,
    with_precision: bool = True,
) -> pd.DataFrame:
    """Return the OKS AP and the mean OKS gained by correcting the joints of one error type; scores are kept.

    Each type is corrected separately, so the gains of AP do not add up. The last row (`ALL_ERRORS`) corrects all types; the AP
    that is then still missing is lost to good joints that are not exact, to persons that count in AP only, and to the ranking. A
    person without prediction has no score: corrected, it is ranked last, which gives the smallest possible gain.

    Args:
        scored: N persons.
        types: (N, K) as returned by `joint_error_types`: below 0 where unlabelled.
        truth: content of the annotation file.
        persons: table that holds the N persons.
        draws: bootstrap draws of the images.
        annotation_ids: annotations that count in AP, as for `evaluate_coco`. None: all.
        with_precision: False if `scored` was matched from another system's results, whose false alarms are not in it: AP is NaN
            then.

    Returns:
        One row per error type and one for all. Columns: type, persons, not_found (those of them without prediction), joints
        (number of corrected joints), oks_ap, oks_ap_corrected, ap_gain, ap_protocol (which persons count in AP), oks_gain with
        oks_gain_low and oks_gain_high.
    """
    members, protocol = scored.labelled.any(axis=1), "coco" if annotation_ids is None else "crops"
    numbers = int(members.sum()), int((members & ~scored.found).sum())

    def average_precision(joints: NDArray[np.float64]) -> float:
        if not with_precision:
            return float("nan")
        skeleton = scored.skeleton
        results = coco_results(_predictions_table(scored, joints), persons, skeleton.category_id)
        found = evaluate_coco(truth, results, skeleton.oks_sigmas, None, skeleton.category_id, annotation_ids)
        return found.metric_values["AP"]

    now, oks_now = average_precision(scored.predicted), _oks(scored, scored.predicted)
    rows = []
    wrong = {kind: types == ERROR_TYPES.index(kind) for kind in ERROR_TYPES[1:]} | {ALL_ERRORS: types > 0}
    for kind, joints in wrong.items():
        corrected = np.where(joints[..., None], scored.truth, scored.predicted)
        precision = average_precision(corrected)
        gain = draws.mean_interval(_oks(scored, corrected) - oks_now, scored.image_ids)
        gains = precision - now, protocol, gain.estimate, gain.low, gain.high
        rows.append((kind, *numbers, joints.sum(), now, precision, *gains))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _predictions_table(scored: ScoredPersons, joints: NDArray[np.float64]) -> pd.DataFrame:
    """Return the (N, K, 2) joints with their scores as a table, without persons that have no joints."""
    there = ~np.isnan(joints).all(axis=(1, 2))
    places, scores = _fill_unlabelled(joints[there]), _scores_with_missed_last(scored)[there]
    return join_joints(scored.person_ids[there], places, scores, "score")


def _oks(scored: ScoredPersons, joints: NDArray[np.float64]) -> NDArray[np.float64]:
    return person_oks(joints, scored.truth, scored.visibility, scored.areas, scored.skeleton.oks_sigmas)


def _fill_unlabelled(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill the unlabelled joints of corrected persons without prediction, whose place does not matter: NaN is not valid JSON."""
    return np.where(np.isnan(joints), np.nanmean(joints, axis=1, keepdims=True), joints) if len(joints) else joints


def _scores_with_missed_last(scored: ScoredPersons) -> NDArray[np.float64]:
    """Return the (N, K) scores, with one below all others for persons without prediction."""
    lowest = scored.person_scores[scored.found].min(initial=0.0) - 1
    return np.where(scored.found[:, None], scored.scores, lowest)
