"""Tests of posescope.kedro_support.config_loader: merging, and the loader on the files of the project and on small ones."""

import json
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from posescope import settings
from posescope.core.errors import OptionsError
from posescope.core.plugins import Options
from posescope.kedro_support.config_loader import ComponentConfigLoader, default_parameters, merge_parameters

CONF = Path(__file__).resolve().parents[2] / "conf"
BASE_CODEC = {"name": "gaussian", "options": {"stride": 4, "sigma_heatmap_px": 1.0}}


def load(env: str, conf: Path = CONF, **runtime: Any) -> dict[str, Any]:
    loader = ComponentConfigLoader(conf_source=str(conf), env=env, runtime_params=runtime, **settings.CONFIG_LOADER_ARGS)
    return dict(loader["parameters"])


@pytest.mark.parametrize(
    ("below", "above", "merged"),
    [
        ({"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 1, "b": 3, "c": 4}),
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"d": 3}}}, {"a": {"b": {"c": 1, "d": 3}}}),
        ({"a": [1, 2, 3]}, {"a": [4]}, {"a": [4]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": 1}, {}, {"a": 1}),
        ({"codec": BASE_CODEC}, {"codec": {"name": "thesis"}}, {"codec": {"name": "thesis"}}),
        (
            {"codec": BASE_CODEC},
            {"codec": {"name": "thesis", "options": {"stride": 2}}},
            {"codec": {"name": "thesis", "options": {"stride": 2}}},
        ),
        (
            {"codec": BASE_CODEC},
            {"codec": {"name": "gaussian", "options": {"stride": 2}}},
            {"codec": {"name": "gaussian", "options": {"stride": 2, "sigma_heatmap_px": 1.0}}},
        ),
        (
            {"codec": BASE_CODEC},
            {"codec": {"options": {"stride": 2}}},
            {"codec": {"name": "gaussian", "options": {"stride": 2, "sigma_heatmap_px": 1.0}}},
        ),
        (
            {"crop": {"rule": "centred_square", "rule_options": {"margin": 0.3}, "size_px": 128}},
            {"crop": {"rule": "padded_square"}},
            {"crop": {"rule": "padded_square", "size_px": 128}},
        ),
        ({"page": {"options": {"a": 1}}}, {"page": {"name": "new"}}, {"page": {"name": "new", "options": {"a": 1}}}),
    ],
    ids=[
        "keys", "deep", "lists are replaced", "null wins", "over null", "nothing", "swap", "swap with options", "same name",
        "options only", "rule", "no name below",
    ],
)  # fmt: skip
def test_merge_by_hand(below: dict[str, Any], above: dict[str, Any], merged: dict[str, Any]) -> None:
    before = deepcopy((below, above))
    assert merge_parameters(below, above) == merged
    assert (below, above) == before, "nothing is changed in place"


def test_component_replaced_on_the_command_line_has_its_default_options() -> None:
    assert load("base")["data_engineering"]["codec"]["name"] == "gaussian"
    swapped = load("base", data_engineering={"codec": {"name": "thesis"}})
    assert swapped["data_engineering"]["codec"] == {"name": "thesis"}
    assert swapped["data_engineering"]["crop"] == load("base")["data_engineering"]["crop"]


def test_option_on_the_command_line_keeps_the_others() -> None:
    options = load("base", modelling={"model": {"options": {"stacks": 3}}})["modelling"]["model"]["options"]
    assert options == {**load("base")["modelling"]["model"]["options"], "stacks": 3}


def test_environment_contains_differences_only() -> None:
    base, test = load("base"), load("test")
    assert test["modelling"]["training"] == {**base["modelling"]["training"], "epochs": 2, "batch_size": 8}
    assert test["data_engineering"]["sample"] == {"train_persons": 60, "val_persons": 20, "seed": 0}
    assert test["evaluation"] == base["evaluation"]


def test_environment_replaces_components() -> None:
    thesis = load("thesis_final")["data_engineering"]
    assert thesis["codec"] == {"name": "thesis", "options": {"stride": 4, "sigma_visible": 0.5, "sigma_occluded": 1.0}}
    assert thesis["sample"] is None


def test_command_line_has_priority_over_the_environment() -> None:
    assert load("test", modelling={"training": {"epochs": 7}})["modelling"]["training"]["epochs"] == 7
    assert load("thesis", data_engineering={"codec": {"name": "gaussian"}})["data_engineering"]["codec"] == {"name": "gaussian"}
    assert load("coco", data_engineering={"sample": {"train_persons": 9}})["data_engineering"]["sample"] == {"train_persons": 9}


