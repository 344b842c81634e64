"""Tests of the tracking of a run of posescope."""

from tests.experiment_loggers import FILE, read_calls

from posescope.tracking.records import FinalMetric, Outcome
from posescope.tracking.run_tracking import RunTracking, observe_training, observe_trial, use_tracking
from posescope.training.records import EpochRecord

RUN = "2026-01-01T10.00.00.000Z"
RECORD = {
    "run_id": RUN, "env": "test", "started_utc": "2026-01-01T10:00:00+00:00", "runner": "SequentialRunner",
    "pipelines": ["modelling", "evaluation"], "versions": {"posescope": "1.0", "commit": None},
    "parameters": {"modelling": {"training": {"seed": 0}}, "tracking": {"loggers": [{"name": FILE}]}},
}  # fmt: skip
EPOCH = EpochRecord(1, 1.0, 2.0, 0.5, 0.01, 3.0)


def test_nothing_is_observed_without_tracking():
    assert observe_training() is None
    assert observe_trial(1, {}, "s") is None
    with use_tracking(None):
        assert observe_training() is None


def test_training_and_end_of_a_run_are_one_tracked_run(tmp_path):
    tracking = RunTracking.of_record(RECORD, tmp_path)
    with use_tracking(tracking):
        observer = observe_training()
    assert observe_training() is None
    observer.update("f", (), None)
    observer.update("f", (EPOCH,), None)
    observer.close()
    tracking.finish(Outcome("completed", metrics=(FinalMetric("val/oks", 0.5, 0.25, 0.75),), files={"report": tmp_path}))
    calls = read_calls(tmp_path / f"{RUN}.jsonl")
    assert [call["call"] for call in calls] == ["open", "epoch", "close", "open", "finish", "close"]
    assert calls[0]["parameters"] == {"modelling.training.seed": 0}, "the loggers themselves are no parameters of the run"
    assert (calls[0]["facts"]["pipelines"], calls[0]["facts"]["version.posescope"]) == ("modelling, evaluation", "1.0")
    assert calls[4]["metrics"] == {"val/oks": [0.5, 0.25, 0.75]}
    assert calls[4]["files"] == {"report": str(tmp_path)}


def test_run_without_training_is_tracked_at_its_end(tmp_path):
    RunTracking.of_record(RECORD, tmp_path).finish(Outcome("failed", "DataError: no file"))
    _, finish, _ = read_calls(tmp_path / f"{RUN}.jsonl")
    assert (finish["status"], finish["error"], finish["metrics"]) == ("failed", "DataError: no file", {})


def test_trial_has_the_searched_values(tmp_path):
    with use_tracking(RunTracking.of_record(RECORD, tmp_path)):
        observer = observe_trial(3, {"modelling.training.seed": 5}, "s")
    observer.update("f", (EPOCH,), None)
    observer.close()
    opened = read_calls(tmp_path / f"{RUN}_trial_0003.jsonl")[0]
    assert (opened["parent"], opened["parameters"]) == (RUN, {"modelling.training.seed": 5})


def test_resumed_search_continues_the_run_that_began_it(tmp_path):
    later = "2026-01-02T10.00.00.000Z"
    for run_id, numbers in ((RUN, (1, 2)), (later, (3,))):
        tracking = RunTracking.of_record({**RECORD, "run_id": run_id}, tmp_path)
        for number in numbers:
            observer = tracking.observe_trial(number, {}, "search")
            observer.update(f"trial{number}", (EPOCH,), None)
            observer.close()
        tracking.finish(Outcome("completed"))
    names = {path.stem for path in tmp_path.glob("*.jsonl")}
    assert names == {RUN, *(f"{RUN}_trial_000{number}" for number in (1, 2, 3))}
    assert [call["status"] for call in read_calls(tmp_path / f"{RUN}.jsonl") if call["call"] == "finish"] == ["completed"] * 2


def test_search_that_begins_again_is_a_new_run(tmp_path):
    for run_id in (RUN, "2026-01-02T10.00.00.000Z"):
        observer = RunTracking.of_record({**RECORD, "run_id": run_id}, tmp_path).observe_trial(1, {}, "search")
        observer.update("trial1", (), None)
        observer.close()
        assert (tmp_path / f"{run_id}_trial_0001.jsonl").is_file()


def test_search_killed_in_its_first_trial_continues_the_run_that_began_it(tmp_path):
    later = "2026-01-02T10.00.00.000Z"
    first = RunTracking.of_record(RECORD, tmp_path).observe_trial(1, {}, "search")
    first.update("trial1", (), None)
    first.update("trial1", (EPOCH,), None)  # the process is killed here
    first.close(KeyboardInterrupt())
    tracking = RunTracking.of_record({**RECORD, "run_id": later}, tmp_path)
    for number, history in ((1, (EPOCH,)), (2, ())):
        observer = tracking.observe_trial(number, {}, "search")
        observer.update(f"trial{number}", history, None)
        observer.close()
    tracking.finish(Outcome("completed"))
    names = {path.stem for path in tmp_path.glob("*.jsonl")}
    assert names == {RUN, f"{RUN}_trial_0001", f"{RUN}_trial_0002"}
