"""Tests of posescope.improvement.autoencoder_insertion: a network with autoencoders, and codes that are too large."""

import numpy as np
import pytest
import torch
from tests.improvement.conftest import insert

from posescope.artifacts.pose_model import PoseModel
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.features.activations import read_activations
from posescope.improvement.bottleneck_features import BottleneckFeatureStore
from posescope.improvement.errors import ImprovementError


def test_network_with_one_autoencoder_per_stack(store: BottleneckFeatureStore, model: PoseModel, crops: CropSet) -> None:
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


def test_code_as_large_as_the_bottleneck_is_refused(store: BottleneckFeatureStore, model: PoseModel) -> None:
    width = store.open()[0].values.shape[1]
    with pytest.raises(ImprovementError, match="planted"):
        insert(model, store, dimensions=width)
