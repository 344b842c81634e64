"""Tests of posescope.kedro_support.run_recorder: the record of small pipelines with all runners."""

import json
import logging
import os
import platform
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.framework.project import configure_project
from kedro.io import DataCatalog, DatasetError, MemoryDataset, SharedMemoryDataCatalog, Version
from kedro.pipeline import Pipeline, node
from kedro.runner import AbstractRunner, ParallelRunner, SequentialRunner, ThreadRunner
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset

from posescope.core.errors import DataError
from posescope.core.plugins import ComponentSpec
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.datasets import ModelDataset, RecordDataset, StoreDataset
from posescope.geometry.crop_recipe import CropRecipe
from posescope.kedro_support.run_recorder import RunRecorder, unwrap

RUN_ID = "2026-01-02T03.04.05.678Z"


@pytest.fixture(scope="module", autouse=True)
def project() -> None:
    """Configure the project, because worker processes read its hooks."""
    configure_project("posescope")


def catalog_of(tmp_path: Path, **more: Any) -> DataCatalog:
    return DataCatalog(datasets_of(tmp_path) | more)


def datasets_of(tmp_path: Path) -> dict[str, Any]:
    return {
        "persons": CSVDataset(filepath=str(tmp_path / "persons.csv"), save_args={"index": False}),
        "run_records": StoreDataset(
            store="posescope.runs.run_record.RunFolder", filepath=str(tmp_path / "runs"), role="workspace"
        ),
        "metrics": JSONDataset(filepath=str(tmp_path / "metrics.json")),
        "params:modelling.model": MemoryDataset({}),
    }


def run(
    recorder: RunRecorder,
    pipeline: Pipeline,
    catalog: DataCatalog,
    runner: AbstractRunner | None = None,
    parameters: Any = None,
    **selection: Any,
) -> None:
    """Run a pipeline with the hook calls of a Kedro session in their order."""
    runner = runner or SequentialRunner()
    hooks = _create_hook_manager()
    _register_hooks(hooks, [recorder])
    hooks.hook.after_context_created(context=SimpleNamespace(config_loader={"parameters": parameters or {}}))
    params = {"run_id": RUN_ID, "env": "test", "pipeline_names": ["evaluation"], "runner": str(runner), **selection}
    hook_arguments = {"run_params": params, "pipeline": pipeline, "catalog": catalog}
    hooks.hook.before_pipeline_run(**hook_arguments)
    try:
        only_missing = selection.get("only_missing_outputs", False)
        result = runner.run(pipeline, catalog, hooks, params["run_id"], only_missing_outputs=only_missing)
    except Exception as error:
        hooks.hook.on_pipeline_error(error=error, **hook_arguments)
        raise
    hooks.hook.after_pipeline_run(run_result=result, **hook_arguments)


def record_in(tmp_path: Path, run_id: str = RUN_ID) -> dict[str, Any]:
    (path,) = (tmp_path / "runs" / run_id).iterdir()
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def make_metrics(*inputs: Any) -> dict[str, Any]:
    return {"val": {"oks": {"value": 0.5}}}


def make_table(*inputs: Any) -> pd.DataFrame:
    return pd.DataFrame({"person_id": [1]})


def fail(*inputs: Any) -> None:
    raise KeyError("left_hand")


def fail_with_expected_error(*inputs: Any) -> None:
    wrapped = DatasetError("Failed while saving")
    wrapped.__cause__ = DataError("train2017.json: no such file.\n  Unpack it.")
    raise wrapped


def interrupt(*inputs: Any) -> None:
    raise KeyboardInterrupt


MAKE = node(make_table, "params:modelling.model", "persons", name="make")
SCORE = node(make_metrics, ["persons", "in_memory"], "metrics", name="score")
KEEP = node(make_table, None, "in_memory", name="keep")
FLOW = Pipeline([MAKE, SCORE, KEEP])


