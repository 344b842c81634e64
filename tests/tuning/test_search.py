"""Tests of posescope.tuning.search: trials, pruning, continuation and failures of a search; the test set is never read."""

import json
import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from posescope.artifacts.model_folder import save_model
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.stored_model import read_stored_model
from posescope.training.records import EpochRecord, TrainingOutcome
from posescope.training.trainer import train
from posescope.training.weight_transfer import InitialiseOptions
from posescope.tuning import search as search_module
from posescope.tuning import trial as trial_module
from posescope.tuning.optuna_sampler import TrialPrunedError
from posescope.tuning.records import TuningRecord
from posescope.tuning.search import search
from posescope.tuning.search_space import SearchSpaceError
from posescope.tuning.trial import build_model
from posescope.tuning.trial_store import TuningStore

RATE = "modelling.training.learning_rate"
NO_PRUNING = {"name": "none"}


def without_time(record: TuningRecord) -> TuningRecord:
    return replace(record, trials=tuple(replace(trial, seconds=0.0) for trial in record.trials))


def forbid_training(monkeypatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("a trial was run")

    monkeypatch.setattr(search_module, "run_trial", refuse)


def test_search_of_three_trials(recipe, data, make_options, tmp_path) -> None:
    found = search(recipe, data, make_options(pruner=NO_PRUNING), TuningStore(tmp_path))
    assert [trial.number for trial in found.trials] == [1, 2, 3]
    assert {trial.state for trial in found.trials} == {"completed"}
    assert all(len(trial.pcks) == 2 and trial.value == max(trial.pcks) for trial in found.trials)
    assert found.best_trial.value == max(trial.value for trial in found.trials)
    assert len({trial.sampled[RATE] for trial in found.trials}) == 3
    assert all(0.001 <= trial.sampled[RATE] <= 0.02 for trial in found.trials)
    assert TuningRecord.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    # Records stay, checkpoints go.
    assert sorted(path.name for path in (tmp_path / found.fingerprint).iterdir()) == [f"trial_000{i}.json" for i in (1, 2, 3)]


class Notes:
    """An observer that notes the epochs it gets."""

    def __init__(self, notes: list) -> None:
        self.notes = notes

    def update(self, fingerprint, history, image_grids) -> None:
        self.notes.append(len(history))

    def close(self, error=None) -> None:
        self.notes.append(("close", type(error).__name__))


def test_trials_are_observed(recipe, data, make_options, tmp_path) -> None:
    seen = {}

    def observe(number, values, search_id):
        seen[number] = (values[RATE], [])
        return Notes(seen[number][1])

    found = search(recipe, data, make_options(trials=2, epochs=1, pruner=NO_PRUNING), TuningStore(tmp_path), observe)
    assert seen == {trial.number: (trial.sampled[RATE], [0, 1, ("close", "NoneType")]) for trial in found.trials}


def test_trials_train_on_one_node_of_several(recipe, data, make_options, tmp_path) -> None:
    of_nodes = recipe.training.model_copy(update={"nodes": 2, "rendezvous": "127.0.0.1:1"})
    options = make_options(trials=1, epochs=1)
    found = search(recipe.model_copy(update={"training": of_nodes}), data, options, TuningStore(tmp_path))
    assert [trial.state for trial in found.trials] == ["completed"]


def test_interrupted_search_has_the_same_result(recipe, data, make_options, tmp_path, monkeypatch) -> None:
    options = make_options(trials=3)
    complete = search(recipe, data, options, TuningStore(tmp_path / "complete"))
    store = TuningStore(tmp_path / "parts")
    assert len(search(recipe, data, make_options(trials=2), store).trials) == 2
    assert without_time(search(recipe, data, options, store)) == without_time(complete)
    forbid_training(monkeypatch)
    assert without_time(search(recipe, data, options, store)) == without_time(complete), "no trial is missing"


def test_another_space_seed_recipe_or_data_is_another_search(recipe, data, make_options, tmp_path) -> None:
    store = TuningStore(tmp_path)
    one = {"trials": 1, "epochs": 1}
    other_recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"ema_decay": 0.5})})
    other_data = replace(data, statistics=replace(data.statistics, data_fingerprint="others"))
    sampler_attrs = [
        search(recipe, data, make_options(**one), store).fingerprint,
        search(recipe, data, make_options(**one, seed=1), store).fingerprint,
        search(recipe, data, make_options(**one, space={RATE: {"low": 0.001, "high": 0.01}}), store).fingerprint,
        search(other_recipe, data, make_options(**one), store).fingerprint,
        search(recipe, other_data, make_options(**one), store).fingerprint,
    ]
    assert len(set(sampler_attrs)) == 5
    again = search(recipe, data, make_options(**one, time_limit_s=1e-9), store)
    assert (again.fingerprint, len(again.trials)) == (sampler_attrs[0], 1), "the budget is no part of it"


