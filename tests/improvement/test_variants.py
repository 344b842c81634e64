"""Tests of posescope.improvement.variants: mean-ablated bottlenecks, and the refusal of variants of another model."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.features.activation_patching import constant_patches
from posescope.improvement.bottleneck_features import BottleneckFeatureStore
from posescope.improvement.errors import ImprovementError
from posescope.improvement.variants import check_same_start, mean_ablate_bottlenecks

OWN, BEFORE = {"fingerprint": "own", "seed": 0}, {"fingerprint": "before", "seed": 0}


def made_from(model: PoseModel, provenance: dict) -> dict[str, PoseModel]:
    """Return the three kinds of variants with their provenance."""
    joined = {"parts": {"hourglass": provenance, "autoencoders": {}}}
    kinds = {"inserted": joined, "continued": {"fingerprint": "c", "start": provenance}, "improved": {"start": joined}}
    return {name: replace(model, provenance=found) for name, found in kinds.items()}


def test_variants_of_the_present_model_are_accepted(untrained_model: PoseModel) -> None:
    check_same_start(replace(untrained_model, provenance=OWN), made_from(untrained_model, OWN))


@pytest.mark.parametrize("unrelated", ["inserted", "continued", "improved"])
def test_variants_of_an_earlier_model_are_refused(untrained_model: PoseModel, unrelated: str) -> None:
    mixed = {**made_from(untrained_model, OWN), unrelated: made_from(untrained_model, BEFORE)[unrelated]}
    with pytest.raises(ImprovementError, match=unrelated):
        check_same_start(replace(untrained_model, provenance=OWN), mixed)


def test_mean_ablated_bottleneck_is_constant(store: BottleneckFeatureStore, model: PoseModel, crops: CropSet) -> None:
    features, images = store.open(), torch.from_numpy(crops.read_images(np.arange(3)))
    means = {one.layer: torch.from_numpy(one.values.mean(axis=0).reshape(1, *one.shape)) for one in features}
    mean_ablated = mean_ablate_bottlenecks(model, features)
    torch.testing.assert_close(mean_ablated.heatmaps(images), model.heatmaps(images, constant_patches(means)))
    assert not torch.allclose(mean_ablated.heatmaps(images), model.heatmaps(images))
    assert mean_ablated.heatmaps(images, flip_test=True).shape == (3, 2, 8, 8)
