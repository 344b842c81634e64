"""Tests of posescope.tuning.optuna_sampler: seeds of the sampling."""

import sys

import pytest

from posescope.tuning.optuna_sampler import MissingOptunaError, load_optuna, start_trial
from posescope.tuning.records import TrialRecord


def test_missing_optuna(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingOptunaError, match="Optuna"):
        load_optuna()


def test_trials_are_sampled_by_seed_and_number(make_options) -> None:
    options, other = make_options(seed=1), make_options(seed=2)
    first = start_trial(options, "search", [])
    assert first.sampled == start_trial(options, "search", []).sampled
    assert first.sampled != start_trial(other, "search", []).sampled
    past = [TrialRecord(1, "completed", first.sampled, (0.1, 0.3), 1.0)]
    assert start_trial(options, "search", past).sampled != first.sampled
