"""Tests of the observer of a training that passes its epochs to experiment loggers."""

import pickle
import time

import pytest
from tests.experiment_loggers import FAILING, FILE, HANGING, read_calls

from posescope.core.plugins import ComponentSpec
from posescope.tracking import training_observer
from posescope.tracking.records import Progress, TrackedRun
from posescope.tracking.training_observer import TrainingTracker
from posescope.training.observer import TrainingStoppedError
from posescope.training.records import EpochRecord

FIRST, SECOND = "2026-01-01T10.00.00.000Z", "2026-01-02T10.00.00.000Z"
HISTORY = tuple(EpochRecord(number, 1.0 / number, 2.0 / number, 0.25 * number, 0.01, 3.0) for number in (1, 2, 3))


def track(folder, run_id, *loggers, timeout_s=10.0, **more):
    return TrainingTracker(TrackedRun(run_id, folder, **more), run_id, [ComponentSpec(name=name) for name in loggers], timeout_s)


def test_epochs_and_image_grids_are_logged(tmp_path):
    (tmp_path / "grids").mkdir()
    for name in ("epoch_0002.png", "epoch_0002 copy.png", "epoch_.png"):
        (tmp_path / "grids" / name).touch()
    tracker = track(tmp_path, FIRST, FILE, parameters={"modelling.training.seed": 0})
    for count in range(4):
        tracker.update("f", HISTORY[:count], tmp_path / "grids")
    tracker.close()
    calls = read_calls(tmp_path / f"{FIRST}.jsonl")
    assert calls[0]["parameters"] == {"modelling.training.seed": 0}
    assert [call["epoch"] for call in calls if call["call"] == "epoch"] == [1, 2, 3]
    assert [call["name"] for call in calls if call["call"] == "image"] == ["epoch_0002.png"]
    second = next(call for call in calls if call["call"] == "epoch" and call["epoch"] == 2)
    assert second["values"] == {"train_loss": 0.5, "val_loss": 1.0, "val_pck_thesis": 0.5, "learning_rate": 0.01, "epoch_s": 3.0}


def test_resumed_training_continues_the_run_of_the_tracker(tmp_path):
    for run_id, histories in ((FIRST, (HISTORY[:0], HISTORY[:1])), (SECOND, (HISTORY[:2], HISTORY))):
        tracker = track(tmp_path, run_id, FILE)
        for history in histories:
            tracker.update("f", history, None)
        tracker.close()
    assert [path.name for path in tmp_path.glob("*.jsonl")] == [f"{FIRST}.jsonl"]
    assert [call["epoch"] for call in read_calls(tmp_path / f"{FIRST}.jsonl") if call["call"] == "epoch"] == [1, 2, 3]


def test_several_loggers_do_not_disturb_one_another(tmp_path, caplog):
    tracker = track(tmp_path, FIRST, FAILING, HANGING, FILE, timeout_s=0.5)
    started = time.monotonic()
    for count in range(4):
        tracker.update("f", HISTORY[:count], None)
    assert time.monotonic() - started < 0.3
    tracker.close()
    assert time.monotonic() - started < 3
    assert [call["epoch"] for call in read_calls(tmp_path / f"{FIRST}.jsonl") if call["call"] == "epoch"] == [1, 2, 3]
    warnings = [record.getMessage() for record in caplog.records]
    assert [sum(name in warning for warning in warnings) for name in (FAILING, HANGING)] == [1, 1]


def test_note_that_cannot_be_written_is_one_warning(tmp_path, caplog):
    (tmp_path / "runs").write_text("a file")
    tracker = track(tmp_path, FIRST, FILE)
    for count in range(3):
        tracker.update("f", HISTORY[:count], None)
    tracker.close()
    assert len(caplog.records) == 1
    assert read_calls(tmp_path / f"{FIRST}.jsonl") == []


def test_it_can_be_pickled_for_a_training_process(tmp_path):
    tracker = pickle.loads(pickle.dumps(track(tmp_path, FIRST, FILE)))
    tracker.update("f", HISTORY[:1], None)
    tracker.close()
    assert [call["call"] for call in read_calls(tmp_path / f"{FIRST}.jsonl")] == ["open", "epoch", "close"]


@pytest.mark.parametrize("is_resumed", [False, True])
def test_trial_belongs_to_the_run_of_its_search(tmp_path, is_resumed):
    name = f"{FIRST}/trial_0001"
    first = TrainingTracker(TrackedRun(name, tmp_path, parent=TrackedRun(FIRST, tmp_path)), FIRST, [ComponentSpec(name=FILE)], 10)
    first.update("f", (), None)
    first.close()
    if is_resumed:
        run = TrackedRun(f"{SECOND}/trial_0001", tmp_path, parent=TrackedRun(SECOND, tmp_path))
        again = TrainingTracker(run, SECOND, [ComponentSpec(name=FILE)], 10)
        again.update("f", HISTORY[:1], None)
        again.close()
    calls = read_calls(tmp_path / f"{FIRST}_trial_0001.jsonl")
    assert {call["parent"] for call in calls if call["call"] == "open"} == {FIRST}
    assert sum(call["call"] == "epoch" for call in calls) == int(is_resumed)
    assert {call["status"] for call in calls if call["call"] == "finish"} == {"completed"}


def test_trials_do_not_wait_for_a_logger_that_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(training_observer, "_SHORT_S", 0.1)
    waited_s = []
    for number in (1, 2):
        run = TrackedRun(f"{FIRST}/trial_000{number}", tmp_path, parent=TrackedRun(FIRST, tmp_path))
        tracker = TrainingTracker(run, FIRST, [ComponentSpec(name=HANGING)], timeout_s=1.0)
        tracker.update(f"f{number}", HISTORY, None)
        started = time.monotonic()
        tracker.close()
        waited_s.append(time.monotonic() - started)
    assert waited_s[0] > 0.9
    assert waited_s[1] < 0.9


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TrainingStoppedError("pruned after epoch 1 of 2"), ("pruned", "pruned after epoch 1 of 2")),
        (ValueError("no\nnumber"), ("failed", "ValueError: no number")),
        (KeyboardInterrupt(), ("interrupted", "KeyboardInterrupt: ")),
    ],
)
def test_trial_that_ends_early_has_its_reason(tmp_path, error, expected):
    run = TrackedRun(f"{FIRST}/trial_0001", tmp_path, parent=TrackedRun(FIRST, tmp_path))
    tracker = TrainingTracker(run, FIRST, [ComponentSpec(name=FILE)], 10)
    tracker.update("f", HISTORY[:1], None)
    tracker.close(error)
    (finish,) = [call for call in read_calls(tmp_path / f"{FIRST}_trial_0001.jsonl") if call["call"] == "finish"]
    assert (finish["status"], finish["error"]) == expected


def test_loggers_of_one_name_fail_independently(tmp_path):
    specs = [ComponentSpec(name=FAILING), ComponentSpec(name=FAILING, options={"x": 1})]
    first, second = training_observer.open_loggers(TrackedRun(FIRST, tmp_path), specs)
    first.submit(Progress())
    training_observer.close_loggers([first, second], 10)
    assert (first.has_failed, second.has_failed) == (True, False)