def test_files_of_one_environment_are_joined_and_interpolated(tmp_path: Path) -> None:
    for env, files in {
        "base": {"parameters_a.yml": "a: {x: 1, y: 2}", "parameters_b.yml": "b: {z: 3}"},
        "local": {"parameters.yml": "a: {y: 5}\nc: ${a.y}"},
    }.items():
        for name, content in files.items():
            (tmp_path / env).mkdir(exist_ok=True)
            (tmp_path / env / name).write_text(content)
    loaded = load("local", tmp_path, a={"x": 9})
    assert {name: loaded[name] for name in "abc"} == {"a": {"x": 9, "y": 5}, "b": {"z": 3}, "c": 5}


def test_globals_are_merged_and_overridden_by_the_command_line() -> None:
    loader = ComponentConfigLoader(
        conf_source=str(CONF), env="coco", runtime_params={"data_dir": "elsewhere"}, **settings.CONFIG_LOADER_ARGS
    )
    assert loader["globals"]["data_dir"] == "data", "conf/coco does not name it: base's stays"
    catalog = loader["catalog"]
    assert catalog["crops"]["filepath"] == "elsewhere/05_model_input/crops"
    assert catalog["raw_source"]["filepath"] == "data/01_raw/coco"


def write_globals(conf: Path, content: str) -> None:
    (conf / "base").mkdir(parents=True)
    (conf / "base" / "globals.yml").write_text(content)
    (conf / "base" / "parameters.yml").write_text("a: 1")
    catalog = "x: {type: kedro.io.MemoryDataset, filepath: '${runtime_params:data_dir,${globals:data_dir}}/x'}"
    (conf / "base" / "catalog.yml").write_text(catalog)


def test_home_folder_is_expanded_in_all_path_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/user")
    write_globals(tmp_path, "data_dir: ~/results\nother: ~/kept")
    arguments = {**settings.CONFIG_LOADER_ARGS, "default_run_env": "base"}
    loader = ComponentConfigLoader(conf_source=str(tmp_path), **arguments)
    assert loader["globals"] == {"data_dir": "/home/user/results", "other": "~/kept"}
    assert loader["catalog"]["x"]["filepath"] == "/home/user/results/x"
    given = {"data_dir": "~/mine", "a": 2}
    loader = ComponentConfigLoader(conf_source=str(tmp_path), runtime_params=given, **arguments)
    assert loader["catalog"]["x"]["filepath"] == "/home/user/mine/x"
    assert loader["parameters"]["data_dir"] == "/home/user/mine"
    assert given == {"data_dir": "~/mine", "a": 2}, "what was given is not changed"


def test_loaders_of_concurrent_runs_keep_their_values(tmp_path: Path) -> None:
    """OmegaConf's resolvers are global to the process, so that each loader must keep its own values."""
    first, second = tmp_path / "first", tmp_path / "second"
    write_globals(first, "data_dir: of_first")
    write_globals(second, "data_dir: of_second")
    arguments = {**settings.CONFIG_LOADER_ARGS, "default_run_env": "base"}
    loaders = {
        f"{conf.name}{number}": ComponentConfigLoader(
            conf_source=str(conf), runtime_params={"data_dir": f"{conf.name}{number}"} if number else None, **arguments
        )
        for conf in (first, second)
        for number in range(3)
    }
    expected = {name: f"of_{name[:-1]}/x" if name.endswith("0") else f"{name}/x" for name in loaders}
    with ThreadPoolExecutor(len(loaders)) as pool:
        for _ in range(5):
            found = pool.map(lambda name: (name, loaders[name]["catalog"]["x"]["filepath"]), loaders)
            assert dict(found) == expected


def test_configuration_below_a_folder_that_is_a_pattern_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="--conf-source"):
        ComponentConfigLoader(conf_source=str(tmp_path / "project [2]" / "conf"), **settings.CONFIG_LOADER_ARGS)


class Size(Options):
    """Options of a namespace without configuration files."""

    size: int = Field(3, ge=1, description="of it")
    inner: Options = Field(default_factory=Options, description="nested")


class RequiredSize(Options):
    """Options of a namespace with a required field."""

    path: str = Field(description="of it")


def test_namespace_without_files_has_its_defaults() -> None:
    models = {"present": Size, "absent": Size, "needy": RequiredSize}
    found = default_parameters(models, {"present": {"size": 4}})
    assert found == {"absent": {"size": 3, "inner": {}}}
    assert json.loads(json.dumps(found)) == found


def test_files_and_command_line_have_priority_over_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("posescope.kedro_support.config_loader.parameter_models", lambda: {"one": Size, "two": Size})
    for env in ("base", "local"):
        (tmp_path / env).mkdir()
        (tmp_path / env / "parameters.yml").write_text("one: {size: 5}" if env == "base" else "other: 1")
    assert load("local", tmp_path) == {"one": {"size": 5}, "two": {"size": 3, "inner": {}}, "other": 1}
    assert load("local", tmp_path, two={"size": 8})["two"] == {"size": 8, "inner": {}}
