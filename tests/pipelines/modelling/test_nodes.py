"""Tests of posescope.pipelines.modelling.nodes: run fingerprint and end of a training."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from posescope.artifacts.model_folder import save_model
from posescope.core.files import fingerprint
from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import COCO_PERSON, Skeleton
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.geometry.crop_recipe import CropRecipe
from posescope.pipelines.modelling import nodes
from posescope.pipelines.modelling.pipeline import create_pipeline
from posescope.runs.trained_models import TrainedModels
from posescope.training.initialisation import build_untrained
from posescope.training.options import TrainingOptions
from posescope.training.weight_transfer import InitialiseOptions

STATISTICS = CropStatistics((0.4, 0.4, 0.4), (64, 64), CropRecipe(rule=ComponentSpec(name="padded_square")), "data")
TRAINING, RANDOM = TrainingOptions(), InitialiseOptions()
KEYS = {"source_split": "all", "image_id": [0, 1], "annotation_id": [0, 1]}
HOURGLASS = {"channels": 8, "depth": 1, "bottleneck_residuals": 1}


def run_fingerprint(
    monkeypatch: pytest.MonkeyPatch,
    skeleton: Skeleton,
    statistics: CropStatistics = STATISTICS,
    training: TrainingOptions = TRAINING,
    initialise: InitialiseOptions = RANDOM,
    trained_models: TrainedModels | None = None,
) -> str:
    fingerprints: list[str] = []

    def record_fingerprint(*arguments: Any, **options: Any) -> Any:
        assert fingerprint(options["run_identity"]) == arguments[-1]
        fingerprints.append(arguments[-1])
        return SimpleNamespace(model=arguments[0], history=())

    monkeypatch.setattr(nodes, "train", record_fingerprint)
    monkeypatch.setattr(nodes, "check_current", lambda *records: None)  # tested in tests/data/crops/test_crop_statistics.py
    nodes.train_model(
        crops=SimpleNamespace(select=lambda targets, ids: ids),
        targets=None,
        persons=pd.DataFrame({"person_id": [0, 1], "split": ["train", "val"], **KEYS}),
        skeleton=skeleton,
        statistics=statistics,
        checkpoints=None,
        image_grids=None,
        trained_models=trained_models,
        codec=ComponentSpec(name="gaussian"),
        model=ComponentSpec(name="hourglass", options=HOURGLASS),
        training=training,
        initialise=initialise,
    )
    return fingerprints[0]


def test_fingerprint_depends_on_skeleton_and_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed = replace(COCO_PERSON, joints=("tip", *COCO_PERSON.joints[1:]))
    padded = replace(STATISTICS, crop=STATISTICS.crop.model_copy(update={"padding_rgb": (0, 0, 0)}))
    expected = run_fingerprint(monkeypatch, COCO_PERSON)
    assert expected == run_fingerprint(monkeypatch, COCO_PERSON)
    assert len({expected, run_fingerprint(monkeypatch, renamed), run_fingerprint(monkeypatch, COCO_PERSON, padded)}) == 3


def test_fingerprint_is_independent_of_options_that_change_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[dict[str, Any]] = [{"keep_checkpoints": 9}, {"image_grid_every_epochs": 0}, {"resume": "f00d"}]
    expected = run_fingerprint(monkeypatch, COCO_PERSON)
    assert {run_fingerprint(monkeypatch, COCO_PERSON, training=TrainingOptions(**change)) for change in changes} == {expected}
    for change in ({"final_weights": "last"}, {"epochs": 3}, {"ema_decay": 0.9}):
        assert run_fingerprint(monkeypatch, COCO_PERSON, training=TrainingOptions(**change)) != expected


def test_fingerprint_depends_on_the_start_model_and_not_on_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain = run_fingerprint(monkeypatch, COCO_PERSON)
    assert run_fingerprint(monkeypatch, COCO_PERSON, initialise=InitialiseOptions(freeze=("stem",))) != plain
    found = []
    for place, seed in (("first", 1), ("copy", 1), ("other", 2)):
        spec = ComponentSpec(name="hourglass", options=HOURGLASS)
        crop = STATISTICS.crop
        model = build_untrained(spec, ComponentSpec(name="gaussian"), COCO_PERSON, (64, 64), (0.4, 0.4, 0.4), crop, seed)
        save_model(tmp_path / place, model)
        options = InitialiseOptions.model_validate({"from": str(tmp_path / place)})
        models = TrainedModels(tmp_path)
        found.append(run_fingerprint(monkeypatch, COCO_PERSON, initialise=options, trained_models=models))
    assert found[0] == found[1]
    assert len({plain, *found}) == 3


def test_finish_training_finishes_the_checkpoints() -> None:
    finished: list[str] = []
    nodes.finish_training(SimpleNamespace(provenance={"fingerprint": "f00d"}), SimpleNamespace(finish=finished.append))
    assert finished == ["f00d"]


def test_training_is_finished_after_the_model_is_saved() -> None:
    (node,) = [node for node in create_pipeline().nodes if node.name == "modelling.finish_training"]
    assert set(node.inputs) == {"model", "checkpoints_workspace"}
    assert not node.outputs
