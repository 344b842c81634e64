"""Tests of the experiment logger for MLflow, with an SQLite database that MLflow's own client reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec, build
from posescope.tracking.mlflow_logger import MlflowLogger, MlflowOptions, shorten
from posescope.tracking.records import Epoch, EpochImage, FinalMetric, Outcome, TrackedRun

RUN = "2026-01-01T10.00.00.000Z"
PARAMETERS = {"modelling.training.seed": 0, "crop.size_px": [96, 72], "patience": None, "long": "x" * 7000, "k" * 300: True}


@pytest.mark.parametrize(("text", "expected"), [("", ""), ("abcde", "abcde"), ("abcdef", "ab...")])
def test_long_text_is_shortened(text: str, expected: str) -> None:
    assert shorten(text, 5) == expected


@pytest.mark.parametrize("uri", [None, "http://host:5000", "sqlite:////data/mlflow.db", "postgresql://me@host/db"])
def test_address_is_accepted(uri: str | None) -> None:
    assert MlflowOptions(uri=uri).uri == uri


@pytest.mark.parametrize("uri", ["https://me:secret@host", "https://token@host", "postgresql://me:secret@host/db"])
def test_address_with_a_password_is_refused(uri: str) -> None:
    with pytest.raises(ValidationError, match="MLFLOW_TRACKING_PASSWORD"):
        MlflowOptions(uri=uri)


def test_data_folder_in_object_storage_needs_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason="needs the extra track")
    monkeypatch.setattr("posescope.tracking.mlflow_logger.remote_of", lambda path: object())
    with pytest.raises(OptionsError, match="uri"):
        MlflowLogger(MlflowOptions(), TrackedRun(RUN, tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the reports; the database is created once."""
    pytest.importorskip("mlflow", reason="needs the extra track")
    return tmp_path_factory.mktemp("reports")


@pytest.fixture
def client(folder: Path) -> Any:
    from mlflow import MlflowClient  # noqa: PLC0415 (extra `track`)

    return MlflowClient(f"sqlite:///{folder}/mlflow/mlflow.db")


def open_logger(folder: Path, name: str = RUN, **more: Any) -> Any:
    spec = ComponentSpec(name="posescope.tracking.mlflow_logger:MlflowLogger")
    return build("experiment_loggers", spec, run=TrackedRun(name, folder, **{"parameters": PARAMETERS, **more}))


def find_run(client: Any, name: str) -> Any:
    experiment = client.get_experiment_by_name("posescope")
    (run,) = client.search_runs([experiment.experiment_id], f"tags.`posescope.run` = '{name}'")
    return run


def epochs_of(*numbers: int) -> list[Epoch]:
    return [Epoch(number, {"train_loss": 1.0 / number, "val_loss": 2.0 / number}) for number in numbers]


def test_run_of_two_processes_has_every_epoch_once(folder: Path, client: Any, tmp_path: Path) -> None:
    image = tmp_path / "epoch_0002.png"
    Image.fromarray(np.full((4, 6, 3), 200, np.uint8)).save(image)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text("{}")
    first = open_logger(folder)
    assert first.logged_epochs() == frozenset()
    first.log_epochs(epochs_of(1))
    first.close()
    second = open_logger(folder, parameters={**PARAMETERS, "modelling.training.seed": 1, "new": 2})
    assert second.logged_epochs() == {1}
    second.log_image(EpochImage(2, image))
    second.log_epochs(epochs_of(2, 3))
    metrics = (FinalMetric("val/oks", 0.5, 0.25, 0.75), FinalMetric("val/pck@0.2", 0.4))
    second.finish(Outcome("completed", metrics=metrics, files={"model": tmp_path / "model"}, images={"crop_grid": image}))
    second.close()
    run = find_run(client, RUN)
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "train_loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert {name: value for name, value in run.data.metrics.items() if name.startswith("val.")} == {
        "val.oks": 0.5, "val.oks_low": 0.25, "val.oks_high": 0.75, "val.pck_at_0.2": 0.4,
    }  # fmt: skip
    parameters = run.data.params
    assert (parameters["crop.size_px"], parameters["patience"], parameters["new"]) == ("[96, 72]", "null", "2")
    assert (len(parameters["long"]), parameters["k" * 247 + "..."]) == (6000, "true")
    assert parameters["modelling.training.seed"] == "0", "MLflow keeps the first value"
    assert run.data.tags["posescope.changed_parameters"] == "modelling.training.seed"
    assert run.data.tags["posescope.shortened_parameters"] == "long"
    artifacts = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"model", "images"} <= artifacts
    assert [item.path for item in client.list_artifacts(run.info.run_id, "model")] == ["model/model.json"]


def test_failed_run_continues_as_running(folder: Path, client: Any) -> None:
    logger = open_logger(folder, "failed")
    logger.finish(Outcome("failed", "DataError: gone"))
    run = find_run(client, "failed")
    assert (run.info.status, run.data.tags["posescope.error"]) == ("FAILED", "DataError: gone")
    open_logger(folder, "failed")
    run = find_run(client, "failed")
    assert run.info.status == "RUNNING"
    assert not {"posescope.status", "posescope.error"} & set(run.data.tags), "a resumed run has no error of its former end"


def test_trials_are_nested_in_the_run_of_their_search(folder: Path, client: Any) -> None:
    parent = TrackedRun("search", folder)
    for number in (1, 2):
        open_logger(folder, f"search/trial_000{number}", parent=parent)
    ids = {find_run(client, f"search/trial_000{number}").data.tags["mlflow.parentRunId"] for number in (1, 2)}
    assert ids == {find_run(client, "search").info.run_id}


@pytest.mark.parametrize(
    ("status", "expected"), [("completed", "FINISHED"), ("failed", "FAILED"), ("interrupted", "KILLED"), ("pruned", "KILLED")]
)
def test_status_of_a_run(folder: Path, client: Any, status: Any, expected: str) -> None:
    open_logger(folder, f"ends-{status}").finish(Outcome(status))
    run = find_run(client, f"ends-{status}")
    assert (run.info.status, run.data.tags["posescope.status"]) == (expected, status)