def test_pruned_trial_is_never_the_best(recipe, data, make_options, tmp_path, monkeypatch) -> None:
    pcks = iter([0.5, 0.6, 0.7, 0.1])  # the second trial falls behind after its first epoch

    def play(untrained, train_set, val_set, training, checkpoints, mark, on_epoch, parts, observer) -> None:
        for epoch in range(1, training.epochs + 1):
            on_epoch(EpochRecord(epoch, 1.0, 1.0, next(pcks), 0.1, 2.0))

    monkeypatch.setattr("posescope.tuning.trial.train", play)
    pruner = {"name": "median", "options": {"startup_trials": 1, "warmup_epochs": 0}}
    found = search(recipe, data, make_options(trials=2, epochs=3, pruner=pruner), TuningStore(tmp_path))
    assert [(trial.state, trial.pcks, trial.seconds) for trial in found.trials] == [
        ("completed", (0.5, 0.6, 0.7), 6.0), ("pruned", (0.1,), 2.0)
    ]  # fmt: skip
    assert found.best_trial.number == 1


def test_hyperband_continues_across_runs(recipe, data, make_options, tmp_path) -> None:
    options = {"epochs": 2, "pruner": {"name": "hyperband", "options": {"reduction_factor": 2}}}
    complete = search(recipe, data, make_options(trials=3, **options), TuningStore(tmp_path / "complete"))
    assert any("completed_rung_0" in trial.sampler_attrs for trial in complete.trials)
    store = TuningStore(tmp_path / "parts")
    search(recipe, data, make_options(trials=2, **options), store)
    assert without_time(search(recipe, data, make_options(trials=3, **options), store)) == without_time(complete)


def test_non_finite_loss_fails_only_its_trial(recipe, data, make_options, tmp_path) -> None:
    space = {RATE: {"choices": [1e30, 0.01]}}
    found = search(recipe, data, make_options(space=space, trials=5, epochs=1, startup_trials=5), TuningStore(tmp_path))
    assert {(trial.sampled[RATE], trial.state) for trial in found.trials} == {(0, "failed"), (1, "completed")}
    failed = next(trial for trial in found.trials if trial.state == "failed")
    assert failed.reason.startswith("NonFiniteLossError: The loss is ")
    assert math.isnan(failed.value)


def test_time_limit(recipe, data, make_options, tmp_path, caplog) -> None:
    found = search(recipe, data, make_options(time_limit_s=1e-9), TuningStore(tmp_path))
    assert found.trials == ()
    assert "0 of 3" in caplog.text


def test_invalid_values_are_refused_before_the_first_trial(recipe, data, make_options, tmp_path, monkeypatch) -> None:
    forbid_training(monkeypatch)
    with pytest.raises(SearchSpaceError, match="batch_size"):
        search(recipe, data, make_options(space={"modelling.training.batch_size": {"choices": [0, 8]}}), TuningStore(tmp_path))
    space = {"data_engineering.codec.options.stride": {"choices": [4, 8]}}
    with pytest.raises(SearchSpaceError, match="stride"):
        search(recipe, data, make_options(space=space), TuningStore(tmp_path))
    with pytest.raises(SearchSpaceError, match="parameter"):
        search(recipe, data, make_options(space={}), TuningStore(tmp_path))
    left_open = recipe.model_copy(update={"training": recipe.training.model_copy(update={"batch_size": "auto"})})
    space = {"modelling.training.learning_rate": {"low": 0.001, "high": 0.01}}
    with pytest.raises(SearchSpaceError, match="auto"):
        search(left_open, data, make_options(space=space), TuningStore(tmp_path))
    assert list(tmp_path.iterdir()) == []


