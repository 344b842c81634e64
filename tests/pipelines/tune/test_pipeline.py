"""The pipeline `tune`, run through Kedro: what it leaves, who it looks at, and an environment made of its winner."""

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
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from posescope.core.tables import ids_of
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_store import CropStore
from posescope.kedro_support.config_loader import ComponentConfigLoader
from posescope.kedro_support.parameter_checks import check_parameters
from posescope.pipeline_registry import DEFAULT_PIPELINES, parameter_models, register_pipelines
from posescope.pipelines.tune import create_pipeline
from posescope.settings import CONFIG_LOADER_ARGS

REPOSITORY = Path(__file__).resolve().parents[3]
BUDGET = {"trials": 3, "epochs": 1, "pruner": {"name": "none"}}


class Seen:
    """Whom a run selected from the store of crops, and whose pixels it read."""

    def __init__(self) -> None:
        self.selected: set[int] = set()
        self.read: set[int] = set()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Seen]]:
    """The project after a search of three trials on a few painted persons; and whom the search has seen."""
    root = tmp_path_factory.mktemp("tune")
    places = {"data_dir": str(root / "data"), "raw_dir": str(root / "raw")}
    seen = Seen()
    select, read_images = CropStore.select, CropSet.read_images

    def spy_on_select(store: CropStore, targets: Any, person_ids: Any) -> CropSet:
        seen.selected |= set(person_ids.tolist())
        return select(store, targets, person_ids)

    def spy_on_read(crops: CropSet, rows: Any) -> Any:
        seen.read |= set(crops.targets.person_ids[rows].tolist())
        return read_images(crops, rows)

    bootstrap_project(REPOSITORY)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with KedroSession.create(project_path=REPOSITORY, env="test", runtime_params=places, save_on_close=False) as session:
        session.run(pipeline_names=["data_engineering"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CropStore, "select", spy_on_select)
        patch.setattr(CropSet, "read_images", spy_on_read)
        given = {**places, "tune": BUDGET, "modelling": {"training": {"batch_size": 4}}}
        with KedroSession.create(project_path=REPOSITORY, env="test", runtime_params=given, save_on_close=False) as session:
            session.run(pipeline_names=["tune"])
    with KedroSession.create(project_path=REPOSITORY, env="test", runtime_params=places, save_on_close=False) as session:
        yield session.load_context(), seen
    torch.set_num_threads(threads)


def test_it_is_no_part_of_the_default_run() -> None:
    assert "tune" not in DEFAULT_PIPELINES
    default = {node.name for node in register_pipelines()["__default__"].nodes}
    assert default.isdisjoint(node.name for node in create_pipeline().nodes)


def test_nobody_of_the_test_set_is_looked_at(ran: tuple[Any, Seen]) -> None:
    context, seen = ran
    persons = context.catalog.load("persons")
    train, val, test = (set(ids_of(persons, split).tolist()) for split in ("train", "val", "test"))
    assert test
    assert seen.selected == train | val
    assert seen.read
    assert seen.read <= train | val
    assert seen.read.isdisjoint(test)


def test_the_table_and_the_plots(ran: tuple[Any, Seen]) -> None:
    context, _ = ran
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


def test_the_winner_is_an_environment(ran: tuple[Any, Seen], tmp_path: Path) -> None:
    context, _ = ran
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
    assert (codec["name"], codec["options"]["decoder"]) == (base["name"], base["options"]["decoder"]), "the rest stays"
    assert training["epochs"] != BUDGET["epochs"], "a trial's epochs are not those of the winner's training"


def test_no_checkpoint_is_left(ran: tuple[Any, Seen]) -> None:
    context, _ = ran
    root = context.catalog.load("tuning_workspace").root
    assert {path.suffix for path in root.rglob("*") if path.is_file()} == {".json"}
    assert len(list(root.rglob("*.json"))) == 3
