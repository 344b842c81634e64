import numpy as np
import pytest

from posescope.explainability.attributes.person_attributes import ATTRIBUTES, IMAGE_ATTRIBUTES
from posescope.explainability.failure_slices.rules import Condition, Rule
from posescope.explainability.failure_slices.slice_words import component_number, describe_rule, exact_words, short_words

NAN = float("nan")


@pytest.mark.parametrize(
    ("condition", "exact"),
    [
        (Condition("legs_labelled", "below", 0.5), "less than 50 % of the knees and ankles labelled"),
        (Condition("labelled", "below", 12.5), "at most 12 labelled joints"),
        (Condition("crowding", "above", 0.5), "at least 1 overlapping boxes of other persons"),
        (Condition("arms_raised", "below", -1.2), "wrists more than 1.2 torso lengths below the shoulders"),
        (
            Condition("looking_right", "above", -0.3),
            "nose less than 0.30 torso lengths to the left of the middle of the shoulders",
        ),
        (Condition("size", "below", 6.0), "longer side of the box less than 64 px"),
        (Condition("truncated", "above", 0.5), "box touches the border of the image"),
        (Condition("component_9", "above", 1.2), "component 9 more than 1.2 standard deviations above the mean"),
        (Condition("component_9", "below", -1.2), "component 9 more than 1.2 standard deviations below the mean"),
        (Condition("knee_angle", "unknown", NAN), "knees or ankles not labelled"),
        (Condition("head_aside", "above", 0.3), "nose more than 0.30 torso lengths beside the middle of the shoulders"),
        (Condition("head_aside", "unknown", NAN), "nose not labelled"),
        (Condition("tail_length", "above", 3.0), "tail_length more than 3"),
    ],
)
def test_exact_words_have_thresholds_and_units(condition, exact):
    assert exact_words(condition) == exact


def test_every_attribute_has_words_in_both_directions():
    for attribute in (*ATTRIBUTES, *IMAGE_ATTRIBUTES):
        texts = {short_words(Condition(attribute.name, comparison, 0.0), {}) for comparison in ("below", "above")}
        assert len(texts) == 2
        assert not any(attribute.name in text for text in texts if "_" in attribute.name)


def test_a_slice_along_a_component_is_a_part_of_it_and_not_named_by_its_end():
    names = {3: ("legs out of view", "whole legs in view")}
    below = Condition("component_3", "below", -1.0)
    words = "in the lowest part of component 3, whose strongest attributes run from “legs out of view” to “whole legs in view”"
    assert short_words(below, names) == words
    assert short_words(Condition("component_3", "above", 1.0), names) == words.replace("lowest", "highest")
    assert short_words(below, {}) == "in the lowest part of component 3"
    columns = {"component_3": np.arange(-2.0, 8.0), "brightness": np.arange(10.0)}
    rule = Rule((below, Condition("brightness", "below", 2.5)))
    assert describe_rule(rule, columns, names).short == f"{words}, and in dark images"
    assert describe_rule(rule, columns, {}).short == "in the lowest part of component 3 and in dark images"
    assert (component_number("component_12"), component_number("size")) == (12, None)


def test_a_condition_that_most_fulfil_is_an_exception():
    columns = {"brightness": np.arange(10.0), "knee_angle": np.arange(10.0)}
    rule = Rule((Condition("brightness", "below", 2.5), Condition("knee_angle", "below", 7.5)))
    words = describe_rule(rule, columns, {})
    assert words.short == "in dark images, except those with stretched knees"