@pytest.mark.parametrize("runner", [SequentialRunner, ThreadRunner, ParallelRunner])
def test_every_runner_writes_the_same_record(tmp_path: Path, runner: type[AbstractRunner]) -> None:
    catalog = (SharedMemoryDataCatalog if runner is ParallelRunner else DataCatalog)(datasets_of(tmp_path))
    run(RunRecorder(), FLOW, catalog, runner(), parameters={"modelling": {"training": {"epochs": 2}}})
    content = record_in(tmp_path)
    assert (content["status"], content["error"], content["runner"]) == ("completed", None, runner.__name__)
    assert sorted(content["nodes"][:2]) == ["keep", "make"]
    assert (content["nodes"][2:], content["unfinished_nodes"]) == (["score"], [])
    assert content["outputs"] == {"metrics": str(tmp_path / "metrics.json"), "persons": str(tmp_path / "persons.csv")}
    assert (content["inputs"], content["data_fingerprint"]) == ({}, None)
    assert content["metrics"] == {"val": {"oks": {"value": 0.5}}}
    assert (content["run_id"], content["pipelines"], content["env"]) == (RUN_ID, ["evaluation"], "test")
    assert content["parameters"] == {"modelling": {"training": {"epochs": 2}}}
    assert content["process"] == {"pid": os.getpid(), "host": platform.node()}
    assert content["started_utc"] <= content["ended_utc"]
    assert (content["versions"]["python"], content["selection"]) == (platform.python_version(), {})


def test_part_of_a_pipeline_is_recorded(tmp_path: Path) -> None:
    make_table().to_csv(tmp_path / "persons.csv", index=False)
    selection = {"from_nodes": ["keep"], "tags": (), "load_versions": {}}
    run(RunRecorder(), FLOW.filter(node_names=["keep", "score"]), catalog_of(tmp_path), **selection)
    content = record_in(tmp_path)
    assert content["nodes"] == ["keep", "score"]
    assert content["inputs"] == {"persons": str(tmp_path / "persons.csv")}
    assert content["outputs"] == {"metrics": str(tmp_path / "metrics.json")}
    assert content["selection"] == {"from_nodes": ["keep"]}


def test_only_missing_outputs_are_recorded(tmp_path: Path) -> None:
    make_table().to_csv(tmp_path / "persons.csv", index=False)
    run(RunRecorder(), FLOW, catalog_of(tmp_path), only_missing_outputs=True)
    content = record_in(tmp_path)
    assert content["nodes"] == ["keep", "score"], "persons exist; datasets in memory must be computed again"
    assert content["inputs"] == {"persons": str(tmp_path / "persons.csv")}
    assert content["selection"] == {"only_missing_outputs": True}


def test_no_outputs_are_recorded_if_none_is_missing(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path)
    make_table().to_csv(tmp_path / "persons.csv", index=False)
    catalog.save("metrics", {"of": "an earlier run"})
    run(RunRecorder(), FLOW, catalog, only_missing_outputs=True)
    content = record_in(tmp_path)
    assert (content["status"], content["nodes"]) == ("completed", [])
    assert (content["inputs"], content["outputs"], content["metrics"]) == ({}, {}, None)


@pytest.mark.parametrize("runner", [SequentialRunner, ThreadRunner, ParallelRunner])
def test_failed_run_records_its_outputs(tmp_path: Path, runner: type[AbstractRunner]) -> None:
    catalog = (SharedMemoryDataCatalog if runner is ParallelRunner else DataCatalog)(datasets_of(tmp_path))
    (tmp_path / "metrics.json").write_text('{"of": "an earlier run"}')
    with pytest.raises(KeyError):
        run(RunRecorder(), Pipeline([MAKE, node(fail, "persons", "metrics", name="fail")]), catalog, runner())
    content = record_in(tmp_path)
    assert (content["status"], content["error"]) == ("failed", "KeyError: 'left_hand'")
    assert (content["nodes"], content["unfinished_nodes"]) == (["make"], ["fail"])
    assert content["outputs"] == {"persons": str(tmp_path / "persons.csv")}
    assert content["metrics"] is None, "these are of an earlier run"


def test_expected_error_is_recorded_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        run(RunRecorder(), Pipeline([node(fail_with_expected_error, None, "metrics", name="fail")]), catalog_of(tmp_path))
    assert record_in(tmp_path)["error"] == "DataError: train2017.json: no such file. Unpack it."


