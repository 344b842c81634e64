"""Tests of posescope.tuning.options: what may be searched."""

import pytest
from pydantic import ValidationError

from posescope.tuning.options import SearchDimension, TuneOptions

RATE = {"low": 0.001, "high": 0.1}


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({}, "found neither whole"),
        ({"low": 1}, "found neither whole"),
        ({"low": 1, "high": 2, "choices": [1]}, "found both"),
        ({"choices": [1], "log": True}, "found both"),
        ({"low": 2, "high": 1}, "`low` below `high`, found 2 and 1"),
        ({"low": 0, "high": 1, "log": True}, "`low` above 0"),
        ({"low": 1, "high": 8, "log": True, "step": 1}, "do not go together"),
        ({"choices": []}, "at least 1 item"),
        ({"low": 1, "hihg": 2}, "Extra inputs"),
    ],
)
def test_an_entry_is_a_range_or_choices(entry, complaint) -> None:
    with pytest.raises(ValidationError, match=complaint):
        SearchDimension.model_validate(entry)


def test_whole_ends_make_whole_numbers() -> None:
    assert SearchDimension(low=8, high=32, step=8).is_whole
    assert not SearchDimension(low=8.0, high=32).is_whole
    assert not SearchDimension(low=1, high=2, step=0.5).is_whole


def test_what_a_drawn_number_stands_for() -> None:
    assert SearchDimension(low=0.0, high=1.0).value_of(0.25) == 0.25
    assert SearchDimension(choices=[[], [{"name": "flip"}]]).value_of(1) == [{"name": "flip"}]


@pytest.mark.parametrize(
    ("space", "complaint"),
    [
        ({"data_engineering.crop.size_px": {"choices": [64]}}, "the crops must stay"),
        ({"data_engineering.codecs": {"choices": [64]}}, "the crops must stay"),
        ({"evaluation.scoring.seed": {"choices": [1]}}, "cannot be searched"),
        ({"modelling.training": {"choices": [{}]}}, "name the parameters below it"),
        ({"modelling.training.seed": {"choices": [1, 2]}}, "luck"),
        ({"modelling.training.epochs": {"low": 1, "high": 2}}, "tune.epochs"),
        ({"modelling.model": {"choices": [{"name": "hourglass"}]}, "modelling.model.options.depth": RATE}, "holds"),
        (
            {"data_engineering.codec.options.sigma_heatmap_px": RATE, "data_engineering.codec.name": {"choices": ["thesis"]}},
            "another component has other options",
        ),
    ],
)
def test_what_cannot_be_searched(space, complaint) -> None:
    with pytest.raises(ValidationError, match=complaint):
        TuneOptions(space=space)


def test_an_environment_can_take_an_entry_away() -> None:
    options = TuneOptions(space={"modelling.training.learning_rate": RATE, "modelling.training.batch_size": None})
    assert list(options.dimensions) == ["modelling.training.learning_rate"]
    codec = "data_engineering.codec"
    whole = TuneOptions(space={codec: {"choices": [{"name": "thesis"}]}, f"{codec}.options.sigma_cells": None})
    assert list(whole.dimensions) == [codec]
