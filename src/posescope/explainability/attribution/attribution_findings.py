"""Findings of the analysis `attribution`.

regions          the attribution is dense on the joint, sparse in the background   controls: random weights, other persons' maps
shortcuts        joints with dense attribution in the background                   control: random weights
faithfulness     pixels with high attribution matter                               control: a random order
randomisation    the maps depend on the learned weights                            control: two networks with random weights
errors           wrong predictions use the other side of the body                  control: correct predictions

Density: the fraction of the attribution in a region divided by its fraction of the pixels; 1 by chance. Regions, shortcuts and
errors are asked about with integrated gradients; the tables have the same numbers of occlusion.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples, Interval
from posescope.explainability.answers import Answer, Question, answer_more, difference_of, need_also
from posescope.explainability.attribution.body_regions import ALL, REGIONS, RegionFractions
from posescope.explainability.attribution.faithfulness_curves import CURVES, FaithfulnessCurves
from posescope.explainability.findings import Control, Finding, control_of, p_from_interval

__all__ = ["ask_curves", "ask_errors", "ask_regions", "ask_shortcuts", "ask_weight_randomisation", "rank_correlations"]

_METHODS = {"integrated_gradients": "integrated gradients", "occlusion": "occlusion"}
_MIN_PREDICTIONS = 8  # correct ones and wrong ones, to compare them
_RANDOM_WEIGHTS = "the same maps of a network with random weights"
_ASKED: tuple[tuple[str, Literal["dense", "sparse"], str], ...] = (
    ("joint", "dense", "the joint itself"),
    ("other side", "dense", "the same joint of the other side of the body"),
    ("background", "sparse", "the background"),
)


def ask_regions(regions: pd.DataFrame, method: str) -> list[Finding]:
    """Ask how dense the attribution is on the joint, on the other side and in the background, over all joints.

    The control of the joint itself is random weights, since the attribution around the explained px depends first of all on the
    architecture. The control of the other regions is the stricter one of random weights and shifted maps of other persons. A yes
    needs a density beyond the control and beyond 1.

    Args:
        regions: table of `tabulate_regions`.
        method: name of the attribution method.
    """
    pooled = regions[(regions["method"] == method) & (regions["joint"] == ALL)]
    by_region = {str(row["region"]): row for row in pooled.to_dict("records")}
    findings = []
    for region, kind, words in _ASKED:
        row = by_region[region]
        own = Interval(*(float(row[name]) for name in ("density", "low", "high")))
        random, moved = (
            Interval(*(float(row[f"{name}{end}"]) for end in ("", "_low", "_high")))
            for name in ("random_weights", "other_person")
        )
        if own.is_known and random.is_known and moved.is_known:
            control, what = _stricter_control(region, random, moved)
            findings.append(_ask_region(region, kind, words, own, control_of(what, control), control, f"maps_{method}"))
    return findings


def _ask_region(region: str, kind: str, words: str, own: Interval, shown: Control, control: Interval, picture: str) -> Finding:
    sign = 1 if kind == "dense" else -1
    beyond = difference_of(own, control) if sign > 0 else difference_of(control, own)
    chance = Interval(sign * (own.estimate - 1), *sorted((sign * (own.low - 1), sign * (own.high - 1))))
    answer = need_also(answer_more(beyond), p_from_interval(chance) if chance.estimate > 0 else 1.0)
    more, less = ("more", "less") if sign > 0 else ("less", "more")
    has = f"The attribution on {words} is {own.estimate:.1f} times as dense as on an average pixel"
    question = Question(
        id=f"attribution-{region.replace(' ', '-')}",
        text=f"Does the prediction of a joint depend on {words} {more} than the control does?",
        yes=f"{has}, {more} than in {shown.what}.",
        no=f"{has}, {less} than in {shown.what}.",
        unclear=f"{has}, not clearly {more} than in {shown.what}.",
    )
    return question.to_finding(answer, own, "density", shown, picture=picture)


def _stricter_control(region: str, random: Interval, moved: Interval) -> tuple[Interval, str]:
    """Return the control that is harder to beat, and its description."""
    weights = (random, _RANDOM_WEIGHTS)
    persons = (moved, "the network's maps of other persons, shifted to the same joint")
    if region == "joint":
        return weights
    if region == "background":
        return min(weights, persons, key=lambda control: control[0].low)
    return max(weights, persons, key=lambda control: control[0].high)


def ask_shortcuts(
    fractions: RegionFractions, random: RegionFractions, joints: Sequence[str], draws: ImageResamples, method: str
) -> list[Finding]:
    """Find joints whose attribution is denser in the background than elsewhere, and than with random weights.

    p-values are multiplied by the number of joints (Bonferroni), since only joints with an effect become a finding.

    Args:
        fractions: fractions for the network.
        random: fractions for random weights.
        joints: J names.
        draws: bootstrap resamples of photographs.
        method: name of the attribution method.
    """
    background, found = REGIONS.index("background"), []
    for index, joint in enumerate(joints):
        own, control = (one.density(index, background, draws) for one in (fractions, random))
        gap = difference_of(own, control)
        p = min(1.0, len(joints) * max(p_from_interval(own, 1.0), p_from_interval(gap)))
        if not own.low > 1.0 or not gap.low > 0 or p > 0.05:  # also if NaN
            continue
        name = joint.replace("_", " ")
        has = f"The attribution for {name} is {own.estimate:.1f} times as dense in the background as on an average pixel"
        question = Question(
            id=f"shortcut-{joint.replace('_', '-').lower()}",
            text=f"Does the prediction of {name} depend on the background?",
            yes=f"{has}.",
            unclear=f"{has}, which is not a clear effect.",
        )
        shown = control_of(_RANDOM_WEIGHTS, control)
        found.append(question.to_finding(Answer("supported", p), own, "density", shown, picture=f"maps_{method}"))
    return found


def ask_curves(curves: FaithfulnessCurves, method: str, draws: ImageResamples) -> Finding | None:
    """Ask whether the pixels with high attribution matter: both deletion and insertion must say so.

    Args:
        curves: curves of deletion and insertion.
        method: name of the attribution method.
        draws: bootstrap resamples of photographs.

    Returns:
        The finding; None if the areas are unknown.
    """
    gains = [curves.advantage(method, "random", index, draws) for index in range(len(CURVES))]
    deletion = CURVES.index("deletion")
    own, control, near = (curves.area(ranking, deletion, draws) for ranking in (method, "random", "near_joint"))
    if not all(value.is_known for value in (*gains, own, control)):
        return None
    others = max(p_from_interval(gain) if gain.estimate > 0 else 1.0 for gain in gains)
    answer = need_also(answer_more(gains[deletion]), others)
    words = _METHODS[method]
    left = f"While pixels are deleted in the order of {words}, {max(own.estimate, 0):.0%} of the heatmap value is left on average"
    question = Question(
        id=f"{method.replace('_', '-')}-marks-pixels-that-matter",
        text=f"Do the pixels that {words} mark{'' if method.endswith('s') else 's'} matter for the prediction?",
        yes=f"{left}, less than in a random order.",
        no=f"{left}, more than in a random order.",
        unclear=f"{left}, not clearly less than in a random order.",
    )
    return question.to_finding(
        answer,
        own,
        "fraction of the heatmap value",
        control_of("a random order", control),
        picture="attribution_curves",
        detail=f"In the order of the distance from the joint it is {max(near.estimate, 0):.0%}.",
    )


def rank_correlations(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute Spearman's rank correlation along the last axis.

    Args:
        first, second: (..., P).

    Returns:
        (...); NaN where one of them is constant.
    """

    def normalised_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
        order = values.argsort(axis=-1, kind="stable").argsort(axis=-1).astype(np.float64)
        centred = order - order.mean(axis=-1, keepdims=True)
        scaled: NDArray[np.float64] = centred / np.linalg.norm(centred, axis=-1, keepdims=True)
        return scaled

    constant = (np.ptp(first, axis=-1) == 0) | (np.ptp(second, axis=-1) == 0)
    return np.where(constant, np.nan, (normalised_ranks(first) * normalised_ranks(second)).sum(axis=-1))


