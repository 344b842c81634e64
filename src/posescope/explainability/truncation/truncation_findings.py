"""What follows from a truncation curve: facts, claims with their controls, and a paragraph.

matters    the answer hangs on what the tap tells of a person         control: all components put back
suffice    the first k lose nothing                                   control: k at random
noise      what comes after the first n is noise, as the study says   control: n at random
rest       ... and yet it tells something by itself                   control: nothing kept
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.findings import Control, Finding, control_of
from posescope.explainability.truncation.component_subsets import INTACT, ComponentSubset, subset_of
from posescope.explainability.truncation.truncation_curve import TruncationCurve

__all__ = ["NoiseClaim", "TruncationSetup", "describe", "facts_of", "findings_of"]

Facts = dict[str, float | int | str | None]
_AROUND = {
    "own": "with everybody's own skip connections",
    "mean": "with all skip connections at their mean",
    "none": "in this network without skip connections",
}
_PICTURE = "truncation"


@dataclass(frozen=True)
class NoiseClaim:
    """The study's claim: what comes after the first `count` components, which hold `fraction` of the variance, is noise."""

    count: int
    share: float


@dataclass(frozen=True)
class TruncationSetup:
    """Whose features, and how many components.

    Attributes:
        layer: where they were read.
        persons: who were scored.
        features: D numbers a person.
        axes: P components that can be kept.
        fraction: of the variance that these hold.
        noise: the study's claim; none: there are too few components for it.
    """

    layer: str
    persons: int
    features: int
    axes: int
    share: float
    noise: NoiseClaim | None


def facts_of(curves: Sequence[TruncationCurve], studied: TruncationSetup) -> Facts:
    """Numbers by name; those of a curve end in `_own`, `_mean` or `_none`."""
    facts: Facts = {"persons": studied.persons, "features": studied.features, "components": studied.axes}
    facts |= {
        "components_explained_variance_ratio": studied.share,
        "noise_from": studied.noise.count + 1 if studied.noise else None,
    }
    for curve in curves:
        none, whole = ComponentSubset("first", 0), ComponentSubset("first", curve.axes)
        own: Facts = {"pck_intact": curve.pck(INTACT).estimate, "pck_no_components": curve.pck(none).estimate}
        own |= {"drop_no_components": curve.drop(none).estimate, "drop_all_components": curve.drop(whole).estimate}
        own["components_sufficient"] = curve.sufficient
        if studied.noise:
            first, rest = _sides(curve, studied.noise)
            drop = curve.drop(first)
            own |= {"noise_drop": drop.estimate, "noise_drop_low": drop.low, "noise_drop_high": drop.high}
            own["pck_remaining_components"] = curve.pck(rest).estimate
        facts |= {f"{name}_{curve.skips}": value for name, value in own.items()}
    return facts


def findings_of(curves: Sequence[TruncationCurve], studied: TruncationSetup) -> tuple[Finding, ...]:
    """The claims of all curves. None is about the error on real data, so nothing is at stake."""
    return tuple(finding for curve in curves for finding in _findings(curve, studied))


def describe(curves: Sequence[TruncationCurve], studied: TruncationSetup) -> str:
    """One paragraph."""
    said = [
        f"Of {studied.persons} persons the features at {studied.layer} ({studied.features} numbers, {studied.axes} components that "
        f"hold {studied.share:.1%} of their variance) were put back with only some components kept, and decoded."
    ]
    for curve in curves:
        intact, none = curve.pck(INTACT), curve.pck(ComponentSubset("first", 0))
        said.append(
            f"{_capital(_AROUND[curve.skips])} the PCK is {intact.estimate:.3f}, and {none.estimate:.3f} with nothing kept; "
            f"{_sufficient(curve)}."
        )
        if curve.skips == "own" and curve.drop(ComponentSubset("first", 0)).estimate < intact.estimate / 2:
            said.append("Most of the answer comes round the tap, so this curve says little about what the tap holds.")
    said.append(
        f"So many suffice as lose, for certain, not more than {curves[0].tolerance:g} of PCK. The components come from the same "
        "persons, but no joint was used for them. The network was not trained for features that are cut short."
    )
    return " ".join(said)


def _findings(curve: TruncationCurve, studied: TruncationSetup) -> Iterator[Finding]:
    yield _matters(curve, studied.layer)
    yield _suffice(curve)
    if studied.noise:
        yield _noise(curve, studied.noise)
        yield _rest(curve, studied.noise)


def _matters(curve: TruncationCurve, layer: str) -> Finding:
    none, whole = ComponentSubset("first", 0), ComponentSubset("first", curve.axes)
    drop, gap = curve.drop(none), curve.drop(none, reference=whole)
    passed = drop.low > 0 and gap.low > 0 and drop.estimate > curve.tolerance
    claim = (
        f"{_AROUND[curve.skips]}, the answer hangs on what {layer} tells of a person: with all its components at their mean the "
        f"PCK goes from {curve.pck(INTACT).estimate:.3f} to {curve.pck(none).estimate:.3f} ({_drop_words(drop)})"
    )
    return _finding(claim, passed, drop, control_of(f"all {curve.axes} components put back: drop", curve.drop(whole)))


