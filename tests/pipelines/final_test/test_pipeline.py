"""Tests of posescope.pipelines.final_test, run through Kedro."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tests.kedro_sessions import run_pipelines

from posescope.artifacts.description import model_fingerprint
from posescope.artifacts.model_folder import load_model, save_model
from posescope.core.errors import PosescopeError
from posescope.core.records import PosePredictions
from posescope.core.tables import ids_of, images_of, join_joints, joints_of
from posescope.data.crops.crop_store import CropStore
from posescope.pipeline_registry import DEFAULT_PIPELINES, register_pipelines
from posescope.pipelines.final_test import create_pipeline
from posescope.prediction import split_predictions

pytestmark = pytest.mark.usefixtures("one_thread")


class Project:
    """The project with its data, models and access log in one folder."""

    def __init__(self, root: Path, data: str = "data") -> None:
        self.root = root
        self.data = root / data
        self.log_file = root / "data" / "08_reporting" / "test_access_log.json"

    def run(self, *names: str, **params: Any) -> None:
        paths = {"data_dir": str(self.data), "raw_dir": str(self.root / "raw"), "test_access_log": str(self.log_file)}
        run_pipelines(self.root, *names, **{**paths, **params})

    def accesses(self) -> list[dict[str, Any]]:
        return json.loads(self.log_file.read_text()) if self.log_file.exists() else []  # type: ignore[no-any-return]

    def scores(self) -> pd.DataFrame:
        return pd.read_parquet(self.data / "07_model_output" / "test" / "person_scores.parquet")

    def persons(self) -> pd.DataFrame:
        return pd.read_parquet(self.data / "03_primary" / "persons.parquet")

    def models(self) -> list[Path]:
        return sorted((self.data / "06_models" / "model").glob("*/model"))

    def train_another(self) -> None:
        """Add a newer model with other weights, without training."""
        model = load_model(self.models()[-1])
        with torch.no_grad():
            for weights in model.network.parameters():
                weights.mul_(1.01)
        save_model(self.data / "06_models" / "model" / "2999-01-01T00.00.00.000Z" / "model", replace(model))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with crops and a model, which tests only read."""
    project = Project(tmp_path_factory.mktemp("final_test"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    project.run("data_engineering", "modelling", modelling={"training": {"epochs": 1}})
    torch.set_num_threads(threads)
    return project


@pytest.fixture
def project(trained: Project, tmp_path: Path) -> Project:
    """Return a copy whose test set has not been scored."""
    shutil.copytree(trained.root, tmp_path / "copy")
    return Project(tmp_path / "copy")


def test_pipeline_is_not_part_of_the_default_run() -> None:
    assert "final_test" not in DEFAULT_PIPELINES
    default = {node.name for node in register_pipelines()["__default__"].nodes}
    assert default.isdisjoint(node.name for node in create_pipeline().nodes)


def test_no_other_pipeline_reads_the_test_set() -> None:
    made = create_pipeline().all_outputs()
    for name, pipeline in register_pipelines().items():
        if name != "final_test":
            assert pipeline.inputs().isdisjoint(made), name


def test_every_prediction_follows_the_access_log() -> None:
    first = create_pipeline().from_nodes("final_test.begin_test_set_access")
    behind = {node.name for node in first.nodes}
    ahead = {node.name for node in create_pipeline().nodes} - behind
    assert ahead == {"final_test.select_evaluated_persons"}, "it reads tables and parameters only"


def test_evaluation_never_reads_the_test_split(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()
    select = CropStore.select

    def spy(store: CropStore, targets: Any, person_ids: Any) -> Any:
        seen.update(person_ids.tolist())
        return select(store, targets, person_ids)

    monkeypatch.setattr(CropStore, "select", spy)
    project.run("evaluation")
    val, test = (set(ids_of(project.persons(), split).tolist()) for split in ("val", "test"))
    assert test
    assert seen == val
    predicted = pd.read_parquet(project.data / "07_model_output" / "val" / "predictions.parquet")
    assert set(predicted["person_id"]) == val
    assert project.accesses() == []


def test_first_access_is_logged(project: Project) -> None:
    project.run("final_test")
    (access,) = project.accesses()
    persons = project.persons()
    assert (access["number"], access["kind"], access["state"]) == (1, "first", "completed")
    assert access["model_fingerprint"] == model_fingerprint(project.models()[-1])
    assert access["persons"] == len(ids_of(persons, "test")) > 0
    assert access["images"] == len(images_of(persons, "test"))
    assert access["flip_test"] is False
    assert access["data_dir"] == str(project.data)
    assert len(set(access["person_keys"].split())) == access["persons"]
    run = project.data / "08_reporting" / "runs" / access["run_id"] / "run.json"
    assert json.loads(run.read_text())["pipelines"] == ["final_test"]
    # The logged metric values equal those of the file and those of the table of persons.
    metrics = json.loads((project.data / "08_reporting" / "test_metrics.json").read_text())["test"]
    assert {"pck_thesis", "oks", "oks_ap", "mse"} <= set(metrics)
    assert {name: value["value"] for name, value in access["metric_values"].items()} == {
        name: value["value"] for name, value in metrics.items()
    }
    assert (
        access["metric_values"]["oks"]["low"] <= access["metric_values"]["oks"]["value"] <= access["metric_values"]["oks"]["high"]
    )
    scores = project.scores()
    assert scores["person_id"].tolist() == ids_of(persons, "test").tolist()
    assert scores["oks"].mean() == pytest.approx(metrics["oks"]["value"])


def test_persons_of_unreadable_images_are_missed_in_all_metrics(project: Project) -> None:
    """AP and the means over persons are computed on the same test persons."""
    first = project.persons().query("split == 'test'").iloc[0]
    (project.root / "raw" / first["source_split"] / first["file_name"]).write_bytes(b"no image")
    given = {"data_engineering": {"sample": None, "failures": {"max_fraction": 1.0}}}
    project.run("data_engineering", **given)
    project.run("final_test", evaluation={"scoring": {"protocol": "coco"}}, **given)
    scores = project.scores()
    missed = scores[~scores["found"]]
    assert first["person_id"] in missed["person_id"].tolist()
    assert (missed["oks"] == 0).all()
    metrics = json.loads((project.data / "08_reporting" / "test_metrics.json").read_text())["test"]
    assert metrics["oks"]["persons"] == metrics["oks_ap"]["persons"] == len(scores)


def test_average_precision_equals_pycocotools_over_the_test_images(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions are replaced by values near the truth, since a model of one epoch finds no person."""

    def predict_near_truth(predictions: PosePredictions, _: pd.DataFrame) -> pd.DataFrame:
        truth = joints_of(pd.read_parquet(project.data / "02_intermediate" / "keypoints.parquet"), predictions.person_ids)
        noise = np.random.default_rng(0).normal(0, 4, truth[..., :2].shape)
        joints = np.nan_to_num(truth[..., :2]) + noise
        return join_joints(predictions.person_ids, joints, predictions.scores, "score")

    monkeypatch.setattr(split_predictions, "predictions_table", predict_near_truth)
    project.run("final_test")
    content = json.loads((project.root / "raw" / "annotations" / "person_keypoints_train2017.json").read_text())
    results = json.loads((project.data / "07_model_output" / "test" / "coco_results.json").read_text())
    images = images_of(project.persons(), "test").tolist()
    assert {result["image_id"] for result in results} <= set(images)
    truth = COCO()
    truth.dataset = content
    truth.createIndex()
    reference = COCOeval(truth, truth.loadRes(results), "keypoints")
    reference.params.imgIds = images
    reference.evaluate()
    reference.accumulate()
    reference.summarize()
    metrics = json.loads((project.data / "08_reporting" / "test_metrics.json").read_text())["test"]
    expected = np.asarray(reference.stats)[[0, 1, 2, 5]]
    assert 0 < expected[0] < 1
    assert [metrics[name]["value"] for name in ("oks_ap", "oks_ap50", "oks_ap75", "oks_ar")] == pytest.approx(
        expected.tolist(), abs=1e-9
    )


def test_repetition_is_logged(project: Project) -> None:
    project.run("final_test")
    project.run("final_test", evaluation={"prediction": {"flip_test": True}})
    first, second = project.accesses()
    assert [access["kind"] for access in (first, second)] == ["first", "repetition"]
    assert [access["flip_test"] for access in (first, second)] == [False, True]
    assert first["data_fingerprint"] == second["data_fingerprint"]
    assert first["run_id"] != second["run_id"]


def test_same_model_in_another_folder_is_a_repetition(project: Project) -> None:
    project.run("final_test")
    shutil.move(project.models()[-1].parent, project.data / "06_models" / "model" / "2999-01-01T00.00.00.000Z")
    project.run("final_test")
    assert [access["kind"] for access in project.accesses()] == ["first", "repetition"]


def test_another_model_is_refused_before_prediction(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.run("final_test")
    project.train_another()
    monkeypatch.setattr(split_predictions, "predict_crops", lambda *_: pytest.fail("the model was run"))
    before = project.accesses()
    with pytest.raises(PosescopeError, match="allow_repeated_access") as error:
        project.run("final_test")
    assert "\n" not in str(error.value)
    assert project.accesses() == before


def test_another_data_dir_shares_the_access_log(project: Project) -> None:
    """First the same persons in another folder with another model, then other data."""
    project.run("final_test")
    shutil.copytree(project.data, project.root / "other")
    other = Project(project.root, "other")
    other.train_another()
    with pytest.raises(PosescopeError, match="scored before"):
        other.run("final_test")
    assert [access["data_dir"] for access in project.accesses()] == [str(project.data)]
    paint = {"sample": {"seed": 1}}
    paths = {"data_dir": str(project.root / "third"), "raw_dir": str(project.root / "third_raw")}
    other.run("data_engineering", "modelling", data_engineering=paint, modelling={"training": {"epochs": 1}}, **paths)
    other.run("final_test", data_engineering=paint, **paths)
    assert [access["kind"] for access in project.accesses()] == ["first", "first"]
    assert project.accesses()[1]["seen_before"] == 0


def test_override_is_logged(project: Project) -> None:
    project.run("final_test")
    project.train_another()
    project.run("final_test", final_test={"allow_repeated_access": True})
    first, second = project.accesses()
    assert (second["kind"], second["state"]) == ("override", "completed")
    assert second["model_fingerprint"] == model_fingerprint(project.models()[-1]) != first["model_fingerprint"]


def test_killed_run_counts_as_an_access(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def kill(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(split_predictions, "predict_crops", kill)
        with pytest.raises(KeyboardInterrupt):
            project.run("final_test")
    (access,) = project.accesses()
    assert (access["kind"], access["state"], access["metric_values"]) == ("first", "opened", None)
    assert access["run_id"]
    project.run("final_test")
    assert [(access["kind"], access["state"]) for access in project.accesses()] == [
        ("first", "opened"),
        ("repetition", "completed"),
    ]
    project.train_another()
    with pytest.raises(PosescopeError, match="scored before"):
        project.run("final_test")


def test_empty_test_set_is_an_error(project: Project) -> None:
    project.run("data_engineering", "modelling", data_engineering={"split": {"max_test_fraction": 0}})
    with pytest.raises(PosescopeError, match="max_test_fraction") as error:
        project.run("final_test")
    assert "\n" not in str(error.value)
    assert project.accesses() == []
