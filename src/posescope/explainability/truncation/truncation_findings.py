"""Findings, facts and note of the analysis `truncation`.

layer matters           PCK falls if all components of the layer are set to their mean    control: all components kept
first k suffice         PCK does not fall with the first k components                     control: k random components
later ones are noise    the thesis's claim for the components after the first n            control: n random components
later ones predict      PCK rises with the components after the first n alone             control: no components
"""

from collections.abc import Sequence

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.base import AnalysisInputs, Facts
from posescope.explainability.components.pca import Components
from posescope.explainability.findings import Control, Finding, control_of, finding_from_claim
from posescope.explainability.truncation.component_subsets import INTACT, ComponentSubset, subset_of
from posescope.explainability.truncation.truncation_curve import TruncationCurve

__all__ = ["describe", "facts_of", "findings_of"]

_CONDITIONS = {
    "own": "with each person's own skip activations",
    "mean": "with mean skip activations",
    "none": "in this network without skip connections",
}
_SHOWN_IN = "truncation_curve"
_NO_COMPONENTS = ComponentSubset("first", 0)


def facts_of(curves: Sequence[TruncationCurve], inputs: AnalysisInputs, noise_after: int | None) -> Facts:
    """Collect numbers by name; names of numbers of one curve end in `_own`, `_mean` or `_none`.

    Args:
        curves: measured curves.
        inputs: inputs of the analysis.
        noise_after: number of components after which the thesis calls the others noise; None: there are too few components.
    """
    facts: Facts = {
        "persons": curves[0].persons,
        "features": inputs.judged.features.values.shape[1],
        "components": len(inputs.components),
        "components_explained_variance_ratio": _variance_ratio(inputs.components, len(inputs.components)),
        "noise_from": noise_after + 1 if noise_after else None,
    }
    for curve in curves:
        whole = ComponentSubset("first", curve.axes)
        own: Facts = {"pck_intact": curve.pck(INTACT).estimate, "pck_no_components": curve.pck(_NO_COMPONENTS).estimate}
        own |= {"drop_no_components": curve.drop(_NO_COMPONENTS).estimate, "drop_all_components": curve.drop(whole).estimate}
        own["components_sufficient"] = curve.sufficient
        if noise_after:
            own |= curve.drop(ComponentSubset("first", noise_after)).columns("noise_drop")
            own["pck_remaining_components"] = curve.pck(ComponentSubset("last", curve.axes - noise_after)).estimate
        facts |= {f"{name}_{curve.skips}": value for name, value in own.items()}
    return facts


def findings_of(curves: Sequence[TruncationCurve], inputs: AnalysisInputs, noise_after: int | None) -> tuple[Finding, ...]:
    """Return the findings of all curves; their `importance` is 0.

    Args:
        curves, inputs, noise_after: see `facts_of`.
    """
    found = []
    for curve in curves:
        found += [_claim_layer_matters(curve, inputs.judged.features.layer), _claim_first_suffice(curve)]
        if noise_after:
            found += [_claim_noise(curve, noise_after, inputs.components), _claim_remaining_predict(curve, noise_after)]
    return tuple(found)


def describe(curves: Sequence[TruncationCurve], inputs: AnalysisInputs) -> str:
    """Summarise the curves in one paragraph.

    Args:
        curves, inputs: see `facts_of`.
    """
    axes = len(inputs.components)
    sentences = [
        f"The features of {curves[0].persons} persons at {inputs.judged.features.layer} "
        f"({inputs.judged.features.values.shape[1]} numbers, {axes} components "
        f"that explain {_variance_ratio(inputs.components, axes):.1%} of the variance) were reconstructed from "
        "subsets of their components and decoded. Components are sufficient if the upper end of the 95 % interval of the PCK "
        f"drop is at most {curves[0].tolerance:g}."
    ]
    for curve in curves:
        intact, none = curve.pck(INTACT), curve.pck(_NO_COMPONENTS)
        sentences.append(
            f"{_capital(_CONDITIONS[curve.skips])}, PCK is {intact.estimate:.3f} with all components and {none.estimate:.3f} "
            f"without any. {_capital(_sufficient(curve))}."
        )
        if curve.skips == "own" and curve.drop(_NO_COMPONENTS).estimate < intact.estimate / 2:
            sentences.append(
                "Most of the prediction comes by the skip connections, so this curve says little about the content of the layer."
            )
    sentences.append(
        "The components were computed from the features of all analysed persons; annotated joints were not used. The network was "
        "not trained on truncated features."
    )
    return " ".join(sentences)


def _variance_ratio(components: Components, count: int) -> float:
    """Return the fraction of the variance that the first components explain together."""
    return float(components.explained_variance_ratio[:count].sum())


def _claim_layer_matters(curve: TruncationCurve, layer: str) -> Finding:
    whole = ComponentSubset("first", curve.axes)
    drop, gap = curve.drop(_NO_COMPONENTS), curve.drop(_NO_COMPONENTS, reference=whole)
    passed = drop.low > 0 and gap.low > 0 and drop.estimate > curve.tolerance
    verdict = "depends" if passed else "is not shown to depend"
    claim = (
        f"{_CONDITIONS[curve.skips]}, the prediction {verdict} on {layer}: with all its components at their mean, "
        f"PCK changes from {curve.pck(INTACT).estimate:.3f} to {curve.pck(_NO_COMPONENTS).estimate:.3f} (drop {drop:.3f})"
    )
    return _finding(claim, passed, drop, control_of(f"the PCK drop with all {curve.axes} components kept", curve.drop(whole)))


