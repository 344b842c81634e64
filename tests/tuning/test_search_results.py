"""Tests of posescope.tuning.search_results: the table of trials, and the environment of the best one."""

import pandas as pd
import pytest
import yaml

from posescope.core.parameters import merge_parameters
from posescope.tuning.options import SearchDimension
from posescope.tuning.records import TrialRecord, TuningRecord
from posescope.tuning.search_results import format_best_parameters, tabulate_trials
from posescope.tuning.search_space import as_parameters, recipe_with

SPACE = {
    "modelling.training.learning_rate": SearchDimension(low=0.001, high=0.1, log=True),
    "modelling.model.options.channels": SearchDimension(choices=[8, 16]),
    "modelling.training.augmentations": SearchDimension(choices=[[], [{"name": "flip", "options": {"probability": 0.25}}]]),
}


def trial(number: int, state: str, pcks: tuple[float, ...], rate: float, channels: int, augmentations: int, reason: str = ""):
    return TrialRecord(number, state, dict(zip(SPACE, (rate, channels, augmentations), strict=True)), pcks, 1.5, reason)


@pytest.fixture
def record(recipe) -> TuningRecord:
    trials = (
        trial(1, "completed", (0.1, 0.2), 0.01, 0, 0),
        trial(2, "completed", (0.4, 0.3), 0.00002, 1, 1),
        trial(3, "pruned", (0.9,), 0.03, 0, 1),
        trial(4, "failed", (), 0.04, 1, 0, "too much"),
        trial(5, "completed", (0.0, 0.4), 0.05, 0, 0),
    )
    return TuningRecord("f00d", "data", recipe, SPACE, trials)


def test_table_of_trials(record, tmp_path) -> None:
    table = tabulate_trials(record)
    assert table.columns.tolist() == ["number", "state", "value", "epochs", "seconds", "reason", *SPACE]
    assert table["value"].tolist()[:3] == [0.2, 0.4, 0.9]
    assert table["value"].isna().tolist() == [False, False, False, True, False]
    assert table["epochs"].tolist() == [2, 2, 1, 0, 2]
    assert table["modelling.model.options.channels"].tolist() == [8, 16, 8, 16, 8]
    assert table["modelling.training.augmentations"].tolist()[:2] == [
        "[]", '[{"name": "flip", "options": {"probability": 0.25}}]',
    ]  # fmt: skip


def test_table_without_trials_has_its_columns(record) -> None:
    empty = tabulate_trials(TuningRecord("f00d", "data", record.recipe, SPACE, ()))
    assert isinstance(empty, pd.DataFrame)
    assert empty.columns.tolist() == ["number", "state", "value", "epochs", "seconds", "reason", *SPACE]
    assert len(empty) == 0


def test_best_parameters_merged_with_the_others_are_the_trained_recipe(record) -> None:
    text = format_best_parameters(record)
    assert text.startswith("# Trial 2 of 5 of the search f00d: validation PCK (thesis) 0.4000 after 2 epochs.\n")
    best_trial = yaml.safe_load(text)
    assert best_trial == {
        "modelling": {
            "training": {"learning_rate": 0.00002, "augmentations": [{"name": "flip", "options": {"probability": 0.25}}]},
            "model": {"name": "hourglass", "options": {"channels": 16}},
        }
    }
    below = as_parameters(record.recipe)
    assert merge_parameters(below, best_trial) == as_parameters(recipe_with(record.recipe, record.values_of(record.best_trial)))


def test_whole_component_as_best_parameter(recipe) -> None:
    space = {"data_engineering.codec": SearchDimension(choices=[{"name": "thesis", "options": {"sigma_occluded": 2.0}}])}
    sampled = TrialRecord(1, "completed", {"data_engineering.codec": 0}, (0.5,), 1.0)
    best_trial = yaml.safe_load(format_best_parameters(TuningRecord("f00d", "data", recipe, space, (sampled,))))
    assert best_trial == {"data_engineering": {"codec": {"name": "thesis", "options": {"sigma_occluded": 2.0}}}}
