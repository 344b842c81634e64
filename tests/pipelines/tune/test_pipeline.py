"""Tests of posescope.pipelines.tune, run through Kedro: outputs, persons that are read, and the environment of the best trial."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from tests.kedro_sessions import REPOSITORY, open_session, run_pipelines

from posescope.core.tables import ids_of
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_store import CropStore
from posescope.kedro_support.config_loader import ComponentConfigLoader
from posescope.kedro_support.parameter_checks import check_parameters
from posescope.pipeline_registry import DEFAULT_PIPELINES, parameter_models, register_pipelines
from posescope.pipelines.tune import create_pipeline
from posescope.settings import CONFIG_LOADER_ARGS

BUDGET = {"trials": 3, "epochs": 1, "pruner": {"name": "none"}}


class AccessedPersons:
    """The ids of persons that a run selected from the crop store, and of those whose pixels it read."""

    def __init__(self) -> None:
        self.selected: set[int] = set()
        self.read: set[int] = set()


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, AccessedPersons]]:
    """Return the project after a search of three trials on a small sample, and the persons that the search read."""
    root = tmp_path_factory.mktemp("tune")
    paths = {"data_dir": str(root / "data"), "raw_dir": str(root / "raw")}
    accessed = AccessedPersons()
    select, read_images = CropStore.select, CropSet.read_images

    def spy_on_select(store: CropStore, targets: Any, person_ids: Any) -> CropSet:
        accessed.selected |= set(person_ids.tolist())
        return select(store, targets, person_ids)

    def spy_on_read(crops: CropSet, rows: Any) -> Any:
        accessed.read |= set(crops.targets.person_ids[rows].tolist())
        return read_images(crops, rows)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run_pipelines(root, "data_engineering")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CropStore, "select", spy_on_select)
        patch.setattr(CropSet, "read_images", spy_on_read)
        parameters = {**paths, "tune": BUDGET, "modelling": {"training": {"batch_size": 4}}}
        run_pipelines(root, "tune", **parameters)
    with open_session(**paths) as session:
        yield session.load_context(), accessed
    torch.set_num_threads(threads)


def test_pipeline_is_not_part_of_the_default_run() -> None:
    assert "tune" not in DEFAULT_PIPELINES
    default = {node.name for node in register_pipelines()["__default__"].nodes}
    assert default.isdisjoint(node.name for node in create_pipeline().nodes)


def test_no_test_person_is_read(finished_run: tuple[Any, AccessedPersons]) -> None:
    context, accessed = finished_run
    persons = context.catalog.load("persons")
    train, val, test = (set(ids_of(persons, split).tolist()) for split in ("train", "val", "test"))
    assert test
    assert accessed.selected == train | val
    assert accessed.read
    assert accessed.read <= train | val
    assert accessed.read.isdisjoint(test)


def test_outputs_contain_all_trials_and_plots(finished_run: tuple[Any, AccessedPersons]) -> None:
    context, _ = finished_run
    trials: pd.DataFrame = context.catalog.load("tuning_trials")
    assert trials["number"].tolist() == [1, 2, 3]
    assert set(trials["state"]) == {"completed"}
    assert set(trials["reason"]) == {""}
    assert trials["value"].between(0, 1).all()
    space = set(context.params["tune"].space)
    assert space <= set(trials.columns)
    assert trials["modelling.training.learning_rate"].nunique() == 3
    assert np.isin(trials["modelling.training.batch_size"], [8, 16]).all()
    for name in ("tuning_history_plot", "tuning_parameters_plot"):
        assert len(json.dumps(context.catalog.get(name).preview())) > 100
    assert context.catalog.get("tuning_trials").preview(nrows=2)


def test_best_trial_is_a_valid_environment(finished_run: tuple[Any, AccessedPersons], tmp_path: Path) -> None:
    context, _ = finished_run
    conf = shutil.copytree(REPOSITORY / "conf", tmp_path / "conf")
    best = Path(context.catalog.get("tuning_best")._describe()["filepath"])
    shutil.copytree(best.parent, conf / "tuned")
    parameters = ComponentConfigLoader(str(conf), env="tuned", **CONFIG_LOADER_ARGS)["parameters"]
    check_parameters(parameters, parameter_models(), env="tuned")

    trials = context.catalog.load("tuning_trials")
    row = trials.loc[trials["value"].idxmax()]
    training = parameters["modelling"]["training"]
    assert training["learning_rate"] == pytest.approx(row["modelling.training.learning_rate"], rel=1e-12)
    assert training["batch_size"] == row["modelling.training.batch_size"]
    codec = parameters["data_engineering"]["codec"]
    assert codec["options"]["sigma_heatmap_px"] == pytest.approx(
        row["data_engineering.codec.options.sigma_heatmap_px"], rel=1e-12
    )
    base = yaml.safe_load((conf / "base" / "data_engineering" / "parameters.yml").read_text())["data_engineering"]["codec"]
    assert (codec["name"], codec["options"]["decoder"]) == (base["name"], base["options"]["decoder"]), (
        "other options are unchanged"
    )
    assert training["epochs"] != BUDGET["epochs"], "the number of epochs is not that of a trial"


def test_no_checkpoints_remain(finished_run: tuple[Any, AccessedPersons]) -> None:
    context, _ = finished_run
    root = context.catalog.load("tuning_workspace").root
    assert {path.suffix for path in root.rglob("*") if path.is_file()} == {".json"}
    assert len(list(root.rglob("*.json"))) == 3
