"""What attribution claims, each against its control: random weights, a random order, right answers beside wrong ones."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageDraws, Interval
from posescope.explainability.attribution.body_regions import ALL, REGIONS, RegionFractions
from posescope.explainability.attribution.faithfulness_curves import CURVES, FaithfulnessCurves
from posescope.explainability.findings import Finding, control_of

__all__ = [
    "claim_curves",
    "claim_weight_randomisation",
    "claim_mistakes",
    "claim_regions",
    "claim_shortcuts",
    "rank_correlations",
]

_WORDS = {"integrated_gradients": "integrated gradients", "occlusion": "occlusion"}
_PLACES = {
    "joint": "the joint itself",
    "limb": "its limbs",
    "other side": "the joint of the other side and its limbs",
    "body": "the rest of the body",
}
_FEWEST_ANSWERS = 8  # right and wrong ones, to compare them


def claim_regions(regions: pd.DataFrame, method: str, shown_in: str) -> list[Finding]:
    """On the joint, its limbs, the other side, the body, in the background: over all joints.

    The joint itself is held against random weights: where a network's evidence lies about the cell is first of all a matter of
    its architecture. The other regions are held against the stricter of that and of other people's evidence moved here.

    Args:
        regions: what `tabulate_regions` puts out.
        method: whose rows.
        shown_in: that shows it.
    """
    pooled = regions[(regions["method"] == method) & (regions["joint"] == ALL)]
    claims = []
    for row in pooled.to_dict("records"):
        own = Interval(*(float(row[name]) for name in ("density", "low", "high")))
        random, moved = (
            Interval(*(float(row[f"{name}{end}"]) for end in ("", "_low", "_high")))
            for name in ("random_weights", "other_person")
        )
        if not np.isfinite([own.estimate, own.low, random.estimate, random.low, moved.estimate, moved.low]).all():
            continue
        region = str(row["region"])
        chance, what = _stricter(region, random, moved)
        passed, verdict = _verdict(region, own, chance)
        share, area = float(row["fraction"]), float(row["area_fraction"])
        claim = (
            f"{verdict}: {share:.0%} of it on {area:.0%} of the pixels, {own.estimate:.2f} times its share [{own.low:.2f}, "
            f"{own.high:.2f}]; with random weights {random.estimate:.2f} times [{random.low:.2f}, {random.high:.2f}]"
        )
        if region != "joint":
            claim += (
                f", other people's evidence moved to the joint {moved.estimate:.2f} times [{moved.low:.2f}, {moved.high:.2f}]"
            )
        claims.append(
            Finding(f"{claim} ({_WORDS[method]}).", own.estimate, own.low, own.high, control_of(what, chance), passed, shown_in)
        )
    return claims


def _stricter(region: str, random: Interval, moved: Interval) -> tuple[Interval, str]:
    """The control that is harder to beat, and what it is."""
    weights = (random, "the same maps of the network with random weights")
    people = (moved, "the network's maps of other people, moved to the same joint")
    if region == "joint":
        return weights
    if region == "background":
        return min(weights, people, key=lambda control: control[0].low)
    return max(weights, people, key=lambda control: control[0].high)


def _verdict(region: str, own: Interval, chance: Interval) -> tuple[bool, str]:
    """Whether a claim about a region holds, and how it begins."""
    if region == "background":
        passed = own.high < min(1.0, chance.low)
        return (
            passed,
            f"The background {'counts little' if passed else 'counts no less than by chance'} in the evidence for a joint",
        )
    passed = own.low > max(1.0, chance.high)
    return passed, f"The evidence for a joint {'lies on' if passed else 'is no denser than by chance on'} {_PLACES[region]}"


def claim_shortcuts(
    shares: RegionFractions,
    random: RegionFractions,
    joints: Sequence[str],
    groups: NDArray[np.int64],
    random_groups: NDArray[np.int64],
    draws: ImageDraws,
    method: str,
    shown_in: str,
) -> list[Finding]:
    """Joints whose evidence lies in the background more densely than anywhere, and than with random weights.

    Intervals are widened for the number of joints looked at (Bonferroni), for here one joint is picked out of many.
    """
    level, background = 1 - 0.05 / len(joints), REGIONS.index("background")
    found = []
    for place, name in enumerate(joints):
        own = shares.density(place, background, groups, draws, level)
        chance = random.density(place, background, random_groups, draws, level)
        if not own.low > 1.0 or not own.low > chance.high:  # NaN: no answer, no claim
            continue
        share = float(np.nanmean(shares.of(place, background)[0]))
        claim = (
            f"A shortcut: {share:.0%} of the evidence for {name.replace('_', ' ')} lies in the background, {own.estimate:.2f} "
            f"times its share of the pixels [{own.low:.2f}, {own.high:.2f}]; with random weights {chance.estimate:.2f} times "
            f"({_WORDS[method]})."
        )
        control = control_of("the same maps of the network with random weights", chance)
        found.append(Finding(claim, own.estimate, own.low, own.high, control, True, shown_in))
    return found


def claim_curves(
    curves: FaithfulnessCurves, method: str, groups: NDArray[np.int64], draws: ImageDraws, shown_in: str
) -> list[Finding]:
    """Whether a method names the pixels that matter."""
    found = []
    for place, curve in enumerate(CURVES):
        own, chance, near = (curves.area(ranking, place, groups, draws) for ranking in (method, "random", "near_joint"))
        gain = curves.advantage(method, "random", place, groups, draws)
        on_near = curves.advantage(method, "near_joint", place, groups, draws)
        if not np.isfinite([own.estimate, own.low, chance.estimate, chance.low, gain.low]).all():
            continue
        passed = gain.low > 0
        does = "takes the answer away" if curve == "deletion" else "brings the answer back"
        beside = "better than" if on_near.low > 0 else "worse than" if on_near.high < 0 else "as good as"
        claim = (
            f"{_WORDS[method].capitalize()} {'names' if passed else 'does not surely name'} the pixels that matter: {curve} in "
            f"its order {does} with an area under the curve of {own.estimate:.2f} [{own.low:.2f}, {own.high:.2f}], in a random "
            f"order {chance.estimate:.2f} [{chance.low:.2f}, {chance.high:.2f}]; it is {beside} the order of distance "
            f"from the joint ({near.estimate:.2f})."
        )
        found.append(Finding(claim, own.estimate, own.low, own.high, control_of("a random order", chance), passed, shown_in))
    return found


def rank_correlations(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., P) twice -> (...) Spearman's rank correlation; NaN where one of them is constant."""

    def ranked(values: NDArray[np.float64]) -> NDArray[np.float64]:
        order = values.argsort(axis=-1, kind="stable").argsort(axis=-1).astype(np.float64)
        centred = order - order.mean(axis=-1, keepdims=True)
        scaled: NDArray[np.float64] = centred / np.linalg.norm(centred, axis=-1, keepdims=True)
        return scaled

    constant = (np.ptp(first, axis=-1) == 0) | (np.ptp(second, axis=-1) == 0)
    return np.where(constant, np.nan, (ranked(first) * ranked(second)).sum(axis=-1))