def test_killed_run_is_not_completed(tmp_path: Path) -> None:
    recorder = RunRecorder()
    with pytest.raises(KeyboardInterrupt):
        run(recorder, Pipeline([MAKE, node(interrupt, "persons", "metrics", name="wait")]), catalog_of(tmp_path))
    folder = tmp_path / "runs" / RUN_ID
    assert json.loads((folder / "run.json").read_text())["status"] == "running"
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    assert [(line["node"], line["event"]) for line in lines] == [
        ("make", "started"), ("make", "computed"), ("make", "saved"), ("wait", "started"),
    ]  # fmt: skip
    recorder.interrupt(RUN_ID, KeyboardInterrupt())
    content = record_in(tmp_path)
    assert (content["status"], content["error"]) == ("interrupted", "KeyboardInterrupt: ")
    assert (content["nodes"], content["unfinished_nodes"]) == (["make"], ["wait"])
    assert content["outputs"] == {"persons": str(tmp_path / "persons.csv")}
    before = content
    recorder.interrupt(RUN_ID)
    assert record_in(tmp_path) == before


def test_end_of_the_process_interrupts_open_runs(tmp_path: Path) -> None:
    recorder = RunRecorder()
    with pytest.raises(KeyboardInterrupt):
        run(recorder, Pipeline([node(interrupt, None, "metrics", name="wait")]), catalog_of(tmp_path))
    recorder.interrupt_all()
    assert record_in(tmp_path)["status"] == "interrupted"


def test_concurrent_runs_have_separate_records(tmp_path: Path) -> None:
    recorder, both = RunRecorder(), threading.Barrier(2, timeout=30)

    def meet(number: int) -> dict[str, Any]:
        both.wait()
        return {"number": number}

    # Both runs have the same node objects, as pipelines of a project do.
    flow = Pipeline([node(meet, "params:number", "metrics", name="meet"), node(make_table, "metrics", "persons", name="make")])

    def run_once(number: int) -> None:
        root = tmp_path / str(number)
        catalog = catalog_of(root, **{"params:number": MemoryDataset(number)})
        run(recorder, flow, catalog, parameters={"number": number}, run_id=f"run{number}", pipeline_names=[f"p{number}"])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run_once, (1, 2)))
    for number in (1, 2):
        content = record_in(tmp_path / str(number), f"run{number}")
        assert (content["parameters"], content["pipelines"]) == ({"number": number}, [f"p{number}"])
        assert content["metrics"] == {"number": number}
        assert content["outputs"]["persons"] == str(tmp_path / str(number) / "persons.csv")
        assert content["nodes"] == ["meet", "make"]


def test_second_run_in_a_process_has_its_own_record(tmp_path: Path) -> None:
    recorder = RunRecorder()
    run(recorder, FLOW, catalog_of(tmp_path), parameters={"a": 1})
    run(recorder, Pipeline([KEEP]), catalog_of(tmp_path), parameters={"a": 2}, run_id="second")
    content = record_in(tmp_path, "second")
    assert (content["parameters"], content["outputs"], content["nodes"]) == ({"a": 2}, {}, ["keep"])


def test_record_is_not_overwritten(tmp_path: Path) -> None:
    recorder = RunRecorder()
    run(recorder, Pipeline([KEEP]), catalog_of(tmp_path))
    with pytest.raises(DataError, match="never overwritten"):
        run(recorder, Pipeline([KEEP]), catalog_of(tmp_path))
    assert record_in(tmp_path)["status"] == "completed"


@pytest.mark.parametrize(("selection", "env"), [({}, "test"), ({"env": None}, "local")])
def test_environment_of_the_run_is_recorded(tmp_path: Path, selection: dict[str, Any], env: str) -> None:
    run(RunRecorder(), Pipeline([KEEP]), catalog_of(tmp_path), pipeline_names=None, **selection)
    content = record_in(tmp_path)
    assert (content["env"], content["pipelines"]) == (env, ["__default__"])


