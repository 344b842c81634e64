"""Rules in words: a short phrase after "persons", and the exact conditions with thresholds and units.

persons with legs out of view and in dark images
less than 50 % of the knees and ankles labelled; mean brightness less than 21 % of white
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.failure_slices.rules import Columns, Condition, Rule

__all__ = [
    "COMPONENT",
    "MAGNITUDES",
    "PROPERTY_WORDS",
    "RuleWords",
    "component_number",
    "describe_rule",
    "exact_words",
    "short_words",
]

COMPONENT = "component_"  # features are named component_1 and so on
# Columns of magnitudes of signed attributes: a profile to the left and one to the right are one group.
MAGNITUDES: Mapping[str, str] = {"head_aside": "looking_right", "shoulder_width": "facing"}
_MORE_THAN_HALF = 0.5
_STRONGEST = "whose strongest attributes run from"

_PHRASES: Mapping[str, tuple[str, str]] = {
    "standing": ("who sit or lie", "who stand"),
    "torso_tilt": ("with an upright torso", "with a tilted torso"),
    "hip_angle": ("with bent hips", "with stretched hips"),
    "knee_angle": ("with bent knees", "with stretched knees"),
    "arms_raised": ("with the arms down", "with raised arms"),
    "elbow_angle": ("with bent elbows", "with stretched elbows"),
    "facing": ("seen from behind or from the side", "seen from the front"),
    "looking_right": ("with the head turned to the left", "with the head turned to the right"),
    "head_aside": ("with the head straight", "with the head turned to the side"),
    "shoulder_width": ("seen from the side", "seen from the front or from behind"),
    "reach": ("with hands and feet near the body", "with hands or feet far from the body"),
    "legs_apart": ("with the legs together", "with the legs apart"),
    "legs_labelled": ("with legs out of view", "with whole legs in view"),
    "neighbour_offset": ("with other persons to their left in the image", "with other persons to their right in the image"),
    "size": ("who are small in the image", "who are large in the image"),
    "truncated": ("inside the image", "cut at the border of the image"),
    "crowding": ("not overlapped by others", "overlapped by others"),
    "labelled": ("with few labelled joints", "with many labelled joints"),
    "occluded": ("with few hidden joints", "with many hidden joints"),
    "brightness": ("in dark images", "in bright images"),
    "contrast": ("in images of low contrast", "in images of high contrast"),
    "detail": ("in smooth images", "in images with much detail"),
}

PROPERTY_WORDS: Mapping[str, str] = {
    "size": "size in the image",
    "truncated": "position inside or at the border of the image",
    "crowding": "number of overlapping persons",
    "labelled": "number of labelled joints",
    "occluded": "share of hidden joints",
    "several": "known properties (size, border, overlap, labels, hidden joints)",
}


def _signed(text: str, positive: str, negative: str) -> Callable[[str, float], str]:
    """Return a phrase of a length in one direction: less than -0.5 to the right is more than 0.5 to the left."""

    def phrase(comparison: str, threshold: float) -> str:
        turned = {"less than": "more than", "more than": "less than"}[comparison] if threshold < 0 else comparison
        return text.format(comparison=turned, length=abs(threshold), side=negative if threshold < 0 else positive)

    return phrase


def _plain(text: str, factor: float = 1.0) -> Callable[[str, float], str]:
    return lambda comparison, threshold: text.format(comparison=comparison, value=factor * threshold)


def _count(text: str) -> Callable[[str, float], str]:
    def phrase(comparison: str, threshold: float) -> str:
        number = int(np.floor(threshold))
        return text.format(number=f"at most {number}" if comparison == "less than" else f"at least {number + 1}")

    return phrase


_EXACT: Mapping[str, Callable[[str, float], str]] = {
    "standing": _signed("hips {comparison} {length:.1f} torso lengths {side} the ankles", "above", "below"),
    "torso_tilt": _plain("torso tilted by {comparison} {value:.0f} degrees"),
    "hip_angle": _plain("angle at the hips {comparison} {value:.0f} degrees"),
    "knee_angle": _plain("angle at the knees {comparison} {value:.0f} degrees"),
    "arms_raised": _signed("wrists {comparison} {length:.1f} torso lengths {side} the shoulders", "above", "below"),
    "elbow_angle": _plain("angle at the elbows {comparison} {value:.0f} degrees"),
    "facing": _signed(
        "left shoulder {comparison} {length:.2f} torso lengths to the {side} of the right one in the image", "right", "left"
    ),
    "looking_right": _signed(
        "nose {comparison} {length:.2f} torso lengths to the {side} of the middle of the shoulders", "right", "left"
    ),
    "head_aside": _plain("nose {comparison} {value:.2f} torso lengths beside the middle of the shoulders"),
    "shoulder_width": _plain("shoulders {comparison} {value:.2f} torso lengths apart in the image"),
    "reach": _plain("wrists and ankles on average {comparison} {value:.1f} torso lengths from the middle of the torso"),
    "legs_apart": _plain("ankles {comparison} {value:.1f} torso lengths apart"),
    "legs_labelled": _plain("{comparison} {value:.0f} % of the knees and ankles labelled", 100),
    "neighbour_offset": _signed("other persons on average {comparison} {length:.2f} box sides to the {side}", "right", "left"),
    "size": lambda comparison, threshold: f"longer side of the box {comparison} {2**threshold:.0f} px",
    "truncated": lambda comparison, _: (
        "box does not touch the border of the image" if comparison == "less than" else "box touches the border of the image"
    ),
    "crowding": _count("{number} overlapping boxes of other persons"),
    "labelled": _count("{number} labelled joints"),
    "occluded": _plain("{comparison} {value:.0f} % of the labelled joints hidden", 100),
    "brightness": _plain("mean brightness {comparison} {value:.0f} % of white", 100),
    "contrast": _plain("standard deviation of the grey values {comparison} {value:.0f} % of white", 100),
    "detail": _plain("mean difference of neighbouring pixels {comparison} {value:.1f} % of white", 100),
}


@dataclass(frozen=True)
class RuleWords:
    """A rule in words.

    Attributes:
        short: phrase after "persons", without numbers.
        exact: the conditions with thresholds and units.
    """

    short: str
    exact: str


def describe_rule(rule: Rule, columns: Columns, components: Mapping[int, tuple[str, str]]) -> RuleWords:
    """Return a rule in words.

    Args:
        rule: the rule.
        columns: the columns of the persons: a condition that most persons fulfil is named by its exception.
        components: words for the low and high end by number of the component (from 1); components without a name are left out.
    """
    positive, excepted = [], []
    for condition in rule.conditions:
        values = columns[condition.feature]
        known = ~np.isnan(values)
        most = bool(condition.covers(values).sum() > _MORE_THAN_HALF * known.sum()) and condition.comparison != "unknown"
        turned = Condition(condition.feature, "above" if condition.comparison == "below" else "below", condition.threshold)
        if most and condition.feature not in {"truncated", "crowding"}:
            excepted.append(short_words(turned, components))
        else:
            positive.append(short_words(condition, components))
    short = _join(positive)
    if excepted:
        short = f"{short}{', ' if short else ''}except those {' and those '.join(excepted)}"
    return RuleWords(short, "; ".join(exact_words(condition) for condition in rule.conditions))


def _join(phrases: Sequence[str]) -> str:
    """Join phrases by "and", after a comma where the one before ends with a clause."""
    text = ""
    for phrase in phrases:
        comma = "," if _STRONGEST in text else ""
        text = f"{text}{comma} and {phrase}" if text else phrase
    return text


def short_words(condition: Condition, components: Mapping[int, tuple[str, str]]) -> str:
    """Return a phrase after "persons", without numbers but that of a component."""
    number = component_number(condition.feature)
    is_high = condition.comparison == "above"
    if number is not None:
        part = f"in the {'highest' if is_high else 'lowest'} part of component {number}"
        # The part is not named by its end: persons without the property of the end are in it as well.
        low, high = components.get(number, ("", ""))
        return f"{part}, {_STRONGEST} “{low}” to “{high}”" if low else part
    attribute = attribute_named(MAGNITUDES.get(condition.feature, condition.feature))
    if condition.comparison == "unknown":
        return f"with {attribute.words(is_high=True, of_unknown=True)}"
    if condition.feature in _PHRASES:
        return _PHRASES[condition.feature][is_high]
    return f"with {attribute.words(is_high=is_high)}"


def exact_words(condition: Condition) -> str:
    """Return the condition with its threshold and unit."""
    attribute = attribute_named(MAGNITUDES.get(condition.feature, condition.feature))
    number = component_number(condition.feature)
    if condition.comparison == "unknown":
        return attribute.words(is_high=True, of_unknown=True)
    comparison = "less than" if condition.comparison == "below" else "more than"
    if number is not None:
        text = "{comparison} {length:.1f} standard deviations {side} the mean"
        return f"component {number} {_signed(text, 'above', 'below')(comparison, condition.threshold)}"
    if condition.feature in _EXACT:
        return _EXACT[condition.feature](comparison, condition.threshold)
    return f"{condition.feature} {comparison} {condition.threshold:.3g} {attribute.unit}".strip()


def component_number(feature: str) -> int | None:
    """Return the number of a component (`component_9` is 9); none for another feature."""
    number = feature.removeprefix(COMPONENT)
    return int(number) if feature.startswith(COMPONENT) and number.isdigit() else None