def _suffice(curve: TruncationCurve) -> Finding:
    none = ComponentSubset("first", 0)
    if curve.sufficient in (None, 0, curve.axes):
        drop = curve.drop(ComponentSubset("first", curve.axes if curve.sufficient is None else curve.sufficient))
        claim = f"{_AROUND[curve.skips]}, some of the first components suffice: {_sufficient(curve)} ({_drop_words(drop)})"
        return _finding(claim, False, drop, control_of("nothing kept: drop", curve.drop(none)))
    count = curve.sufficient or 0
    first, random = ComponentSubset("first", count), subset_of("random", count, curve.axes)
    drop, gap = curve.drop(first), curve.drop(random, reference=first)
    claim = (
        f"{_AROUND[curve.skips]}, the first {count} of {curve.axes} components suffice: PCK {curve.pck(first).estimate:.3f} "
        f"against {curve.pck(INTACT).estimate:.3f} intact ({_drop_words(drop)}); {_too_few(curve)}"
    )
    passed = gap.low > 0
    return _finding(
        claim if passed else f"{claim}; as many at random do as well",
        passed,
        drop,
        control_of(f"{count} components at random: drop", curve.drop(random)),
    )


def _noise(curve: TruncationCurve, noise: NoiseClaim) -> Finding:
    first, _ = _sides(curve, noise)
    random = subset_of("random", noise.count, curve.axes)
    drop, gap = curve.drop(first), curve.drop(random, reference=first)
    claim = (
        f"{_AROUND[curve.skips]}, what comes after component {noise.count} is noise, as the study says: the first {noise.count}, "
        f"which hold {noise.share:.0%} of the variance, reach a PCK of {curve.pck(first).estimate:.3f} against "
        f"{curve.pck(INTACT).estimate:.3f} intact ({_drop_words(drop)})"
    )
    passed = curve.loses_nothing(first) and gap.low > 0
    if drop.low <= curve.tolerance < drop.high:
        claim += f"; whether not more than {curve.tolerance:g} is lost cannot be told"
    if gap.low <= 0:
        claim += f"; {noise.count} at random do as well, so nothing follows"
    return _finding(claim, passed, drop, control_of(f"{noise.count} components at random: drop", curve.drop(random)))


def _rest(curve: TruncationCurve, noise: NoiseClaim) -> Finding:
    _, rest = _sides(curve, noise)
    none = ComponentSubset("first", 0)
    alone, gain = curve.pck(rest), curve.drop(none, reference=rest)
    claim = (
        f"{_AROUND[curve.skips]}, components {noise.count + 1} to {curve.axes} tell something of a person by themselves: kept "
        f"alone they take the PCK from {curve.pck(none).estimate:.3f} to {alone.estimate:.3f} (by {gain.estimate:+.3f} "
        f"[{gain.low:+.3f}, {gain.high:+.3f}])"
    )
    passed = gain.low > 0 and gain.estimate > curve.tolerance
    if gain.low > 0 and not passed:
        claim += f"; up to {curve.tolerance:g} is not counted"
    return _finding(claim, passed, alone, control_of("nothing kept: PCK", curve.pck(none)))


def _sides(curve: TruncationCurve, noise: NoiseClaim) -> tuple[ComponentSubset, ComponentSubset]:
    return ComponentSubset("first", noise.count), ComponentSubset("last", curve.axes - noise.count)


def _finding(claim: str, passed: bool, value: Interval, control: Control) -> Finding:
    return Finding(f"{_capital(claim)}.", value.estimate, value.low, value.high, control, passed, _PICTURE)


def _sufficient(curve: TruncationCurve) -> str:
    if curve.sufficient is None:
        return f"not even of all {curve.axes} that were kept is it certain that they reach the intact network"
    if curve.sufficient == 0:
        return "none is needed, for nothing is lost without any of them"
    if curve.sufficient == curve.axes:
        return f"all {curve.axes} are needed, {_too_few(curve)}"
    return f"the first {curve.sufficient} suffice, {_too_few(curve)}"


def _too_few(curve: TruncationCurve) -> str:
    count = curve.insufficient
    if count is None:
        return "fewer were not tried"
    drop = curve.drop(ComponentSubset("first", count))
    if drop.low <= curve.tolerance:
        return f"of {count or 'none'} it cannot be told ({_drop_words(drop)})"
    return f"{count or 'none'} {'do' if count != 1 else 'does'} not ({_drop_words(drop)})"


def _drop_words(drop: Interval) -> str:
    return f"drop {drop.estimate:.3f} [{drop.low:.3f}, {drop.high:.3f}]"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
