"""Findings of the analysis `attribution`.

regions          the attribution is dense on the joint, sparse in the background   controls: random weights, other persons' maps
shortcuts        joints with dense attribution in the background                   control: random weights
faithfulness     pixels with high attribution matter                               control: a random order
randomisation    the maps depend on the learned weights                            control: two networks with random weights
errors           wrong predictions use the other side of the body                  control: correct predictions
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples, Interval
from posescope.explainability.attribution.body_regions import ALL, REGIONS, RegionFractions
from posescope.explainability.attribution.faithfulness_curves import CURVES, FaithfulnessCurves
from posescope.explainability.findings import Finding, control_of, finding_from_claim

__all__ = ["claim_curves", "claim_errors", "claim_regions", "claim_shortcuts", "claim_weight_randomisation", "rank_correlations"]

_METHODS = {"integrated_gradients": "integrated gradients", "occlusion": "occlusion"}
_REGIONS = {
    "joint": "the joint itself",
    "limb": "its limbs",
    "other side": "the joint of the other side and its limbs",
    "body": "the rest of the body",
}
_MIN_PREDICTIONS = 8  # correct ones and wrong ones, to compare them


def claim_regions(regions: pd.DataFrame, method: str) -> list[Finding]:
    """Test the density of the attribution in each region, over all joints.

    The control of the joint itself is random weights, since the attribution around the explained px depends first of all on the
    architecture. The control of the other regions is the stricter one of random weights and shifted maps of other persons.

    Args:
        regions: table of `tabulate_regions`.
        method: name of the attribution method.
    """
    pooled = regions[(regions["method"] == method) & (regions["joint"] == ALL)]
    findings = []
    for row in pooled.to_dict("records"):
        own = Interval(*(float(row[name]) for name in ("density", "low", "high")))
        random, moved = (
            Interval(*(float(row[f"{name}{end}"]) for end in ("", "_low", "_high")))
            for name in ("random_weights", "other_person")
        )
        if not (own.is_known and random.is_known and moved.is_known):
            continue
        region = str(row["region"])
        control, what = _stricter_control(region, random, moved)
        passed, verdict = _judge_region(region, own, control)
        fraction, area = float(row["fraction"]), float(row["area_fraction"])
        claim = (
            f"{verdict}: {fraction:.0%} of it on {area:.0%} of the pixels, density {own:.2f}; with random weights {random:.2f}"
        )
        if region != "joint":
            claim += f", shifted maps of other persons {moved:.2f}"
        claim += f" ({_METHODS[method]})."
        findings.append(finding_from_claim(claim, own, control_of(what, control), passed=passed, picture=f"maps_{method}"))
    return findings


def _stricter_control(region: str, random: Interval, moved: Interval) -> tuple[Interval, str]:
    """Return the control that is harder to beat, and its description."""
    weights = (random, "the same maps of the network with random weights")
    persons = (moved, "the network's maps of other persons, shifted to the same joint")
    if region == "joint":
        return weights
    if region == "background":
        return min(weights, persons, key=lambda control: control[0].low)
    return max(weights, persons, key=lambda control: control[0].high)


def _judge_region(region: str, own: Interval, control: Interval) -> tuple[bool, str]:
    """Return whether the claim about a region passes, and its first words."""
    if region == "background":
        passed = own.high < min(1.0, control.low)
        return passed, f"The background {'has little' if passed else 'has no less than chance'} attribution for a joint"
    passed = own.low > max(1.0, control.high)
    return (
        passed,
        f"The attribution for a joint {'is dense on' if passed else 'is no denser than by chance on'} {_REGIONS[region]}",
    )


def claim_shortcuts(
    fractions: RegionFractions, random: RegionFractions, joints: Sequence[str], draws: ImageResamples, method: str
) -> list[Finding]:
    """Find joints whose attribution is denser in the background than elsewhere, and than with random weights.

    Intervals are widened for the number of joints (Bonferroni).

    Args:
        fractions: fractions for the network.
        random: fractions for random weights.
        joints: J names.
        draws, method: see `claim_curves`.
    """
    level, background = 1 - 0.05 / len(joints), REGIONS.index("background")
    found = []
    for index, name in enumerate(joints):
        own = fractions.density(index, background, draws, level)
        control = random.density(index, background, draws, level)
        if not own.low > 1.0 or not own.low > control.high:  # also if NaN
            continue
        fraction = float(np.nanmean(fractions.of(index, background)[0]))
        claim = (
            f"Shortcut: {fraction:.0%} of the attribution for {name.replace('_', ' ')} is in the background, "
            f"density {own:.2f}; with random weights {control.estimate:.2f} ({_METHODS[method]})."
        )
        what = control_of("the same maps of the network with random weights", control)
        found.append(finding_from_claim(claim, own, what, passed=True, picture=f"maps_{method}"))
    return found


def claim_curves(curves: FaithfulnessCurves, method: str, draws: ImageResamples) -> list[Finding]:
    """Test whether the pixels with high attribution matter.

    Args:
        curves: curves of deletion and insertion.
        method: name of the attribution method.
        draws: bootstrap resamples of images.
    """
    found = []
    for index, curve in enumerate(CURVES):
        own, control, near = (curves.area(ranking, index, draws) for ranking in (method, "random", "near_joint"))
        gain = curves.advantage(method, "random", index, draws)
        gain_over_near = curves.advantage(method, "near_joint", index, draws)
        if not (own.is_known and control.is_known and gain.is_known):
            continue
        passed = gain.low > 0
        comparison = "better than" if gain_over_near.low > 0 else "worse than" if gain_over_near.high < 0 else "as good as"
        claim = (
            f"{_METHODS[method].capitalize()} {'ranks' if passed else 'does not significantly rank'} the pixels by their effect: "
            f"{curve} in its order has an area under the curve of {own:.2f}, in a random order {control:.2f}; it is "
            f"{comparison} the order of the distance from the joint ({near.estimate:.2f})."
        )
        what = control_of("a random order", control)
        found.append(finding_from_claim(claim, own, what, passed=passed, picture="attribution_curves"))
    return found


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


def claim_weight_randomisation(
    to_random: NDArray[np.float64],
    between_random: NDArray[np.float64],
    groups: NDArray[np.int64],
    draws: ImageResamples,
) -> Finding | None:
    """Test whether maps depend on the learned weights.

    They must correlate less with maps of random weights than maps of two networks with random weights correlate with each other.

    Args:
        to_random: (N, J) rank correlations of the network's maps with those of random weights.
        between_random: (N, J) rank correlations between two networks with random weights.
        groups: (N,) image of each person.
        draws: bootstrap resamples of images.
    """
    repeated = np.repeat(groups, to_random.shape[1])
    own, control = (draws.mean_interval(values.ravel(), repeated) for values in (to_random, between_random))
    if not (own.is_known and control.is_known):
        return None
    passed = own.high < control.low
    verdict = "depend on the learned weights" if passed else "may depend on the architecture only"
    claim = (
        f"The maps {verdict}: their rank correlation with those of random weights is {own:.2f}, that of two networks with "
        f"random weights {control:.2f} (integrated gradients)."
    )
    what = control_of("two networks with random weights", control)
    return finding_from_claim(claim, own, what, passed=passed, picture="maps_random_weights")


def claim_errors(fractions: RegionFractions, correct: NDArray[np.bool_], draws: ImageResamples, method: str) -> Finding | None:
    """Test whether wrong predictions have more attribution on the other side of the body than correct ones.

    Args:
        fractions: fractions for the network.
        correct: (N, J) whether a prediction is correct.
        draws, method: see `claim_curves`.

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
    passed = gap.low > 0
    verdict = f"Wrong predictions {'use' if passed else 'do not significantly use'} the other side of the body"
    claim = (
        f"{verdict}: {own:.0%} of the attribution for {counts[1]} wrong predictions is there, {control:.0%} for {counts[0]} "
        f"correct ones ({_METHODS[method]})."
    )
    what = control_of("correct predictions", control)
    return finding_from_claim(claim, own, what, passed=passed, picture=f"maps_{method}")
