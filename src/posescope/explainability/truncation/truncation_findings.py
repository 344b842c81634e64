"""Findings, facts and note of the analysis `truncation`.

layer matters           PCK falls if all components of the layer are set to their mean    control: all components kept
first k suffice         PCK does not fall with the first k components                     control: k random components
later ones are noise    the study's claim for the components after the first n            control: n random components
later ones predict      PCK rises with the components after the first n alone             control: no components
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.findings import Control, Finding, control_of
from posescope.explainability.paired_pck import interval_columns
from posescope.explainability.truncation.component_subsets import INTACT, ComponentSubset, subset_of
from posescope.explainability.truncation.truncation_curve import TruncationCurve

__all__ = ["NoiseClaim", "TruncationSetup", "describe", "facts_of", "findings_of"]

Facts = dict[str, float | int | str | None]
_CONDITIONS = {
    "own": "with each person's own skip activations",
    "mean": "with mean skip activations",
    "none": "in this network without skip connections",
}
_SHOWN_IN = "truncation"
_NO_COMPONENTS = ComponentSubset("first", 0)


@dataclass(frozen=True)
class NoiseClaim:
    """The study's claim that the components after the first ones are noise.

    Attributes:
        count: number of first components.
        explained_variance_ratio: fraction of the variance that they explain together.
    """

    count: int
    explained_variance_ratio: float


@dataclass(frozen=True)
class TruncationSetup:
    """Persons, layer and components of the analysis.

    Attributes:
        layer: name of the layer.
        persons: number of scored persons.
        features: D, numbers per person.
        axes: P, number of components.
        explained_variance_ratio: fraction of the variance that they explain together.
        noise: the study's claim; None if there are too few components for it.
    """

    layer: str
    persons: int
    features: int
    axes: int
    explained_variance_ratio: float
    noise: NoiseClaim | None


def facts_of(curves: Sequence[TruncationCurve], setup: TruncationSetup) -> Facts:
    """Collect numbers by name; names of numbers of one curve end in `_own`, `_mean` or `_none`.

    Args:
        curves: measured curves.
        setup: persons, layer and components.
    """
    facts: Facts = {"persons": setup.persons, "features": setup.features, "components": setup.axes}
    facts |= {
        "components_explained_variance_ratio": setup.explained_variance_ratio,
        "noise_from": setup.noise.count + 1 if setup.noise else None,
    }
    for curve in curves:
        whole = ComponentSubset("first", curve.axes)
        own: Facts = {"pck_intact": curve.pck(INTACT).estimate, "pck_no_components": curve.pck(_NO_COMPONENTS).estimate}
        own |= {"drop_no_components": curve.drop(_NO_COMPONENTS).estimate, "drop_all_components": curve.drop(whole).estimate}
        own["components_sufficient"] = curve.sufficient
        if setup.noise:
            first, rest = _split(curve, setup.noise)
            own |= interval_columns("noise_drop", curve.drop(first))
            own["pck_remaining_components"] = curve.pck(rest).estimate
        facts |= {f"{name}_{curve.skips}": value for name, value in own.items()}
    return facts


def findings_of(curves: Sequence[TruncationCurve], setup: TruncationSetup) -> tuple[Finding, ...]:
    """Return the findings of all curves (see `facts_of`); none has PCK at stake, since none is about errors on real data."""
    return tuple(finding for curve in curves for finding in _findings(curve, setup))


def describe(curves: Sequence[TruncationCurve], setup: TruncationSetup) -> str:
    """Summarise the curves (see `facts_of`) in one paragraph."""
    sentences = [
        f"The features of {setup.persons} persons at {setup.layer} ({setup.features} numbers, {setup.axes} components that "
        f"explain {setup.explained_variance_ratio:.1%} of the variance) were reconstructed from subsets of their components and "
        "decoded."
    ]
    for curve in curves:
        intact, none = curve.pck(INTACT), curve.pck(_NO_COMPONENTS)
        sentences.append(
            f"{_capital(_CONDITIONS[curve.skips])} PCK is {intact.estimate:.3f}, and {none.estimate:.3f} without components; "
            f"{_sufficient(curve)}."
        )
        if curve.skips == "own" and curve.drop(_NO_COMPONENTS).estimate < intact.estimate / 2:
            sentences.append("Most of the prediction bypasses the layer, so this curve says little about its content.")
    sentences.append(
        f"A number of components suffices if the whole interval of the drop of PCK is within {curves[0].tolerance:g}. The "
        "components are computed from the same persons, without annotated joints. The network was not trained for truncated "
        "features."
    )
    return " ".join(sentences)


def _findings(curve: TruncationCurve, setup: TruncationSetup) -> Iterator[Finding]:
    yield _claim_layer_matters(curve, setup.layer)
    yield _claim_first_suffice(curve)
    if setup.noise:
        yield _claim_noise(curve, setup.noise)
        yield _claim_remaining_predict(curve, setup.noise)


def _claim_layer_matters(curve: TruncationCurve, layer: str) -> Finding:
    whole = ComponentSubset("first", curve.axes)
    drop, gap = curve.drop(_NO_COMPONENTS), curve.drop(_NO_COMPONENTS, reference=whole)
    passed = drop.low > 0 and gap.low > 0 and drop.estimate > curve.tolerance
    claim = (
        f"{_CONDITIONS[curve.skips]}, the prediction depends on {layer}: with all its components at their mean, PCK changes from "
        f"{curve.pck(INTACT).estimate:.3f} to {curve.pck(_NO_COMPONENTS).estimate:.3f} ({_drop_words(drop)})"
    )
    return _finding(claim, passed, drop, control_of(f"all {curve.axes} components kept: drop", curve.drop(whole)))


def _claim_first_suffice(curve: TruncationCurve) -> Finding:
    if curve.sufficient in (None, 0, curve.axes):
        drop = curve.drop(ComponentSubset("first", curve.axes if curve.sufficient is None else curve.sufficient))
        claim = f"{_CONDITIONS[curve.skips]}, some of the first components suffice: {_sufficient(curve)} ({_drop_words(drop)})"
        return _finding(claim, False, drop, control_of("no components: drop", curve.drop(_NO_COMPONENTS)))
    count = curve.sufficient or 0
    first, random = ComponentSubset("first", count), subset_of("random", count, curve.axes)
    drop, gap = curve.drop(first), curve.drop(random, reference=first)
    claim = (
        f"{_CONDITIONS[curve.skips]}, the first {count} of {curve.axes} components suffice: PCK {curve.pck(first).estimate:.3f}, "
        f"{curve.pck(INTACT).estimate:.3f} intact ({_drop_words(drop)}); {_too_few(curve)}"
    )
    passed = gap.low > 0
    return _finding(
        claim if passed else f"{claim}; {count} random components do as well",
        passed,
        drop,
        control_of(f"{count} random components: drop", curve.drop(random)),
    )


def _claim_noise(curve: TruncationCurve, noise: NoiseClaim) -> Finding:
    first, _ = _split(curve, noise)
    random = subset_of("random", noise.count, curve.axes)
    drop, gap = curve.drop(first), curve.drop(random, reference=first)
    claim = (
        f"{_CONDITIONS[curve.skips]}, the components after number {noise.count} are noise, as the study says: the first "
        f"{noise.count}, which explain {noise.explained_variance_ratio:.0%} of the variance, reach a PCK of "
        f"{curve.pck(first).estimate:.3f}, {curve.pck(INTACT).estimate:.3f} intact ({_drop_words(drop)})"
    )
    passed = curve.loses_nothing(first) and gap.low > 0
    if drop.low <= curve.tolerance < drop.high:
        claim += f"; whether the drop is within {curve.tolerance:g} is uncertain"
    if gap.low <= 0:
        claim += f"; {noise.count} random components do as well, so nothing follows"
    return _finding(claim, passed, drop, control_of(f"{noise.count} random components: drop", curve.drop(random)))


def _claim_remaining_predict(curve: TruncationCurve, noise: NoiseClaim) -> Finding:
    _, rest = _split(curve, noise)
    alone, gain = curve.pck(rest), curve.drop(_NO_COMPONENTS, reference=rest)
    claim = (
        f"{_CONDITIONS[curve.skips]}, components {noise.count + 1} to {curve.axes} alone carry information about a person: they "
        f"change PCK from {curve.pck(_NO_COMPONENTS).estimate:.3f} to {alone.estimate:.3f} (by {gain.estimate:+.3f} "
        f"[{gain.low:+.3f}, {gain.high:+.3f}])"
    )
    passed = gain.low > 0 and gain.estimate > curve.tolerance
    if gain.low > 0 and not passed:
        claim += f"; a gain up to {curve.tolerance:g} does not count"
    return _finding(claim, passed, alone, control_of("no components: PCK", curve.pck(_NO_COMPONENTS)))


def _split(curve: TruncationCurve, noise: NoiseClaim) -> tuple[ComponentSubset, ComponentSubset]:
    return ComponentSubset("first", noise.count), ComponentSubset("last", curve.axes - noise.count)


def _finding(claim: str, passed: bool, value: Interval, control: Control) -> Finding:
    return Finding(f"{_capital(claim)}.", value.estimate, value.low, value.high, control, passed, _SHOWN_IN)


def _sufficient(curve: TruncationCurve) -> str:
    if curve.sufficient is None:
        return f"even with all {curve.axes} components the drop is not certainly within the tolerance"
    if curve.sufficient == 0:
        return "no component is needed, since nothing is lost without them"
    if curve.sufficient == curve.axes:
        return f"all {curve.axes} components are needed, {_too_few(curve)}"
    return f"the first {curve.sufficient} suffice, {_too_few(curve)}"


def _too_few(curve: TruncationCurve) -> str:
    count = curve.insufficient
    if count is None:
        return "fewer were not measured"
    drop = curve.drop(ComponentSubset("first", count))
    if drop.low <= curve.tolerance:
        return f"for {count or 'none'} it is uncertain ({_drop_words(drop)})"
    return f"{count or 'none'} {'do' if count != 1 else 'does'} not ({_drop_words(drop)})"


def _drop_words(drop: Interval) -> str:
    return f"drop {drop.estimate:.3f} [{drop.low:.3f}, {drop.high:.3f}]"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
