"""Parameters and catalog of every environment are valid, and layers equal the folders of the datasets."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from kedro.framework.context import KedroContext
from kedro.framework.project import configure_project
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from pydantic import BaseModel

from posescope.kedro_support.parameter_checks import PATH_PARAMETERS, check_parameters
from posescope.pipeline_registry import parameter_models, register_pipelines

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("base", "coco", "local", "production", "test", "thesis", "thesis_final")
PIPELINES = register_pipelines()

# Optional parameters of nodes.
MAY_BE_NONE = {"params:data_engineering.sample", "params:evaluation.results"}
# Parameters that are one word.
WORDS = {"params:reporting.photographs"}
# Datasets that are never written.
IN_MEMORY = {
    "download_plan", "fetched_archives", "test_access", "test_model", "cases_val",
    "setting_val", "setting_test", "data_results", "training_results", "evaluation_results", "explainability_results",
}  # fmt: skip
# Parameters that only a hook reads.
OF_HOOKS = {"run_records", "data_folder"}
# Layers are named after the folders, which are in the order of the data flow.
LAYERS = (
    "01_raw", "02_intermediate", "03_primary", "05_model_input", "06_models", "07_model_output",
    "improved_models", "08_reporting",
)  # fmt: skip
# Entries whose layer is not their folder: `improve` computes models from model output, and analyses are one of its inputs.
OTHER_LAYERS = {
    "analysis_{name}": "07_model_output", "inserted_model": "improved_models", "continued_model": "improved_models",
    "improved_model": "improved_models", "variant_scores": "08_reporting", "variant_hits": "08_reporting",
    "joint_scores_test": "08_reporting", "joint_hits_val": "08_reporting",
}  # fmt: skip
# Inputs of the pipeline `inference`, at any path.
FROM_ANYWHERE = {"inference_images", "inference_boxes", "inference_model"}


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def context(request: pytest.FixtureRequest) -> Iterator[KedroContext]:
    """Return the context of the project in one environment, after the checks of the hooks."""
    bootstrap_project(REPOSITORY)
    with KedroSession.create(project_path=REPOSITORY, env=request.param, save_on_close=False) as session:
        yield session.load_context()


@pytest.fixture(scope="module")
def catalog(context: KedroContext) -> DataCatalog:
    made = context.catalog
    assert isinstance(made, DataCatalog)
    return made


@pytest.fixture(scope="module")
def entries(context: KedroContext) -> dict[str, dict[str, Any]]:
    return dict(context.config_loader["catalog"])


def datasets_of(pipeline: Pipeline) -> set[str]:
    return {name for name in pipeline.datasets() if name != "parameters" and not name.startswith("params:")}


def test_all_environments_are_tested() -> None:
    assert {path.name for path in (REPOSITORY / "conf").iterdir() if path.is_dir()} == set(ENVIRONMENTS)


def test_parameters_are_valid_and_complete(context: KedroContext) -> None:
    parameters = context.config_loader["parameters"]
    check_parameters(parameters, parameter_models(), env=str(context.env))
    assert set(parameters) - set(PATH_PARAMETERS) == set(parameter_models())


def test_every_node_gets_parameters_as_an_options_model(context: KedroContext, catalog: DataCatalog) -> None:
    for pipeline in PIPELINES.values():
        for name in pipeline.inputs():
            if name.startswith("params:"):
                value = catalog.load(name)
                allowed = BaseModel if name not in WORDS else str
                assert isinstance(value, allowed) or (name in MAY_BE_NONE and value is None), name


def test_every_dataset_is_declared_and_can_be_created(catalog: DataCatalog) -> None:
    names = set().union(*(datasets_of(pipeline) for pipeline in PIPELINES.values()))
    assert {"crops", "model", "report", "inference_results", "analysis_latent_traversal", "issues_crop"} <= names
    undeclared = {name for name in names if name not in catalog or isinstance(catalog.get(name), MemoryDataset)}
    assert undeclared == IN_MEMORY


def test_every_entry_is_used(catalog: DataCatalog, entries: dict[str, dict[str, Any]]) -> None:
    names = set().union(*(datasets_of(pipeline) for pipeline in PIPELINES.values()))
    used = {catalog.config_resolver.match_dataset_pattern(name) or name for name in names} | OF_HOOKS
    assert set(entries) - used == set()


def test_layer_of_every_entry_is_its_folder(entries: dict[str, dict[str, Any]]) -> None:
    for name, entry in entries.items():
        layer = entry.get("metadata", {}).get("kedro-viz", {}).get("layer")
        if entry.get("role") == "workspace" or name in OF_HOOKS:
            assert layer is None, name  # an input without a layer is empty at the start of a run
        elif name in FROM_ANYWHERE or name in OTHER_LAYERS:
            assert layer == OTHER_LAYERS.get(name, layer) in LAYERS, name
        else:
            assert layer in LAYERS, name
            assert layer in PurePosixPath(entry["filepath"]).parts, name


def test_workspace_and_result_share_their_folder(entries: dict[str, dict[str, Any]]) -> None:
    pairs = {
        "raw": "raw_source", "crops": "crops", "features": "features", "overlays": "overlays", "explorer": "explorer_persons",
    }  # fmt: skip
    for workspace, result in pairs.items():
        first, second = entries[f"{workspace}_workspace"], entries[result]
        assert (first["filepath"], first["store"]) == (second["filepath"], second["store"])
        assert (first["role"], second.get("role", "result")) == ("workspace", "result")


def test_no_two_other_entries_share_a_path(entries: dict[str, dict[str, Any]]) -> None:
    written = [
        entry["filepath"] for name, entry in entries.items() if not name.endswith("_workspace") and name not in FROM_ANYWHERE
    ]
    assert sorted(written) == sorted(set(written))


@pytest.mark.parametrize("runtime", [{}, {"raw_dir": "/raw", "data_dir": "/made"}], ids=["files", "command line"])
@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_inference_follows_the_data_and_the_model(env: str, runtime: dict[str, Any]) -> None:
    configure_project("posescope")
    with KedroSession.create(project_path=REPOSITORY, env=env, runtime_params=runtime, save_on_close=False) as session:
        entries = session.load_context().config_loader["catalog"]
    raw = entries["raw_source"]["filepath"]
    assert raw == runtime.get("raw_dir", raw)
    assert entries["inference_images"]["filepath"] == f"{raw}/val2017"
    assert entries["inference_boxes"]["filepath"] == f"{raw}/annotations/person_keypoints_val2017.json"
    assert entries["inference_model"]["filepath"] == entries["model"]["filepath"]


def test_path_parameters_of_the_command_line_reach_the_catalog() -> None:
    configure_project("posescope")
    paths = {name: f"/somewhere/{name}" for name in PATH_PARAMETERS}
    with KedroSession.create(project_path=REPOSITORY, env="coco", runtime_params=paths, save_on_close=False) as session:
        entries = session.load_context().config_loader["catalog"]
    for name, entry in entries.items():
        expected = {
            "raw_workspace": "raw_dir", "raw_source": "raw_dir", "inference_images": "images",
            "inference_boxes": "boxes", "inference_model": "model",
            "test_access_log": "test_access_log", "test_access_log_workspace": "test_access_log",
        }.get(name, "data_dir")  # fmt: skip
        assert entry["filepath"].startswith(f"/somewhere/{expected}"), name