def _claim_first_suffice(curve: TruncationCurve) -> Finding:
    if curve.sufficient in (None, 0, curve.axes):
        drop = curve.drop(ComponentSubset("first", curve.axes if curve.sufficient is None else curve.sufficient))
        claim = (
            f"{_CONDITIONS[curve.skips]}, it is not shown that some of the first components are needed and sufficient: "
            f"{_sufficient(curve)} (drop {drop:.3f})"
        )
        return _finding(claim, False, drop, control_of("the PCK drop without components", curve.drop(_NO_COMPONENTS)))
    count = curve.sufficient or 0
    first, random = ComponentSubset("first", count), subset_of("random", count, curve.axes)
    drop, gap = curve.drop(first), curve.drop(random, reference=first)
    passed = gap.low > 0
    verdict = "are sufficient" if passed else "are not shown to be better than random ones"
    claim = (
        f"{_CONDITIONS[curve.skips]}, the first {count} of {curve.axes} components {verdict}: PCK is "
        f"{curve.pck(first).estimate:.3f} with them and {curve.pck(INTACT).estimate:.3f} with all components "
        f"(drop {drop:.3f}); {_too_few(curve)}"
    )
    return _finding(claim, passed, drop, control_of(f"the PCK drop with {count} random components", curve.drop(random)))


def _claim_noise(curve: TruncationCurve, count: int, components: Components) -> Finding:
    first, random = ComponentSubset("first", count), subset_of("random", count, curve.axes)
    drop, gap = curve.drop(first), curve.drop(random, reference=first)
    claim = (
        f"{_CONDITIONS[curve.skips]}, {_noise_verdict(curve, count, drop, gap)}: with the first {count} components "
        f"({_variance_ratio(components, count):.0%} of the variance) PCK is {curve.pck(first).estimate:.3f}, with all "
        f"components {curve.pck(INTACT).estimate:.3f} (drop {drop:.3f})"
    )
    passed = curve.loses_nothing(first) and gap.low > 0
    if gap.low <= 0:
        claim += f"; {count} random components are not significantly worse"
    return _finding(claim, passed, drop, control_of(f"the PCK drop with {count} random components", curve.drop(random)))


def _noise_verdict(curve: TruncationCurve, count: int, drop: Interval, gap: Interval) -> str:
    later = f"components {count + 1} to {curve.axes}"
    if drop.low > curve.tolerance:
        return f"{later} affect PCK, contrary to the thesis, which calls them noise"
    if drop.high > curve.tolerance:
        return (
            f"it is uncertain whether {later} are noise, as the thesis says (a PCK drop up to {curve.tolerance:g} does not count)"
        )
    if gap.low <= 0:
        return f"{later} are not shown to be noise, as the thesis says"
    return f"the first {count} components are sufficient, so {later} are noise for PCK, as the thesis says"


def _claim_remaining_predict(curve: TruncationCurve, count: int) -> Finding:
    rest = ComponentSubset("last", curve.axes - count)
    alone, gain = curve.pck(rest), curve.drop(_NO_COMPONENTS, reference=rest)
    passed = gain.low > 0 and gain.estimate > curve.tolerance
    amount = "information" if passed else "only negligible information" if gain.low > 0 else "no measurable information"
    claim = (
        f"{_CONDITIONS[curve.skips]}, components {count + 1} to {curve.axes} alone carry {amount} about the pose: PCK is "
        f"{alone.estimate:.3f} with them and {curve.pck(_NO_COMPONENTS).estimate:.3f} without any component (difference "
        f"{gain:+.3f})"
    )
    if gain.low > 0 and not passed:
        claim += f"; a gain up to {curve.tolerance:g} does not count"
    return _finding(claim, passed, alone, control_of("PCK without components", curve.pck(_NO_COMPONENTS)))


def _finding(claim: str, passed: bool, value: Interval, control: Control) -> Finding:
    return finding_from_claim(f"{_capital(claim)}.", value, control, passed=passed, picture=_SHOWN_IN)


def _sufficient(curve: TruncationCurve) -> str:
    if curve.sufficient is None:
        return f"even with all {curve.axes} components, a PCK drop above {curve.tolerance:g} is not excluded"
    if curve.sufficient == 0:
        return "no component is needed, since PCK does not drop without them"
    if curve.sufficient == curve.axes:
        return f"all {curve.axes} components are needed; {_too_few(curve)}"
    return f"the first {curve.sufficient} components are sufficient; {_too_few(curve)}"


def _too_few(curve: TruncationCurve) -> str:
    count = curve.insufficient
    if count is None:
        return "fewer were not measured"
    drop, verb = curve.drop(ComponentSubset("first", count)), "is" if count == 1 else "are"
    if drop.low <= curve.tolerance:
        return f"whether {count or 'none'} {verb} sufficient is uncertain (drop {drop:.3f})"
    return f"{count} {verb} not sufficient (drop {drop:.3f})"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
