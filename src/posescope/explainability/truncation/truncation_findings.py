"""Findings, facts, note and captions of the analysis `truncation`.

first k are enough      PCK does not fall with the first k components         control: the span of k random persons
better than persons     PCK is higher with the first k components             control: the span of k random persons
later ones are noise    the thesis's claim for the components after n         control: the span of n random persons

k is chosen on the fitted persons, and the answers are of the judged ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.answers import Question, answer_at_most, answer_more
from posescope.explainability.base import AnalysisInputs, Facts
from posescope.explainability.components.pca import Components
from posescope.explainability.findings import Finding, control_of
from posescope.explainability.truncation.component_subsets import INTACT, ComponentSubset
from posescope.explainability.truncation.truncation_curve import TruncationCurve

__all__ = ["TruncationStudy", "caption_results", "describe", "facts_of", "findings_of"]

_CONDITIONS = {"own": "with unchanged skip connections", "mean": "with skip connections at their average", "none": ""}
_CURVE, _JOINTS = "truncation_curve", "truncation_joints"
_NO_COMPONENTS = ComponentSubset("first", 0)

_CAPTIONS: Mapping[str, str] = MappingProxyType(
    {
        _CURVE: "How good the network is when its layer receives only a part of the features: the first components (blue), or "
        "what the features of as many random persons span (orange). The dashed line is the whole network. Where the blue line "
        "meets the dashed one, more components add nothing.",
        _JOINTS: "Loss of PCK of each joint when only the first components are kept{conditions}. Red: more joints are wrong.",
        "truncation": "PCK with each part of the features, its drop from the whole network, and 95 % intervals.",
        "truncation_hits": "Which joints of each person are correct with each part of the features: 1 correct, 0 wrong, - "
        "unlabelled, in the model's order of joints.",
        "truncation_persons": "Photograph of each judged person, and the draw of random persons of its control.",
        "truncation_draws": "The random persons of each draw; the span of k persons is that of the first k.",
    }
)


@dataclass(frozen=True)
class TruncationStudy:
    """What was measured.

    Attributes:
        inputs: inputs of the analysis.
        curves: curves of the judged persons, one per treatment of the skip connections.
        chosen_on: curve of the fitted persons, which gives the number of components that is asked about.
        noise_after: number of components after which the thesis calls the others noise; None: there are too few components.
    """

    inputs: AnalysisInputs
    curves: Sequence[TruncationCurve]
    chosen_on: TruncationCurve
    noise_after: int | None

    @property
    def components(self) -> Components:
        """The components."""
        return self.inputs.components


def caption_results(study: TruncationStudy) -> dict[str, str]:
    """Return a caption for each plot, image and table."""
    conditions = " and ".join(_CONDITIONS[curve.skips] for curve in study.curves)
    return {name: text.format(conditions=conditions and f", {conditions}") for name, text in _CAPTIONS.items()}


def facts_of(study: TruncationStudy) -> Facts:
    """Collect numbers by name; names of numbers of one curve end in `_own`, `_mean` or `_none`."""
    curves, components, noise_after = study.curves, study.components, study.noise_after
    facts: Facts = {
        "persons": curves[0].persons,
        "fitted_persons": study.chosen_on.persons,
        "features": study.inputs.judged.features.values.shape[1],
        "components": len(components),
        "components_explained_variance_ratio": _variance_ratio(components, len(components)),
        "components_asked": study.chosen_on.asked_count,
        "noise_from": noise_after + 1 if noise_after else None,
        "seed": study.inputs.seed,
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


def findings_of(study: TruncationStudy) -> tuple[Finding, ...]:
    """Return the findings; their `importance` is 0, since they are not about errors of the whole network."""
    curve, count = study.curves[0], study.chosen_on.asked_count
    found = []
    if count is not None and ComponentSubset("persons", count) in curve.hits:
        found += [_ask_enough(study, curve, count), _ask_better_than_persons(study, curve, count)]
    if study.noise_after and ComponentSubset("persons", study.noise_after) in study.curves[-1].hits:
        found.append(_ask_noise(study, study.curves[-1], study.noise_after))
    return tuple(found)


def _ask_enough(study: TruncationStudy, curve: TruncationCurve, count: int) -> Finding:
    drop = curve.drop(ComponentSubset("first", count))
    answer = answer_at_most(drop, curve.tolerance)
    parts, change = _first_of(count, curve.axes), f"without the others the PCK {_change(drop)}"
    are = "is" if count == 1 else "are"
    question = Question(
        id="components-are-enough",
        text=f"{'Is' if count == 1 else 'Are'} {parts} enough for the network?",
        yes=f"{_capital(parts)} {are} enough: {change}.",
        no=f"{_capital(parts)} {are} not enough: {change}.",
        unclear=f"It is not clear whether {parts} {are} enough: {change}.",
    )
    none = curve.pck(_NO_COMPONENTS).estimate
    return question.to_finding(
        answer,
        drop,
        "drop of PCK",
        control_of(_persons_words(count), curve.drop(ComponentSubset("persons", count))),
        picture=_CURVE,
        detail=f"A drop up to {curve.tolerance:g} does not count, and the number was chosen on {study.chosen_on.persons} other "
        f"persons. {_under(curve, 'the PCK is')} {curve.pck(INTACT).estimate:.3f} with all components and "
        f"{none:.3f} without any.",
    )


def _ask_better_than_persons(study: TruncationStudy, curve: TruncationCurve, count: int) -> Finding:
    first, persons = ComponentSubset("first", count), ComponentSubset("persons", count)
    pck, gain = curve.pck(first), curve.drop(persons, reference=first)
    answer = answer_more(gain, curve.tolerance)
    reached = f"With {_first_of(count, curve.axes)} the PCK is {pck.estimate:.3f}"
    than = f"with the features of {_random_persons(count)}"
    no = "lower than" if gain.high < 0 else "no higher than"
    question = Question(
        id="components-beat-random-persons",
        text=f"Do {_first_of(count, curve.axes)} keep more of what the network needs than the features of "
        f"{_random_persons(count)} do?",
        yes=f"{reached}, higher than {than}.",
        no=f"{reached}, {no} {than}.",
        unclear=f"{reached}, which is not clearly higher than {than}.",
    )
    return question.to_finding(
        answer,
        pck,
        "PCK",
        control_of(f"PCK with the span of the features of {_random_persons(count)}", curve.pck(persons)),
        picture=_CURVE,
        detail=f"The difference, paired by person, is {gain:+.3f}. The random persons are of "
        f"{len(study.inputs.fitted)} fitted persons, in several draws.",
    )


def _ask_noise(study: TruncationStudy, curve: TruncationCurve, count: int) -> Finding:
    drop = curve.drop(ComponentSubset("first", count))
    answer = answer_at_most(drop, curve.tolerance)
    change = f"Without the components after the first {count} the PCK {_change(drop)}"
    question = Question(
        id="later-components-are-noise",
        text=f"Are the components after the first {count} noise, as the thesis says?",
        yes=f"{change}: for the prediction they are noise.",
        no=f"{change}: they are not noise.",
        unclear=f"{change}; whether they are noise is not clear.",
    )
    alone = curve.pck(ComponentSubset("last", curve.axes - count)).estimate
    return question.to_finding(
        answer,
        drop,
        "drop of PCK",
        control_of(_persons_words(count), curve.drop(ComponentSubset("persons", count))),
        picture=_JOINTS,
        detail=f"{_measured(curve)} drop up to {curve.tolerance:g} does not count. The first {count} explain "
        f"{_variance_ratio(study.components, count):.0%} of the variance; the later ones alone give a PCK of {alone:.3f}, no "
        f"component at all {curve.pck(_NO_COMPONENTS).estimate:.3f}.",
    )


def describe(study: TruncationStudy) -> str:
    """Summarise the curves in one paragraph."""
    curves, components, features = study.curves, study.components, study.inputs.judged.features
    sentences = [
        f"The features of {curves[0].persons} persons at {features.layer} ({features.values.shape[1]} numbers, "
        f"{len(components)} components that explain {_variance_ratio(components, len(components)):.1%} of the variance) were "
        "reconstructed from a part of their components and decoded. Components are sufficient if the upper end of the 95 % "
        f"interval of the PCK drop is at most {curves[0].tolerance:g}."
    ]
    for curve in curves:
        intact, none = curve.pck(INTACT), curve.pck(_NO_COMPONENTS)
        sentences.append(
            f"{_under(curve, 'PCK is')} {intact.estimate:.3f} with all components and {none.estimate:.3f} "
            f"without any. {_capital(_sufficient(curve))}."
        )
        if curve.skips == "own" and curve.drop(_NO_COMPONENTS).estimate < intact.estimate / 2:
            sentences.append(
                "Most of the prediction comes by the skip connections, so this curve says little about the content of the layer."
            )
    sentences.append(
        f"The components were computed from {len(study.inputs.fitted)} other persons. The network was not trained on truncated "
        "features."
    )
    return " ".join(sentences)


def _under(curve: TruncationCurve, statement: str) -> str:
    """Return the start of a sentence: under which treatment of the skip connections a statement holds, if there are any."""
    condition = _CONDITIONS[curve.skips]
    return _capital(f"{condition}, {statement}" if condition else statement)


def _measured(curve: TruncationCurve) -> str:
    condition = _CONDITIONS[curve.skips]
    return f"Measured {condition}; a" if condition else "A"


def _variance_ratio(components: Components, count: int) -> float:
    """Return the fraction of the variance that the first components explain together."""
    return float(components.explained_variance_ratio[:count].sum())


def _sufficient(curve: TruncationCurve) -> str:
    if curve.sufficient is None:
        return f"even with all {curve.axes} components, a PCK drop above {curve.tolerance:g} is not excluded"
    if curve.sufficient == 0:
        return "no component is needed, since PCK does not drop without them"
    if curve.sufficient == curve.axes:
        return f"all {curve.axes} components are needed; {_too_few(curve)}"
    return f"{_first_of(curve.sufficient, curve.axes)} are sufficient; {_too_few(curve)}"


def _too_few(curve: TruncationCurve) -> str:
    count = curve.insufficient
    if count is None:
        return "fewer were not measured"
    drop, verb = curve.drop(ComponentSubset("first", count)), "is" if count == 1 else "are"
    if drop.low <= curve.tolerance:
        return f"whether {count or 'none'} {verb} sufficient is uncertain (drop {drop:.3f})"
    return f"{count} {verb} not sufficient (drop {drop:.3f})"


def _first_of(count: int, axes: int) -> str:
    return f"the first of {axes} components" if count == 1 else f"the first {count} of {axes} components"


def _random_persons(count: int) -> str:
    return "a random person" if count == 1 else f"{count} random persons"


def _persons_words(count: int) -> str:
    return f"PCK drop with the span of the features of {_random_persons(count)}"


def _change(drop: Interval) -> str:
    return f"{'falls' if drop.estimate >= 0 else 'rises'} by {abs(drop.estimate):.3f}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
