"""Tests of posescope.tuning.trial_store: finished trials, attempts of the running one, and missing trials."""

import pytest

from posescope.core.errors import DataError
from posescope.tuning.records import TrialRecord
from posescope.tuning.trial_store import TuningStore


def record(number: int) -> TrialRecord:
    return TrialRecord(number, "completed", {"modelling.training.learning_rate": 0.01}, (0.1, 0.2), 3.0)


def test_starts_are_counted_until_the_trial_is_finished(tmp_path) -> None:
    store = TuningStore(tmp_path)
    assert [store.search("f00d").begin(1), store.search("f00d").begin(1)] == [1, 2]
    assert not store.is_finished()
    store.search("f00d").finish(record(1))
    assert store.is_finished()
    assert store.search("f00d").trials() == (record(1),)
    assert store.search("beef").trials() == ()
    assert [path.name for path in (tmp_path / "f00d").iterdir()] == ["trial_0001.json"]


def test_missing_trial_is_refused(tmp_path) -> None:
    store = TuningStore(tmp_path)
    for number in (1, 3):
        store.search("f00d").finish(record(number))
    with pytest.raises(DataError, match="trial_0002"):
        store.search("f00d").trials()
