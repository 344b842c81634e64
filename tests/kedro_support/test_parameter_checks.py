"""Tests of posescope.kedro_support.parameter_checks."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from posescope import settings
from posescope.core.errors import OptionsError
from posescope.core.parameters import RENAMED_PARAMETERS
from posescope.kedro_support.config_loader import ComponentConfigLoader, merge_parameters
from posescope.kedro_support.parameter_checks import PATH_PARAMETERS, check_parameters
from posescope.kedro_support.params_option import parse_pairs
from posescope.kedro_support.run_checks import ParametersCheck
from posescope.pipeline_registry import parameter_models

CONF = Path(__file__).resolve().parents[2] / "conf"


@pytest.fixture(scope="module")
def parameters() -> dict[str, Any]:
    return dict(ComponentConfigLoader(conf_source=str(CONF), env="test", **settings.CONFIG_LOADER_ARGS)["parameters"])


def check(parameters: dict[str, Any], *changes: dict[str, Any]) -> str:
    """Merge the changes as the command line does, and return the error message, or "" for valid parameters."""
    for change in changes:
        parameters = merge_parameters(parameters, change)
    try:
        check_parameters(parameters, parameter_models(), env="test")
    except OptionsError as error:
        return str(error)
    return ""


def test_parameters_of_the_project_are_valid(parameters: dict[str, Any]) -> None:
    assert check(parameters) == ""


def test_no_parameters_are_valid() -> None:
    assert check({}) == ""


@pytest.mark.parametrize("namespace", sorted(parameter_models()))
def test_unknown_key_is_reported_in_every_namespace(parameters: dict[str, Any], namespace: str) -> None:
    message = check(parameters, {namespace: {"nonsense": 1}})
    assert message.splitlines() == [
        "1 wrong parameters (conf/base, conf/test or --params):",
        f"  {namespace}.nonsense: unknown name",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"modelling": {"training": {"epochs": -1}}}, "modelling.training.epochs: "),
        ({"modelling": {"training": {"epochs": "many"}}}, "(found 'many')"),
        ({"modelling": {"model": {"name": "nope"}}}, "modelling.model: No component 'nope' in posescope.models."),
        ({"modelling": {"model": {"options": {"stacks": 99}}}}, "stacks: "),
        ({"data_engineering": {"codec": {"options": {"sgima": 2}}}}, "sgima: unknown name"),
        ({"evaluation": {"scoring": {"metrics": [{"name": "pkc"}]}}}, "evaluation.scoring.metrics.0: No component 'pkc'"),
        ({"reporting": 3}, "reporting"),
        ({"modelling": None}, "modelling"),
    ],
    ids=["bound", "type", "component", "option's bound", "option's name", "in a list", "no mapping", "null"],
)  # fmt: skip
def test_invalid_parameter_is_reported(parameters: dict[str, Any], change: dict[str, Any], expected: str) -> None:
    message = check(parameters, change)
    assert message.startswith("1 wrong parameters")
    assert expected in message


def test_all_invalid_parameters_are_reported_at_once(parameters: dict[str, Any]) -> None:
    message = check(parameters, {"modelling": {"training": {"epochs": 0, "batch_size": 0}}}, {"reporting": {"pages": 1}})
    assert message.startswith("3 wrong parameters")
    assert all(name in message for name in ("modelling.training.epochs", "modelling.training.batch_size", "reporting.pages"))


def test_invalid_component_options_are_reported_with_their_paths(parameters: dict[str, Any]) -> None:
    message = check(parameters, {"modelling": {"training": {"optimiser": {"name": "rmsprop", "options": {"alhpa": 1, "x": 2}}}}})
    assert message.splitlines() == [
        "2 wrong parameters (conf/base, conf/test or --params):",
        "  modelling.training.optimiser: options of 'rmsprop': alhpa: unknown name",
        "  modelling.training.optimiser: options of 'rmsprop': x: unknown name",
    ]


def test_message_with_a_semicolon_is_one_line(parameters: dict[str, Any]) -> None:
    message = check(parameters, {"reporting": {"page": {"title": 3, "a; b": 1}}})
    assert message.splitlines()[0].startswith("2 wrong parameters")
    assert message.splitlines()[2] == "  reporting.page.a; b: unknown name"


def test_unknown_top_level_key_is_reported_with_a_close_match(parameters: dict[str, Any]) -> None:
    message = check(parameters, {"modeling": {}})
    assert "modeling: unknown top-level key; did you mean 'modelling'? Known: boxes, cache_dir, compute, data_dir, " in message
    assert "zzz: unknown top-level key. Known: boxes" in check(parameters, {"zzz": 1})


@pytest.mark.parametrize("name", sorted(PATH_PARAMETERS))
def test_path_parameters_are_text(parameters: dict[str, Any], name: str) -> None:
    assert check(parameters, {name: "some/where"}) == ""
    assert f"{name}: expected a path ({PATH_PARAMETERS[name]}), found 3" in check(parameters, {name: 3})
    assert f"{name}: expected a path" in check(parameters, {name: None})


@pytest.mark.parametrize("name", sorted(PATH_PARAMETERS))
@pytest.mark.parametrize("path", ["s3://bucket/x", "file:///tmp/x", "~unknown_user/x", "${raw_dir}", ""])
def test_url_is_refused_as_a_path_parameter(parameters: dict[str, Any], name: str, path: str) -> None:
    message = check(parameters, {name: path})
    assert message.startswith("1 wrong parameters")
    assert f"  {name}: " in message


def test_braces_are_refused_in_data_dir(parameters: dict[str, Any]) -> None:
    assert "  data_dir: '{x}' has braces" in check(parameters, {"data_dir": "{x}"})
    assert check(parameters, {"raw_dir": "{x}"}) == ""


@pytest.mark.parametrize("results", ["s3://bucket/x.json", ""])
def test_external_results_are_a_local_file(parameters: dict[str, Any], results: str) -> None:
    assert "  evaluation.results: " in check(parameters, {"evaluation": {"results": results}})


def without_discriminator(path: str) -> str:
    """Return the path without the name of the schedule, which pydantic adds."""
    return path.replace("schedule.one_cycle.", "schedule.")


@pytest.mark.parametrize("old", RENAMED_PARAMETERS)
def test_old_name_is_refused_with_the_new_one(parameters: dict[str, Any], old: str) -> None:
    change = parse_pairs([f"{without_discriminator(old)}=1"])
    if "one_cycle" in old:
        change["modelling"]["training"]["schedule"]["name"] = "one_cycle"
    message = check(parameters, change)
    assert message.startswith("1 wrong parameters")
    assert f"  {old}: renamed to {RENAMED_PARAMETERS[old]}" in message


def test_old_options_and_names_of_components_are_refused_with_the_new_ones(parameters: dict[str, Any]) -> None:
    message = check(parameters, {"data_engineering": {"codec": {"name": "gaussian", "options": {"sigma_cells": 1.5}}}})
    assert "data_engineering.codec: options of 'gaussian': sigma_cells: renamed to sigma_heatmap_px" in message
    message = check(parameters, {"explainability": {"analyses": {"selected": [{"name": "walks"}]}}})
    assert "renamed to latent_traversal" in message


def test_old_name_in_an_environment_or_its_globals_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "custom").mkdir()
    (tmp_path / "base" / "globals.yml").write_text("data_dir: data")
    (tmp_path / "base" / "parameters.yml").write_text("{}")
    (tmp_path / "custom" / "globals.yml").write_text("test_ledger: uses.json")
    (tmp_path / "custom" / "parameters.yml").write_text("evaluation: {failures: {}}")
    loader = ComponentConfigLoader(conf_source=str(tmp_path), env="custom", **settings.CONFIG_LOADER_ARGS)
    with pytest.raises(OptionsError, match="test_access_log") as caught:
        ParametersCheck().after_context_created(SimpleNamespace(config_loader=loader, env="custom"))
    assert "evaluation.failures: renamed to evaluation.error_analysis" in str(caught.value)
