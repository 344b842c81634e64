"""Tests of posescope.tuning.options: accepted and refused search dimensions and paths."""

import pytest
from pydantic import ValidationError

from posescope.tuning.options import SearchDimension, TuneOptions

RATE = {"low": 0.001, "high": 0.1}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, "neither"),
        ({"low": 1}, "neither"),
        ({"low": 1, "high": 2, "choices": [1]}, "both"),
        ({"choices": [1], "log": True}, "both"),
        ({"low": 2, "high": 1}, "below"),
        ({"low": 0, "high": 1, "log": True}, "above"),
        ({"low": 1, "high": 8, "log": True, "step": 1}, "both"),
        ({"choices": []}, "at least 1 item"),
        ({"low": 1, "hihg": 2}, "Extra inputs"),
    ],
)
def test_invalid_dimensions_are_refused(entry, expected) -> None:
    with pytest.raises(ValidationError, match=expected):
        SearchDimension.model_validate(entry)


def test_integer_ends_and_step_make_an_integer_range() -> None:
    assert SearchDimension(low=8, high=32, step=8).is_whole
    assert not SearchDimension(low=8.0, high=32).is_whole
    assert not SearchDimension(low=1, high=2, step=0.5).is_whole


def test_value_of_a_sampled_number() -> None:
    assert SearchDimension(low=0.0, high=1.0).value_of(0.25) == 0.25
    assert SearchDimension(choices=[[], [{"name": "flip"}]]).value_of(1) == [{"name": "flip"}]


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ({"data_engineering.crop.size_px": {"choices": [64]}}, "crops"),
        ({"data_engineering.codecs": {"choices": [64]}}, "crops"),
        ({"evaluation.scoring.seed": {"choices": [1]}}, "crops"),
        ({"modelling.training": {"choices": [{}]}}, "below"),
        ({"modelling.training.seed": {"choices": [1, 2]}}, "seeds"),
        ({"modelling.training.epochs": {"low": 1, "high": 2}}, "tune.epochs"),
        ({"modelling.model": {"choices": [{"name": "hourglass"}]}, "modelling.model.options.depth": RATE}, "contains"),
        (
            {"data_engineering.codec.options.sigma_heatmap_px": RATE, "data_engineering.codec.name": {"choices": ["thesis"]}},
            "component",
        ),
    ],
)
def test_invalid_spaces_are_refused(space, expected) -> None:
    with pytest.raises(ValidationError, match=expected):
        TuneOptions(space=space)


def test_null_removes_an_entry() -> None:
    options = TuneOptions(space={"modelling.training.learning_rate": RATE, "modelling.training.batch_size": None})
    assert list(options.dimensions) == ["modelling.training.learning_rate"]
    codec = "data_engineering.codec"
    component = TuneOptions(space={codec: {"choices": [{"name": "thesis"}]}, f"{codec}.options.sigma_heatmap_px": None})
    assert list(component.dimensions) == [codec]