# Kills the process when the checkpoint of the second epoch of the second trial is written.
DIE_IN_THE_SECOND_TRIAL = """
import os, signal, sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import torch

from posescope.training.checkpoint_store import CheckpointStore
from posescope.tuning.search import search
from posescope.tuning.trial_store import TuningStore

spec = spec_from_file_location("dots", sys.argv[1])
dots = module_from_spec(spec)
spec.loader.exec_module(dots)
torch.set_num_threads(1)
save = CheckpointStore.save

def save_and_die(self, state, *others, **named):
    save(self, state, *others, **named)
    if self.root.name == "trial_0002" and state.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)

CheckpointStore.save = save_and_die
search(dots.recipe_of_dots(), dots.data_of_dots(), dots.options_of_dots(epochs=3), TuningStore(Path(sys.argv[2])))
"""


def test_killed_trial_is_continued(recipe, data, make_options, tmp_path, caplog) -> None:
    options = make_options(epochs=3)
    complete = search(recipe, data, options, TuningStore(tmp_path / "complete"))
    store = TuningStore(tmp_path / "killed")
    conftest = Path(__file__).with_name("conftest.py")
    ended = subprocess.run([sys.executable, "-c", DIE_IN_THE_SECOND_TRIAL, conftest, store.root], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert [trial.number for trial in store.search(complete.fingerprint).trials()] == [1]
    assert (tmp_path / "killed" / complete.fingerprint / "trial_0002" / "attempts.json").is_file()
    with caplog.at_level("INFO"):
        assert without_time(search(recipe, data, options, store)) == without_time(complete)
    assert "after 1 of 3 trials" in caplog.text
    assert "after epoch 2 of 3" in caplog.text


def test_trial_whose_process_dies_repeatedly_fails(recipe, data, make_options, tmp_path) -> None:
    options = make_options(max_attempts=2, trials=2, epochs=1)
    mark = search(recipe, data, options, TuningStore(tmp_path / "complete")).fingerprint
    store = TuningStore(tmp_path)
    assert [store.search(mark).begin(1), store.search(mark).begin(1)] == [1, 2]  # and its process dies
    found = search(recipe, data, options, store)
    assert (found.trials[0].state, found.trials[0].reason) == ("failed", "its process died 2 times")
    assert found.trials[1].state == "completed"


def test_trials_start_from_a_model_and_freeze_its_parts(recipe, data, make_options, tmp_path, monkeypatch) -> None:
    save_model(tmp_path / "model", build_model(recipe, data))
    stored = read_stored_model(tmp_path / "model")
    started = replace(data, start=stored, initialise=InitialiseOptions(freeze=("stem",)))
    assert data.to_dict() == replace(data, initialise=InitialiseOptions()).to_dict()
    assert started.to_dict()["initialise"]["from"] == stored.fingerprint
    seen: list[PoseModel] = []

    def keep(model: PoseModel, *arguments: object, **options: object) -> TrainingOutcome:
        assert options["parts"] == started.initialise
        seen.append(model)
        return train(model, *arguments, **options)

    monkeypatch.setattr(trial_module, "train", keep)
    search(recipe, started, make_options(trials=1, epochs=1, pruner=NO_PRUNING), TuningStore(tmp_path / "tune"))
    weights = seen[0].network.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in stored.weights.items())


def test_observer_of_a_pruned_trial_gets_the_reason(recipe, data, make_options, tmp_path, monkeypatch) -> None:
    notes = []

    def prune(self, record) -> None:
        raise TrialPrunedError("pruned after epoch 1 of 2")

    monkeypatch.setattr("posescope.tuning.optuna_sampler.LiveTrial.__call__", prune)
    options = make_options(trials=1, epochs=2, pruner=NO_PRUNING)
    found = search(recipe, data, options, TuningStore(tmp_path), lambda *_: Notes(notes))
    assert [trial.state for trial in found.trials] == ["pruned"]
    assert notes == [0, 1, ("close", "TrialPrunedError")]
