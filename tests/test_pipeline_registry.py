"""Tests of posescope.pipeline_registry."""

from importlib.metadata import EntryPoint, entry_points

import pytest
from pydantic import BaseModel

from posescope.pipeline_registry import DEFAULT_PIPELINES, parameter_models, register_pipelines

PIPELINES = register_pipelines()


def test_every_installed_pipeline_is_registered() -> None:
    installed = {entry.name for entry in entry_points(group="posescope.pipelines")}
    assert set(PIPELINES) == installed | {"__default__"}
    assert {"data_engineering", "modelling", "evaluation", "explainability", "inference", "reporting"} <= installed


def test_default_pipeline_has_the_expected_stages() -> None:
    together = {node.name for name in DEFAULT_PIPELINES for node in PIPELINES[name].nodes}
    assert {node.name for node in PIPELINES["__default__"].nodes} == together
    assert "inference" not in DEFAULT_PIPELINES


def test_default_needs_only_stores_and_parameters() -> None:
    free = {name for name in PIPELINES["__default__"].inputs() if not name.startswith("params:")}
    assert free == {
        "raw_workspace",
        "crops_workspace",
        "checkpoints_workspace",
        "training_image_grids_workspace",
        "trained_models_workspace",
        "features_workspace",
        "explorer_workspace",
    }


def test_all_pipelines_can_be_run_together() -> None:
    """Kedro rejects two nodes of one name, and two that write one dataset."""
    everything = sum(PIPELINES.values(), PIPELINES["__default__"])
    assert len({node.name for node in everything.nodes}) == len(everything.nodes)


@pytest.mark.parametrize("name", sorted(set(PIPELINES) - {"__default__"}))
def test_nodes_carry_their_pipelines_tag_and_a_docstring(name: str) -> None:
    for node in PIPELINES[name].nodes:
        assert name in node.tags
        assert node.func.__doc__, node.name


@pytest.mark.parametrize("name", sorted(set(PIPELINES) - {"__default__"}))
def test_every_pipeline_has_an_options_model_of_its_name(name: str) -> None:
    models = parameter_models()
    assert issubclass(models[name], BaseModel)
    assert models[name].model_config.get("extra") == "forbid"
    assert models[name].model_config.get("frozen")


def test_every_parameter_that_a_node_reads_is_a_field() -> None:
    models = parameter_models()
    for name in PIPELINES["__default__"].inputs() | PIPELINES["inference"].inputs():
        if name.startswith("params:"):
            namespace, field = name.removeprefix("params:").split(".")
            assert field in models[namespace].model_fields, name


def test_every_field_has_a_description() -> None:
    silent = [
        f"{namespace}.{name}" for namespace, model in parameter_models().items()
        for name, field in model.model_fields.items() if not field.description
    ]  # fmt: skip
    assert silent == []


def test_parameters_are_found_beside_the_function_too(monkeypatch: pytest.MonkeyPatch) -> None:
    row = EntryPoint("modelling", "posescope.pipelines.modelling:create_pipeline", "posescope.pipelines")
    monkeypatch.setattr("posescope.pipeline_registry.installed", lambda group: (row,))
    assert set(parameter_models()) == {"compute", "storage", "tracking", "modelling"}
