"""Tests of posescope.pipelines.modelling.nodes: what stands for a run, and when it is over."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from posescope.core.files import fingerprint
from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import COCO_PERSON, Skeleton
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.geometry.crop_recipe import CropRecipe
from posescope.pipelines.modelling import nodes
from posescope.pipelines.modelling.pipeline import create_pipeline
from posescope.training.options import TrainingOptions

STATISTICS = CropStatistics((0.4, 0.4, 0.4), (64, 64), CropRecipe(rule=ComponentSpec(name="padded_square")), "data")
TRAINING = TrainingOptions()
PLACES = {"source_split": "all", "image_id": [0, 1], "annotation_id": [0, 1]}
HOURGLASS = {"channels": 8, "depth": 1, "bottleneck_residuals": 1}


def mark_of(
    monkeypatch: pytest.MonkeyPatch,
    skeleton: Skeleton,
    statistics: CropStatistics = STATISTICS,
    training: TrainingOptions = TRAINING,
) -> str:
    marks: list[str] = []

    def note(*arguments: Any, **options: Any) -> Any:
        assert fingerprint(options["run_identity"]) == arguments[-1]
        marks.append(arguments[-1])
        return SimpleNamespace(model=arguments[0], history=())

    monkeypatch.setattr(nodes, "train", note)
    monkeypatch.setattr(nodes, "check_current", lambda *records: None)  # held in tests/data/crops/test_crop_statistics.py
    nodes.train_model(
        crops=SimpleNamespace(select=lambda targets, ids: None),
        targets=None,
        persons=pd.DataFrame({"person_id": [0, 1], "split": ["train", "val"], **PLACES}),
        skeleton=skeleton,
        statistics=statistics,
        checkpoints=None,
        image_grids=None,
        codec=ComponentSpec(name="gaussian"),
        model=ComponentSpec(name="hourglass", options=HOURGLASS),
        training=training,
    )
    return marks[0]


def test_the_mark_follows_the_skeleton_and_the_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed = replace(COCO_PERSON, joints=("tip", *COCO_PERSON.joints[1:]))
    padded = replace(STATISTICS, crop=STATISTICS.crop.model_copy(update={"padding_rgb": (0, 0, 0)}))
    mark = mark_of(monkeypatch, COCO_PERSON)
    assert mark == mark_of(monkeypatch, COCO_PERSON)
    assert len({mark, mark_of(monkeypatch, renamed), mark_of(monkeypatch, COCO_PERSON, padded)}) == 3


def test_the_mark_does_not_follow_what_changes_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[dict[str, Any]] = [{"keep_checkpoints": 9}, {"image_grid_every_epochs": 0}, {"resume": "f00d"}]
    mark = mark_of(monkeypatch, COCO_PERSON)
    assert {mark_of(monkeypatch, COCO_PERSON, training=TrainingOptions(**change)) for change in changes} == {mark}
    for change in ({"final_weights": "last"}, {"epochs": 3}, {"ema_decay": 0.9}):
        assert mark_of(monkeypatch, COCO_PERSON, training=TrainingOptions(**change)) != mark


def test_a_run_is_over_once_its_model_is_saved() -> None:
    finished: list[str] = []
    nodes.finish_training(SimpleNamespace(provenance={"fingerprint": "f00d"}), SimpleNamespace(finish=finished.append))
    assert finished == ["f00d"]


def test_the_mark_is_set_after_the_model_is_in_the_catalog() -> None:
    (node,) = [node for node in create_pipeline().nodes if node.name == "modelling.finish_training"]
    assert set(node.inputs) == {"model", "checkpoints_workspace"}
    assert not node.outputs