def test_written_and_read_versions_are_recorded(tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        (tmp_path / "model" / version / "model").mkdir(parents=True)
        (tmp_path / "model" / version / "model" / "model.json").write_text("{}")

    class Folder(ModelDataset):
        def load(self) -> Any:
            return str(self._get_load_path() if not self.takes_newest else self.newest_folder())

    place = str(tmp_path / "scores.csv")
    newer = CSVDataset(filepath=place, version=Version(None, "v9"), save_args={"index": False})
    datasets = {
        "model": Folder(filepath=str(tmp_path / "model"), version=Version(None, "v3")),
        "inference_model": Folder(filepath=str(tmp_path / "model"), newest=True),
        "scores": CSVDataset(filepath=place, version=Version(None, "v3"), save_args={"index": False}),
    }

    def score(*models: str) -> pd.DataFrame:
        newer.save(pd.DataFrame({"of": ["another run"]}))
        return pd.DataFrame({"a": [1]})

    flow = Pipeline([node(score, ["model", "inference_model"], "scores", name="score")])
    with pytest.warns(UserWarning, match="did not match load version"):
        run(RunRecorder(), flow, catalog_of(tmp_path, **datasets))
    content = record_in(tmp_path)
    newest = str(tmp_path / "model" / "v2" / "model")
    assert content["inputs"] == {"inference_model": newest, "model": newest}
    assert content["outputs"] == {"scores": str(tmp_path / "scores.csv" / "v3" / "scores.csv")}, (
        "not the newer one of another run"
    )


def statistics_of(tmp_path: Path) -> RecordDataset:
    dataset = RecordDataset(
        record="posescope.data.crops.crop_statistics.CropStatistics", filepath=str(tmp_path / "statistics.json")
    )
    dataset.save(
        CropStatistics((0.5, 0.5, 0.5), (64, 64), CropRecipe(rule=ComponentSpec(name="centred_square")), "0123456789abcdef")
    )
    return dataset


@pytest.mark.parametrize(("read", "known"), [("crop_statistics", True), ("persons", False)])
def test_data_fingerprint_is_that_of_the_read_data(tmp_path: Path, read: str, known: bool) -> None:
    make_table().to_csv(tmp_path / "persons.csv", index=False)
    catalog = catalog_of(tmp_path, crop_statistics=statistics_of(tmp_path))
    run(RunRecorder(), Pipeline([node(make_table, read, "in_memory", name="read")]), catalog)
    assert record_in(tmp_path)["data_fingerprint"] == ("0123456789abcdef" if known else None)


def test_log_names_outputs_and_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = {"report": "08_reporting/report.html", "persons_read": "02_intermediate/persons.csv"}
    catalog = catalog_of(tmp_path, **{name: CSVDataset(filepath=str(tmp_path / path)) for name, path in paths.items()})
    flow = Pipeline([node(make_table, None, name, name=f"make_{name}") for name in paths])
    with caplog.at_level(logging.INFO, logger="posescope"):
        run(RunRecorder(), flow, catalog, project_path=str(tmp_path))
    assert "Report: 08_reporting/report.html" in caplog.messages
    assert f"Record of this run: {Path('runs') / RUN_ID / 'run.json'}" in caplog.messages
    assert "02_intermediate" not in caplog.text, "intermediate results are not logged"


def wrap(error: Exception, times: int) -> Exception:
    for _ in range(times):
        wrapper = DatasetError("wrapped")
        wrapper.__cause__ = error
        error = wrapper
    return error


@pytest.mark.parametrize("times", [0, 1, 2, 5])
def test_expected_errors_are_found_at_any_depth(times: int) -> None:
    known = DataError("known")
    assert unwrap(wrap(known, times)) is known
    assert unwrap(wrap(ValueError("unknown"), times)) is None


def test_outermost_expected_error_is_used() -> None:
    inner, outer = DataError("a number is wrong"), DataError("file.json: cannot be read")
    outer.__cause__ = inner
    assert unwrap(wrap(outer, 2)) is outer


def test_error_in_a_handler_is_not_expected() -> None:
    mistake = KeyError("left_hand")
    mistake.__context__ = DataError("known")
    assert unwrap(mistake) is None


def test_cyclic_causes_are_followed_once() -> None:
    error = ValueError("round")
    error.__cause__ = wrap(error, 2)
    assert unwrap(error) is None
