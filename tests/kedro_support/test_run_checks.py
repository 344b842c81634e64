"""Tests of posescope.kedro_support.run_checks."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kedro.framework.project import configure_project
from kedro.io import DataCatalog, MemoryDataset, Version
from kedro.pipeline import Pipeline, node
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset

from posescope.core.errors import OptionsError
from posescope.datasets import ModelDataset, StoreDataset, UncertaintyDataset
from posescope.kedro_support.run_checks import InputsCheck, MissingInputError, NodeRankCheck, ParametersCheck
from posescope.pipelines.modelling.nodes import train_model


@pytest.fixture(scope="module", autouse=True)
def project() -> None:
    """Configure the project, because the hooks look up the pipeline of each dataset."""
    configure_project("posescope")


def context(tmp_path: Path, parameters: dict[str, Any], env: str | None = "test") -> Any:
    return SimpleNamespace(config_loader={"parameters": parameters}, env=env, project_path=tmp_path)


def test_invalid_parameters_stop_the_run(tmp_path: Path) -> None:
    ParametersCheck().after_context_created(context(tmp_path, {"modelling": {}}))
    with pytest.raises(OptionsError, match="conf/test"):
        ParametersCheck().after_context_created(context(tmp_path, {"modelling": {"epochs": 3}}))
    with pytest.raises(OptionsError, match="conf/base"):
        ParametersCheck().after_context_created(context(tmp_path, {"modling": {}}, env=None))


def test_path_parameters_in_the_globals_are_checked(tmp_path: Path) -> None:
    given = context(tmp_path, {})
    given.config_loader["globals"] = {"data_dir": "s3://bucket/x", "anything": "s3://bucket/x"}
    with pytest.raises(OptionsError, match=r"1 wrong parameters .*\n  data_dir: "):
        ParametersCheck().after_context_created(given)
    given.config_loader["parameters"] = {"data_dir": "here"}
    ParametersCheck().after_context_created(given)


def join(*inputs: str) -> Pipeline:
    """Return a pipeline of one node with these inputs."""
    return Pipeline([node(lambda *values: 1, list(inputs), "joined", name="join")])


def catalog_of(tmp_path: Path, **more: Any) -> DataCatalog:
    return DataCatalog(
        {
            "persons": CSVDataset(filepath=str(tmp_path / "persons.csv")),
            "model": ModelDataset(filepath=str(tmp_path / "model"), version=Version(None, None)),
            "run_records": StoreDataset(
                store="posescope.runs.run_record.RunFolder", filepath=str(tmp_path / "runs"), role="workspace"
            ),
            "metrics": JSONDataset(filepath=str(tmp_path / "metrics.json")),
            "params:modelling.model": MemoryDataset({}),
            "parameters": MemoryDataset({}),
            **more,
        }
    )  # fmt: skip


def test_missing_input_is_reported_with_path_and_pipeline(tmp_path: Path) -> None:
    pipeline = join("persons", "model", "unheard_of", "parameters", "params:modelling.model")
    with pytest.raises(MissingInputError) as caught:
        InputsCheck().before_pipeline_run({}, pipeline, catalog_of(tmp_path))
    assert str(caught.value).splitlines() == [
        "3 inputs of this run are missing:",
        f"  model ({tmp_path / 'model'}): run the pipeline modelling first",
        f"  persons ({tmp_path / 'persons.csv'}): run the pipeline data_engineering first",
        "  unheard_of (not in the catalog): no pipeline makes it",
    ]


def test_missing_input_is_reported_with_its_path_parameter(tmp_path: Path) -> None:
    places = {
        "inference_images": StoreDataset(
            store="posescope.prediction.image_io.image_folder.ImageFolder", filepath=str(tmp_path / "images")
        ),
        "inference_model": ModelDataset(filepath=str(tmp_path / "model"), newest=True),
        "raw_source": StoreDataset(store="posescope.data.coco.folder.CocoFolder", filepath=str(tmp_path / "raw")),
    }
    with pytest.raises(MissingInputError) as caught:
        InputsCheck().before_pipeline_run({}, join(*places), catalog_of(tmp_path, **places))
    place = "or give its path: --params"
    assert str(caught.value).splitlines()[1:] == [
        f"  inference_images ({tmp_path / 'images'}): no pipeline makes it, {place} images=FOLDER",
        f"  inference_model ({tmp_path / 'model'}): run the pipeline modelling first, {place} model=FOLDER",
        f"  raw_source ({tmp_path / 'raw'}): run the pipeline data_engineering first, {place} raw_dir=FOLDER",
    ]


def test_existing_inputs_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "persons.csv").write_text("person_id\n1\n")
    InputsCheck().before_pipeline_run({}, join("persons", "run_records", "params:modelling.model"), catalog_of(tmp_path))


def test_outputs_of_the_run_are_not_missing_inputs(tmp_path: Path) -> None:
    (tmp_path / "persons.csv").write_text("person_id\n1\n")
    pipeline = Pipeline([node(lambda x: x, "persons", "model", name="make"), node(lambda x: x, "model", "more", name="use")])
    InputsCheck().before_pipeline_run({}, pipeline, catalog_of(tmp_path))


@pytest.mark.parametrize(("results", "shared"), [("theirs.json", True), (None, True), ("theirs.json", False)])
def test_model_is_not_needed_if_all_nodes_read_external_results(tmp_path: Path, results: str | None, shared: bool) -> None:
    catalog = DataCatalog(
        {
            "model": ModelDataset(filepath=str(tmp_path / "model"), version=Version(None, "now")),
            "params:evaluation.results": MemoryDataset("theirs.json") if results else MemoryDataset(None),
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


def test_a_model_without_uncertainty_is_evaluated_without(tmp_path: Path) -> None:
    place = str(tmp_path / "model" / "uncertainty.json")
    catalog = catalog_of(tmp_path, uncertainty=UncertaintyDataset(filepath=place, version=Version(None, "now")))
    InputsCheck().before_pipeline_run({}, join("uncertainty"), catalog)
    assert catalog.load("uncertainty") is None


def test_missing_version_is_reported_with_the_existing_ones(tmp_path: Path) -> None:
    table = CSVDataset(filepath=str(tmp_path / "scores.csv"), version=Version("v0", "v1"), save_args={"index": False})
    catalog = catalog_of(tmp_path, scores=table)
    with pytest.raises(MissingInputError, match="none"):
        InputsCheck().before_pipeline_run({"load_versions": {"scores": "v0"}}, join("scores"), catalog)
    CSVDataset(filepath=str(tmp_path / "scores.csv"), version=Version(None, "v1"), save_args={"index": False}).save(
        pd.DataFrame({"a": [1]})
    )
    table.release()
    with pytest.raises(MissingInputError, match=r"scores:v0: .*v1"):
        InputsCheck().before_pipeline_run({"load_versions": {"scores": "v0"}}, join("scores"), catalog)
    InputsCheck().before_pipeline_run({"load_versions": {"scores": "v1"}}, Pipeline([]), catalog)
    with pytest.raises(MissingInputError, match="persons "):
        InputsCheck().before_pipeline_run({"load_versions": {"persons": "v1"}}, Pipeline([]), catalog)


@pytest.mark.parametrize("function", [train_model, dict])
def test_a_missing_rank_stops_a_training_on_several_nodes_before_its_first_node(
    function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("POSESCOPE_NODE_RANK", "SLURM_NODEID", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    step = node(lambda values: values, "params:modelling.training", "model", name="train")
    step._func = function
    catalog = DataCatalog({"params:modelling.training": MemoryDataset({"nodes": 2, "rendezvous": "node0:29500"})})
    if function is train_model:
        with pytest.raises(OptionsError, match="POSESCOPE_NODE_RANK"):
            NodeRankCheck().before_pipeline_run(Pipeline([step]), catalog)
        monkeypatch.setenv("POSESCOPE_NODE_RANK", "0")
    NodeRankCheck().before_pipeline_run(Pipeline([step]), catalog)