def ask_weight_randomisation(
    to_random: NDArray[np.float64],
    between_random: NDArray[np.float64],
    groups: NDArray[np.int64],
    draws: ImageResamples,
) -> Finding | None:
    """Ask whether maps depend on the learned weights.

    They must correlate less with maps of random weights than maps of two networks with random weights correlate with each other.

    Args:
        to_random: (N, J) rank correlations of the network's maps with those of random weights.
        between_random: (N, J) rank correlations between two networks with random weights.
        groups: (N,) photograph of each person.
        draws: bootstrap resamples of photographs.
    """
    repeated = np.repeat(groups, to_random.shape[1])
    own, control, less = (
        draws.mean_interval(values.ravel(), repeated) for values in (to_random, between_random, between_random - to_random)
    )
    if not (own.is_known and control.is_known and less.is_known):
        return None
    has = f"The maps have a rank correlation of {own.estimate:.2f} with those of random weights"
    question = Question(
        id="maps-depend-on-weights",
        text="Do the maps depend on what the network has learned?",
        yes=f"{has}, less than two networks with random weights have.",
        no=f"{has}, more than two networks with random weights have.",
        unclear=f"{has}, not clearly less than two networks with random weights have.",
    )
    shown = control_of("two networks with random weights", control)
    return question.to_finding(answer_more(less), own, "rank correlation", shown, picture="maps_random_weights")


def ask_errors(fractions: RegionFractions, correct: NDArray[np.bool_], draws: ImageResamples, method: str) -> Finding | None:
    """Ask whether wrong predictions have more attribution on the other side of the body than correct ones.

    Args:
        fractions: fractions for the network.
        correct: (N, J) whether a prediction is correct.
        draws: bootstrap resamples of photographs.
        method: name of the attribution method.

    Returns:
        The finding; None if there are too few wrong or correct predictions.
    """
    other = fractions.fractions[..., REGIONS.index("other side")]
    repeated = np.repeat(fractions.groups, correct.shape[1])
    of_correct, of_wrong = (np.where(predictions, other, np.nan).ravel() for predictions in (correct, ~correct))
    counts = [int(np.isfinite(values).sum()) for values in (of_correct, of_wrong)]
    if min(counts) < _MIN_PREDICTIONS:
        return None
    own, control = (draws.mean_interval(values, repeated) for values in (of_wrong, of_correct))
    gap = draws.interval(own.estimate - control.estimate, draws.means(of_wrong, repeated) - draws.means(of_correct, repeated))
    if not (own.is_known and control.is_known and gap.is_known):
        return None
    has = f"{own.estimate:z.0%} of the attribution for wrong predictions is on the other side of the body"
    question = Question(
        id="errors-use-the-other-side",
        text="Do wrong predictions depend on the other side of the body more than correct ones do?",
        yes=f"{has}, more than for correct ones.",
        no=f"{has}, less than for correct ones.",
        unclear=f"{has}, not clearly more than for correct ones.",
    )
    return question.to_finding(
        answer_more(gap),
        own,
        "fraction of the attribution",
        control_of("correct predictions", control),
        picture=f"maps_{method}",
        detail=f"There are {counts[1]} wrong and {counts[0]} correct predictions.",
    )
