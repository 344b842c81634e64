"""Tests of flat names of parameters."""

import pytest

from posescope.core.flat_parameters import ParameterDifference, differing_parameters, flatten_parameters

NESTED = {
    "data_dir": "data",
    "modelling": {
        "model": {"name": "hourglass", "options": {"stacks": 1, "size": [96, 72]}},
        "augmentations": [{"name": "flip"}, {"name": "rotate_scale", "options": {"degrees": 30}}],
        "freeze": [],
        "scale": {},
        "patience": None,
    },
}


def test_every_value_has_its_dotted_path():
    assert flatten_parameters(NESTED) == {
        "data_dir": "data",
        "modelling.model.name": "hourglass",
        "modelling.model.options.stacks": 1,
        "modelling.model.options.size": [96, 72],
        "modelling.augmentations.0.name": "flip",
        "modelling.augmentations.1.name": "rotate_scale",
        "modelling.augmentations.1.options.degrees": 30,
        "modelling.freeze": [],
        "modelling.scale": {},
        "modelling.patience": None,
    }


def test_no_parameters():
    assert flatten_parameters({}) == {}
    assert differing_parameters({}, {}) == ()


def test_equal_parameters_do_not_differ():
    assert differing_parameters(NESTED, NESTED) == ()


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", 1, 2, True, True)]),
        ({"a": {"b": None}}, {"a": {}}, [("a", None, {}, False, True), ("a.b", None, None, True, False)]),
        ({"a": True}, {"a": 1}, [("a", True, 1, True, True)]),
        ({"f": [{"name": "x"}]}, {"f": []}, [("f", None, [], False, True), ("f.0.name", "x", None, True, False)]),
    ],
    ids=["value", "not set", "boolean", "list"],
)
def test_differences(first, second, expected):
    assert list(differing_parameters(first, second)) == [ParameterDifference(*one) for one in expected]
