"""Tests of posescope.hooks."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kedro.framework.project import configure_project
from kedro.io import DataCatalog, DatasetError, MemoryDataset, Version
from kedro.pipeline import Pipeline, node
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset

from posescope.crops.statistics import CropStatistics
from posescope.datasets import ModelDataset, NothingDataset, RecordDataset, StoreDataset
from posescope.errors import DataError, OptionsError
from posescope.geometry.recipe import CropRecipe
from posescope.hooks import InputsCheck, MissingInputError, ParametersCheck, RunRecorder, unwrap
from posescope.plugins import ComponentSpec


@pytest.fixture(scope="module", autouse=True)
def project() -> None:
    """The hooks ask the configured project which pipeline makes what."""
    configure_project("posescope")


def context(tmp_path: Path, parameters: dict[str, Any], env: str | None = "test") -> Any:
    return SimpleNamespace(config_loader={"parameters": parameters}, env=env, project_path=tmp_path)


def test_wrong_parameters_stop_the_run(tmp_path: Path) -> None:
    ParametersCheck().after_context_created(context(tmp_path, {"modelling": {}}))
    with pytest.raises(OptionsError, match="conf/test"):
        ParametersCheck().after_context_created(context(tmp_path, {"modelling": {"epochs": 3}}))
    with pytest.raises(OptionsError, match="conf/base"):
        ParametersCheck().after_context_created(context(tmp_path, {"modling": {}}, env=None))


def test_places_in_the_globals_are_checked_too(tmp_path: Path) -> None:
    given = context(tmp_path, {})
    given.config_loader["globals"] = {"data_dir": "s3://bucket/x", "anything": "s3://bucket/x"}
    with pytest.raises(OptionsError, match=r"1 wrong parameters .*\n  data_dir: "):
        ParametersCheck().after_context_created(given)
    given.config_loader["parameters"] = {"data_dir": "here"}
    ParametersCheck().after_context_created(given)


def join(*inputs: str) -> Pipeline:
    """A pipeline of one node that reads these."""
    return Pipeline([node(lambda *values: 1, list(inputs), "joined", name="join")])


def catalog_of(tmp_path: Path, **more: Any) -> DataCatalog:
    return DataCatalog(
        {
            "persons": CSVDataset(filepath=str(tmp_path / "persons.csv")),
            "model": ModelDataset(filepath=str(tmp_path / "model"), version=Version(None, None)),
            "run_records": StoreDataset(
                store="posescope.run_record.RunFolder", filepath=str(tmp_path / "runs"), role="workspace"
            ),
            "metrics": JSONDataset(filepath=str(tmp_path / "metrics.json")),
            "params:modelling.model": MemoryDataset({}),
            "parameters": MemoryDataset({}),
            **more,
        }
    )  # fmt: skip


def test_a_missing_input_names_its_place_and_its_pipeline(tmp_path: Path) -> None:
    pipeline = join("persons", "model", "unheard_of", "parameters", "params:modelling.model")
    with pytest.raises(MissingInputError) as caught:
        InputsCheck().before_pipeline_run({}, pipeline, catalog_of(tmp_path))
    assert str(caught.value).splitlines() == [
        "3 inputs of this run are missing:",
        f"  model ({tmp_path / 'model'}): run the pipeline modelling first",
        f"  persons ({tmp_path / 'persons.csv'}): run the pipeline data_engineering first",
        "  unheard_of (not in the catalog): no pipeline makes it",
    ]


def test_a_missing_input_from_anywhere_names_its_parameter(tmp_path: Path) -> None:
    places = {
        "inference_images": StoreDataset(store="posescope.inference.images.ImageFolder", filepath=str(tmp_path / "images")),
        "inference_model": ModelDataset(filepath=str(tmp_path / "model"), newest=True),
        "raw_source": StoreDataset(store="posescope.coco.folder.CocoFolder", filepath=str(tmp_path / "raw")),
    }
    with pytest.raises(MissingInputError) as caught:
        InputsCheck().before_pipeline_run({}, join(*places), catalog_of(tmp_path, **places))
    place = "or say where it lies: --params"
    assert str(caught.value).splitlines()[1:] == [
        f"  inference_images ({tmp_path / 'images'}): no pipeline makes it, {place} images=FOLDER",
        f"  inference_model ({tmp_path / 'model'}): run the pipeline modelling first, {place} model=FOLDER",
        f"  raw_source ({tmp_path / 'raw'}): run the pipeline data_engineering first, {place} raw_dir=FOLDER",
    ]


def test_inputs_that_are_there_pass(tmp_path: Path) -> None:
    (tmp_path / "persons.csv").write_text("person_id\n1\n")
    InputsCheck().before_pipeline_run({}, join("persons", "run_records", "params:modelling.model"), catalog_of(tmp_path))


def test_what_the_run_makes_itself_is_no_missing_input(tmp_path: Path) -> None:
    (tmp_path / "persons.csv").write_text("person_id\n1\n")
    pipeline = Pipeline([node(lambda x: x, "persons", "model", name="make"), node(lambda x: x, "model", "more", name="use")])
    InputsCheck().before_pipeline_run({}, pipeline, catalog_of(tmp_path))


@pytest.mark.parametrize(("results", "shared"), [("theirs.json", True), (None, True), ("theirs.json", False)])
def test_a_model_is_needless_where_results_are_scored_and_everybody_takes_them(
    tmp_path: Path, results: str | None, shared: bool
) -> None:
    catalog = DataCatalog(
        {
            "model": ModelDataset(filepath=str(tmp_path / "model"), version=Version(None, "now")),
            "params:evaluation.results": MemoryDataset("theirs.json") if results else NothingDataset(),
        }
    )
    inputs = ["model", "params:evaluation.results"]
    nodes = [node(lambda model, results: (model, results), inputs, "scored", name="score")]
    nodes += [] if shared else [node(lambda model: model, "model", "explained", name="explain")]
    if results is None or not shared:
        with pytest.raises(MissingInputError, match=r"model .*run the pipeline modelling first"):
            InputsCheck().before_pipeline_run({}, Pipeline(nodes), catalog)
        return
    InputsCheck().before_pipeline_run({}, Pipeline(nodes), catalog)
    assert catalog.load("model") is None


def test_nothing_can_be_saved_in_the_place_of_a_needless_input() -> None:
    with pytest.raises(DatasetError, match="does not need cannot be written: int"):
        NothingDataset().save(1)


def finish_run(tmp_path: Path, catalog: DataCatalog, outputs: list[str], **run: Any) -> dict[str, Any]:
    """Let the recorder see a run that made `outputs`; the content of its run.json."""
    recorder = RunRecorder()
    recorder.after_context_created(context(tmp_path, {"modelling": {"training": {"epochs": 2}}}))
    pipeline = Pipeline([node(lambda: 1, None, name, name=f"make_{name}") for name in outputs])
    params = {"run_id": "2026-01-02T03.04.05.678Z", "env": "test", "pipeline_names": ["evaluation"], **run}
    recorder.after_pipeline_run(params, pipeline, catalog)
    return record_in(tmp_path)


def record_in(tmp_path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((tmp_path / "runs" / "2026-01-02T03.04.05.678Z" / "run.json").read_text())
    return content


def test_the_record_holds_parameters_places_and_metrics(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path)
    catalog.save("metrics", {"val": {"oks": {"value": 0.5}}})
    content = finish_run(tmp_path, catalog, ["metrics", "only_in_memory"])
    assert (content["status"], content["error"]) == ("completed", None)
    assert content["run_id"] == "2026-01-02T03.04.05.678Z"
    assert content["pipelines"] == ["evaluation"]
    assert content["env"] == "test"
    assert content["parameters"] == {"modelling": {"training": {"epochs": 2}}}
    assert content["outputs"] == {"metrics": str(tmp_path / "metrics.json")}
    assert content["metrics"] == {"val": {"oks": {"value": 0.5}}}
    assert content["data_fingerprint"] is None
    assert content["versions"]["python"]


def test_a_run_without_names_is_the_default_and_without_metrics_has_none(tmp_path: Path) -> None:
    content = finish_run(tmp_path, catalog_of(tmp_path), ["only_in_memory"], pipeline_names=None, env=None)
    assert (content["pipelines"], content["env"], content["metrics"]) == (["__default__"], "local", None)


def test_a_versioned_output_is_recorded_with_its_version(tmp_path: Path) -> None:
    table = CSVDataset(filepath=str(tmp_path / "scores.csv"), version=Version(None, "v1"), save_args={"index": False})
    table.save(pd.DataFrame({"a": [1]}))
    content = finish_run(tmp_path, catalog_of(tmp_path, scores=table), ["scores"])
    assert content["outputs"] == {"scores": str(tmp_path / "scores.csv" / "v1" / "scores.csv")}


def fail_run(tmp_path: Path, catalog: DataCatalog, error: Exception, saved: list[str]) -> dict[str, Any]:
    """Let the recorder see a run that should make a, b and statistics, and fails once it has made `saved`."""
    recorder = RunRecorder()
    recorder.after_dataset_saved("of_an_earlier_run")
    recorder.after_context_created(context(tmp_path, {}))
    for name in saved:
        recorder.after_dataset_saved(name)
    pipeline = Pipeline(
        [node(lambda x: x, "persons", name, name=f"make_{name}") for name in ("metrics", "scores", "crop_statistics")]
    )
    params = {"run_id": "2026-01-02T03.04.05.678Z", "env": "test", "pipeline_names": ["evaluation"]}
    recorder.on_pipeline_error(error, params, pipeline, catalog)
    return record_in(tmp_path)


def statistics_of(tmp_path: Path) -> RecordDataset:
    dataset = RecordDataset(record="posescope.crops.statistics.CropStatistics", filepath=str(tmp_path / "statistics.json"))
    dataset.save(
        CropStatistics((0.5, 0.5, 0.5), (64, 64), CropRecipe(rule=ComponentSpec(name="centred_square")), "0123456789abcdef")
    )
    return dataset


def test_a_failed_run_leaves_a_record_of_what_it_had_made(tmp_path: Path) -> None:
    catalog = catalog_of(
        tmp_path, scores=CSVDataset(filepath=str(tmp_path / "scores.csv")), crop_statistics=statistics_of(tmp_path)
    )
    catalog.save("metrics", {"of": "an earlier run"})
    wrapped = DatasetError("Failed while saving")
    wrapped.__cause__ = DataError("train2017.json: no such file.\n  Unpack it.")
    content = fail_run(tmp_path, catalog, wrapped, saved=["scores"])
    assert content["status"] == "failed"
    assert content["error"] == "DataError: train2017.json: no such file. Unpack it."
    assert content["outputs"] == {"scores": str(tmp_path / "scores.csv")}
    assert content["inputs"] == {"persons": str(tmp_path / "persons.csv")}
    assert (content["metrics"], content["data_fingerprint"]) == (None, None), "these are of an earlier run"


def test_an_unforeseen_error_is_named_with_its_kind(tmp_path: Path) -> None:
    assert fail_run(tmp_path, catalog_of(tmp_path), KeyError("left_hand"), saved=[])["error"] == "KeyError: 'left_hand'"


@pytest.mark.parametrize(("read", "known"), [("crop_statistics", True), ("crops", True), ("persons", False)])
def test_the_datas_fingerprint_is_that_of_data_that_was_read(tmp_path: Path, read: str, known: bool) -> None:
    """Evaluation on its own reads the crops, and never their statistics."""
    crops = StoreDataset(store="posescope.crops.store.CropStore", filepath=str(tmp_path / "crops"))
    recorder, catalog = RunRecorder(), catalog_of(tmp_path, crop_statistics=statistics_of(tmp_path), crops=crops)
    recorder.after_context_created(context(tmp_path, {}))
    recorder.after_pipeline_run({"run_id": "2026-01-02T03.04.05.678Z"}, join(read), catalog)
    assert record_in(tmp_path)["data_fingerprint"] == ("0123456789abcdef" if known else None)


def test_versions_that_were_read_are_recorded(tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        (tmp_path / "model" / version / "model").mkdir(parents=True)
        (tmp_path / "model" / version / "model" / "model.json").write_text("{}")
    newest = ModelDataset(filepath=str(tmp_path / "model"), newest=True)
    recorder, catalog = RunRecorder(), catalog_of(tmp_path, inference_model=newest)
    recorder.after_context_created(context(tmp_path, {}))
    pipeline = join("model", "inference_model", "params:modelling.model", "parameters")
    recorder.after_pipeline_run({"run_id": "2026-01-02T03.04.05.678Z"}, pipeline, catalog)
    place = str(tmp_path / "model" / "v2" / "model")
    assert record_in(tmp_path)["inputs"] == {"inference_model": place, "model": place}


def test_a_record_is_not_overwritten(tmp_path: Path) -> None:
    finish_run(tmp_path, catalog_of(tmp_path), ["only_in_memory"])
    with pytest.raises(DataError, match="never overwritten"):
        finish_run(tmp_path, catalog_of(tmp_path), ["only_in_memory"])


def test_the_log_says_where_to_look(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    places = {"report": "08_reporting/report.html", "persons_read": "02_intermediate/persons.csv"}
    catalog = catalog_of(tmp_path, **{name: CSVDataset(filepath=str(tmp_path / place)) for name, place in places.items()})
    with caplog.at_level(logging.INFO, logger="posescope"):
        finish_run(tmp_path, catalog, ["report", "persons_read"])
    assert "Look here first: 08_reporting/report.html" in caplog.messages
    assert f"Record of this run: {Path('runs/2026-01-02T03.04.05.678Z/run.json')}" in caplog.messages
    assert "02_intermediate" not in caplog.text, "only what people look at"


def wrap(error: Exception, times: int) -> Exception:
    for _ in range(times):
        wrapper = DatasetError("wrapped")
        wrapper.__cause__ = error
        error = wrapper
    return error


@pytest.mark.parametrize("times", [0, 1, 2, 5])
def test_foreseen_errors_are_found_however_deep(times: int) -> None:
    known = DataError("known")
    assert unwrap(wrap(known, times)) is known
    assert unwrap(wrap(ValueError("unknown"), times)) is None


def test_the_outermost_foreseen_error_is_taken() -> None:
    inner, outer = DataError("a number is wrong"), DataError("file.json: cannot be read")
    outer.__cause__ = inner
    assert unwrap(wrap(outer, 2)) is outer


def test_a_mistake_while_a_foreseen_error_is_handled_is_not_foreseen() -> None:
    mistake = KeyError("left_hand")
    mistake.__context__ = DataError("known")
    assert unwrap(mistake) is None


def test_a_circle_of_causes_ends() -> None:
    error = ValueError("round")
    error.__cause__ = wrap(error, 2)
    assert unwrap(error) is None


def test_a_missing_version_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    table = CSVDataset(filepath=str(tmp_path / "scores.csv"), version=Version("v0", "v1"), save_args={"index": False})
    catalog = catalog_of(tmp_path, scores=table)
    with pytest.raises(MissingInputError, match="there is none yet"):
        InputsCheck().before_pipeline_run({"load_versions": {"scores": "v0"}}, join("scores"), catalog)
    CSVDataset(filepath=str(tmp_path / "scores.csv"), version=Version(None, "v1"), save_args={"index": False}).save(
        pd.DataFrame({"a": [1]})
    )
    table.release()
    with pytest.raises(MissingInputError, match=r"scores:v0: there is no such version .*found v1"):
        InputsCheck().before_pipeline_run({"load_versions": {"scores": "v0"}}, join("scores"), catalog)
    InputsCheck().before_pipeline_run({"load_versions": {"scores": "v1"}}, Pipeline([]), catalog)
    with pytest.raises(MissingInputError, match="persons keeps no versions"):
        InputsCheck().before_pipeline_run({"load_versions": {"persons": "v1"}}, Pipeline([]), catalog)
