"""Bottleneck features, inserted autoencoders, and the dimensionality of the bottlenecks."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.features.activation_patching import constant_patches
from posescope.explainability.features.activations import read_activations
from posescope.explainability.study import image_groups_of
from posescope.geometry.crop_recipe import CropRecipe
from posescope.improvement.autoencoder_insertion import InsertedAutoencoders, train_and_insert
from posescope.improvement.bottleneck_features import BottleneckFeatureStore, extract_bottleneck_features, measure_bottlenecks
from posescope.improvement.code_size import CodeSize
from posescope.improvement.errors import ImprovementError
from posescope.improvement.options import AutoencoderTraining
from posescope.improvement.variants import mean_ablate_bottlenecks
from posescope.training.initialisation import build_untrained

CPU, COUNT, SIDE = torch.device("cpu"), 24, 32
PERSONS = pd.DataFrame({"person_id": np.arange(COUNT), "source_split": "train2017", "image_id": np.arange(COUNT) // 2})
OPTIONS = AutoencoderTraining(channels=(6, 4), epochs=2, batch_size=8, validation_fraction=0.25, evaluation_fraction=0.17)


@pytest.fixture(scope="module")
def model() -> PoseModel:
    options: dict[str, Any] = {"channels": 8, "depth": 1, "bottleneck_residuals": 1, "stacks": 2}
    return build_untrained(
        model_spec=ComponentSpec(name="hourglass", options=options),
        codec_spec=ComponentSpec(name="gaussian"),
        skeleton=Skeleton(joints=("nose", "hand"), limbs=((0, 1),), oks_sigmas=(0.1, 0.1)),
        crop_size=(SIDE, SIDE),
        mean_rgb=(0.4, 0.4, 0.4),
        crop=CropRecipe(rule=ComponentSpec(name="centred_square")),
        seed=0,
    )


@pytest.fixture(scope="module")
def crops() -> CropSet:
    images = np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE, 3)).astype(np.uint8)
    targets = PoseTargets(
        np.arange(COUNT), np.full((COUNT, 2, 2), np.nan, np.float32), np.zeros((COUNT, 2), np.uint8), joint_names=("nose", "hand")
    )
    return CropSet(targets, (images,), np.stack([np.zeros(COUNT, np.int64), np.arange(COUNT)], axis=1))


@pytest.fixture
def store(model: PoseModel, crops: CropSet, tmp_path: Path) -> BottleneckFeatureStore:
    return extract_bottleneck_features(model, crops, BottleneckFeatureStore(tmp_path / "improve"), "data", batch_size=10)


def insert(model: PoseModel, store: BottleneckFeatureStore, dimensions: int = 3) -> InsertedAutoencoders:
    return train_and_insert(model, store.open(), PERSONS, CodeSize(dimensions, "planted"), OPTIONS, CPU)


def test_bottleneck_features_of_every_stack(store: BottleneckFeatureStore, model: PoseModel, crops: CropSet) -> None:
    features = store.open()
    assert [one.layer for one in features] == ["stack1.bottleneck", "stack2.bottleneck"]
    expected = read_activations(model, torch.from_numpy(crops.read_images(np.arange(COUNT))), [one.layer for one in features])
    for one in features:
        np.testing.assert_allclose(one.values, expected[one.layer].flatten(1).numpy(), atol=1e-5)
        assert one.values.dtype == np.float32


def test_incomplete_features_are_refused(store: BottleneckFeatureStore, tmp_path: Path) -> None:
    assert store.is_finished()
    store.begin()
    assert not store.is_finished()
    with pytest.raises(DataError, match="improve"):
        store.open()


def test_a_network_with_one_autoencoder_per_stack(store: BottleneckFeatureStore, model: PoseModel, crops: CropSet) -> None:
    made = insert(model, store)
    assert made.model.model_spec.options["autoencoder"] == {"channels": [6, 4], "code_size": 3, "code_activation": "relu"}
    assert [(row.stack, row.epoch) for row in made.history.itertuples()] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert made.reconstruction.groupby("stack")["method"].apply(list).to_dict() == {
        stack: ["autoencoder", "pca", "mean"] for stack in (1, 2)
    }
    assert set(made.reconstruction["persons"]) == {4}  # two of twelve images
    provenance = made.model.provenance["parts"]["autoencoders"]
    losses = [rows["val_loss"].min() for _, rows in made.history.groupby("stack")]
    assert provenance["val_losses"] == pytest.approx(losses)
    code = read_activations(made.model, torch.from_numpy(crops.read_images(np.arange(2))), ["stack2.code"])["stack2.code"]
    assert code.shape == (2, 3, 1, 1)


def test_a_code_as_large_as_the_bottleneck_is_refused(store: BottleneckFeatureStore, model: PoseModel) -> None:
    width = store.open()[0].values.shape[1]
    with pytest.raises(ImprovementError, match="planted"):
        insert(model, store, dimensions=width)


def test_dimensionality_before_and_after(store: BottleneckFeatureStore, model: PoseModel, crops: CropSet) -> None:
    table = measure_bottlenecks({"original": model, "improved": insert(model, store).model}, crops, batch_size=10)
    found = table.set_index(["variant", "layer"])
    assert list(found.loc["original"].index) == ["stack1.bottleneck", "stack2.bottleneck"]
    assert len(found.loc["improved"]) == 6
    assert set(table["persons"]) == {COUNT}
    assert found.loc[("improved", "stack1.code"), "dimensions"] == 3
    assert found.loc[("improved", "stack1.code"), "components_95"] <= 3
    assert found.loc[("original", "stack1.bottleneck"), "components_95"] > 3
    before, after = found.loc[("original", "stack1.bottleneck")], found.loc[("improved", "stack1.bottleneck")]
    assert before["participation_ratio"] == pytest.approx(after["participation_ratio"]), "the lower half is the same"


def test_image_ids_of_several_annotation_files_are_different_images() -> None:
    persons = PERSONS.assign(source_split=["train2017", "val2017"] * (COUNT // 2))
    assert len(np.unique(image_groups_of(PERSONS, np.arange(COUNT)))) == COUNT // 2
    assert len(np.unique(image_groups_of(persons, np.arange(COUNT)))) == COUNT


def test_a_mean_ablated_bottleneck_is_constant(store: BottleneckFeatureStore, model: PoseModel, crops: CropSet) -> None:
    features, images = store.open(), torch.from_numpy(crops.read_images(np.arange(3)))
    means = {one.layer: torch.from_numpy(one.values.mean(axis=0).reshape(1, *one.shape)) for one in features}
    mean_ablated = mean_ablate_bottlenecks(model, features)
    torch.testing.assert_close(mean_ablated.heatmaps(images), model.heatmaps(images, constant_patches(means)))
    assert not torch.allclose(mean_ablated.heatmaps(images), model.heatmaps(images))
    assert mean_ablated.heatmaps(images, flip_test=True).shape == (3, 2, 8, 8)
