"""Tests of posescope.tuning.records: the best trial, and JSON round trips."""

import math

import pytest

from posescope.core.errors import DataError
from posescope.tuning.records import NoCompletedTrialError, TrialRecord, TuningRecord


def trial(number: int, state: str, *pcks: float, reason: str = "") -> TrialRecord:
    return TrialRecord(number, state, {}, pcks, 1.0, reason)


def search_of(recipe, *trials: TrialRecord) -> TuningRecord:
    return TuningRecord("f00d", "data", recipe, {}, trials)


def test_value_is_the_best_pck_of_all_epochs() -> None:
    assert trial(1, "completed", 0.1, 0.4, 0.3).value == 0.4
    assert math.isnan(trial(1, "failed").value)


def test_best_trial_is_the_first_completed_one_with_the_highest_value(recipe) -> None:
    found = search_of(
        recipe, trial(1, "completed", 0.2), trial(2, "completed", 0.5), trial(3, "pruned", 0.9), trial(4, "completed", 0.5)
    )
    assert found.best_trial.number == 2


def test_without_a_completed_trial_there_is_no_best_trial(recipe) -> None:
    with pytest.raises(NoCompletedTrialError, match="NonFiniteLossError"):
        _ = search_of(recipe, trial(1, "failed", reason="NonFiniteLossError: nan")).best_trial


def test_to_dict_and_back(recipe) -> None:
    found = search_of(recipe, trial(1, "completed", 0.2))
    assert TuningRecord.from_dict(found.to_dict()) == found
    with pytest.raises(DataError):
        TuningRecord.from_dict({**found.to_dict(), "trials": [{"number": 1}]})
