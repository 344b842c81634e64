"""Tests of the hook that passes a run to its experiment loggers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro_datasets.json import JSONDataset
from tests.experiment_loggers import FAILING, FILE, read_calls
from tests.kedro_sessions import REPOSITORY

from posescope.core.extras import MissingPackageError
from posescope.core.plugins import Options
from posescope.datasets import StoreDataset
from posescope.kedro_support.tracking_hooks import ExperimentTracking
from posescope.tracking.run_tracking import observe_training
from posescope.training.records import EpochRecord

RUN_ID = "2026-01-02T03.04.05.678Z"
RUN = {"run_id": RUN_ID}
EPOCH = EpochRecord(1, 1.0, 2.0, 0.5, 0.01, 3.0)


class AbsentLogger:
    Options = Options
    requires = ("no_such_tracker",)


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "08_reporting"


def catalog_of(reports: Path, *loggers: str, status: str = "completed", error: str | None = None) -> DataCatalog:
    """Return the catalog of a run whose record says that it evaluated a model and drew a grid."""
    tracking = {"loggers": [{"name": name} for name in loggers], "timeout_s": 10}
    record = {
        "run_id": RUN_ID, "env": "test", "pipelines": ["modelling"], "versions": {}, "status": status, "error": error,
        "parameters": {"modelling": {"training": {"seed": 0}}, "tracking": tracking},
        "outputs": {"metrics": "metrics.json", "crop_grid": "crop_grid.png", "history": "not there"},
        "metrics": {"val": {"oks": {"value": 0.5, "low": 0.25, "high": 0.75}}},
    }  # fmt: skip
    path = reports / "runs" / RUN_ID / "run.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record))
    for name in ("metrics.json", "crop_grid.png"):
        (reports / name).touch()
    files = {name: JSONDataset(filepath=str(reports / file)) for name, file in record["outputs"].items()}
    records: Any = StoreDataset(store="posescope.runs.run_record.RunFolder", filepath=str(reports / "runs"), role="workspace")
    return DataCatalog({"run_records": records, "params:tracking": MemoryDataset(tracking), **files})


def test_run_without_loggers_is_not_tracked(reports: Path) -> None:
    hook, catalog = ExperimentTracking(), catalog_of(reports)
    hook.before_pipeline_run(RUN, catalog)
    hook.before_node_run(catalog, RUN_ID)
    assert observe_training() is None
    hook.after_node_run()
    hook.after_pipeline_run(RUN)
    assert sorted(path.name for path in (reports / "runs" / RUN_ID).iterdir()) == ["run.json"]


def test_catalog_without_the_parameters_means_no_tracking() -> None:
    hook = ExperimentTracking()
    hook.before_pipeline_run(RUN, DataCatalog({}))
    hook.before_node_run(DataCatalog({}), RUN_ID)
    assert observe_training() is None


def test_training_and_end_are_logged(reports: Path) -> None:
    hook, catalog = ExperimentTracking(), catalog_of(reports, FILE)
    hook.before_pipeline_run(RUN, catalog)
    hook.before_node_run(catalog, RUN_ID)
    observer = observe_training()
    assert observer is not None
    hook.after_node_run()
    assert observe_training() is None
    observer.update("f", (EPOCH,), None)
    observer.close()
    hook.after_pipeline_run(RUN)
    finish = next(call for call in read_calls(reports / f"{RUN_ID}.jsonl") if call["call"] == "finish")
    assert finish == {
        "call": "finish", "status": "completed", "error": None, "metrics": {"val/oks": [0.5, 0.25, 0.75]},
        "files": {"metrics": str(reports / "metrics.json")}, "images": ["crop_grid"],
    }  # fmt: skip


def test_failure_and_interruption_are_logged(reports: Path, tmp_path: Path) -> None:
    for number, (end, expected) in enumerate(
        [(lambda hook: hook.on_pipeline_error(RUN), "failed"), (lambda hook: hook.interrupt(RUN_ID), "interrupted")]
    ):
        folder = tmp_path / str(number) / "08_reporting"
        hook, catalog = ExperimentTracking(), catalog_of(folder, FILE, status=expected, error="DataError: gone")
        hook.before_pipeline_run(RUN, catalog)
        hook.before_node_run(catalog, RUN_ID)
        hook.on_node_error()
        assert observe_training() is None
        end(hook)
        hook.interrupt(RUN_ID)  # the run has ended
        (finish,) = [call for call in read_calls(folder / f"{RUN_ID}.jsonl") if call["call"] == "finish"]
        assert (finish["status"], finish["error"]) == (expected, "DataError: gone")


def test_failing_logger_warns_of_its_failure_and_of_the_missing_end(reports: Path, caplog: pytest.LogCaptureFixture) -> None:
    hook, catalog = ExperimentTracking(), catalog_of(reports, FAILING)
    hook.before_pipeline_run(RUN, catalog)
    hook.after_pipeline_run(RUN)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert ["end of the run" in warning for warning in warnings] == [False, True]


@pytest.mark.parametrize("content", ["{", "[]", '{"error": null}'])
def test_damaged_record_is_one_warning(reports: Path, caplog: pytest.LogCaptureFixture, content: str) -> None:
    hook, catalog = ExperimentTracking(), catalog_of(reports, FILE)
    hook.before_pipeline_run(RUN, catalog)
    (reports / "runs" / RUN_ID / "run.json").write_text(content)
    hook.after_pipeline_run(RUN)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_missing_package_refuses_the_run_before_its_first_node(reports: Path) -> None:
    with pytest.raises(MissingPackageError):
        ExperimentTracking().before_pipeline_run(RUN, catalog_of(reports, f"{__name__}:AbsentLogger"))


def test_no_logger_is_imported_by_default() -> None:
    """The parameters of conf/base are checked, and the pipelines made, in a new process."""
    code = (
        "import sys; from tests.kedro_sessions import open_session\n"
        "with open_session() as session: session.load_context().catalog\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('mlflow', 'tensorboard', 'tensorboardX')\n"
        "             or name.endswith(('tensorboard_logger', 'mlflow_logger'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