def claim_weight_randomisation(
    to_random: NDArray[np.float64],
    between_random: NDArray[np.float64],
    groups: NDArray[np.int64],
    draws: ImageDraws,
    shown_in: str,
) -> Finding | None:
    """Whether maps show what was learned: they must be less like those of random weights than two of these are like each other.

    Args:
        to_random: (N, J) rank correlations of the trained network's maps with those of a network of random weights.
        between_random: (N, J) of two networks of random weights.
        groups: (N,) photographs.
        draws: of them.
        shown_in: that shows it.
    """
    repeated = np.repeat(groups, to_random.shape[1])
    own, chance = (draws.mean_interval(values.ravel(), repeated) for values in (to_random, between_random))
    if not np.isfinite([own.estimate, own.low, chance.estimate, chance.low]).all():
        return None
    passed = own.high < chance.low
    verdict = (
        "differ from those of random weights"
        if passed
        else "are as those of random weights: of the architecture, not of what was learned"
    )
    claim = (
        f"The maps {verdict}: their rank correlation with those of random weights is {own.estimate:.2f} [{own.low:.2f}, "
        f"{own.high:.2f}], that of two networks of random weights {chance.estimate:.2f} [{chance.low:.2f}, {chance.high:.2f}] "
        "(integrated gradients)."
    )
    control = control_of("two networks of random weights, one with the other", chance)
    return Finding(claim, own.estimate, own.low, own.high, control, passed, shown_in)


def claim_mistakes(
    shares: RegionFractions, right: NDArray[np.bool_], groups: NDArray[np.int64], draws: ImageDraws, method: str, shown_in: str
) -> Finding | None:
    """Whether wrong answers come from the other side; none where too few answers are wrong, or right.

    Args:
        shares: of the evidence.
        right: (N, J) answers that are right.
        groups: (N,) photographs.
        draws: of them.
        method: whose maps.
        shown_in: that shows it.
    """
    other = shares.shares[..., REGIONS.index("other side")]
    repeated = np.repeat(groups, right.shape[1])
    right_ones, wrong_ones = (np.where(answers, other, np.nan).ravel() for answers in (right, ~right))
    counts = [int(np.isfinite(values).sum()) for values in (right_ones, wrong_ones)]
    if min(counts) < _FEWEST_ANSWERS:
        return None
    own, chance = (draws.mean_interval(values, repeated) for values in (wrong_ones, right_ones))
    gap = draws.interval(own.estimate - chance.estimate, draws.means(wrong_ones, repeated) - draws.means(right_ones, repeated))
    if not np.isfinite([own.low, chance.low, gap.low]).all():
        return None
    passed = gap.low > 0
    verdict = (
        "Where the network is wrong, it looks at the other side"
        if passed
        else "Wrong answers do not surely come from the other side"
    )
    claim = (
        f"{verdict}: {own.estimate:.0%} [{own.low:.0%}, {own.high:.0%}] of the evidence for {counts[1]} wrong "
        f"answers lies there, {chance.estimate:.0%} [{chance.low:.0%}, {chance.high:.0%}] of that for {counts[0]} right ones "
        f"({_WORDS[method]})."
    )
    return Finding(claim, own.estimate, own.low, own.high, control_of("right answers", chance), passed, shown_in)
