"""Tests of posescope.improvement.bottleneck_features: features on disk, and the dimensionality of bottlenecks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.improvement.conftest import COUNT, insert

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.features.activations import read_activations
from posescope.improvement.bottleneck_features import BottleneckFeatureStore, measure_bottlenecks


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
