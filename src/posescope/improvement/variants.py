"""A network whose bottlenecks tell nothing of a person: the control for whatever is put into them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from posescope.artifacts.pose_model import PoseModel
from posescope.core.files import fingerprint
from posescope.core.tables import split_fingerprint
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.explainability.features.activation_patching import constant_patches
from posescope.explainability.features.feature_store import FeatureSet
from posescope.improvement.errors import ImprovementError
from posescope.models.base import Interventions, PoseNetwork

__all__ = ["mean_ablate_bottlenecks", "check_same_start", "describe_training_data"]


class _Held(PoseNetwork):
    """A network with some taps held at a value."""

    def __init__(self, inner: PoseNetwork, interventions: Interventions) -> None:
        super().__init__()
        self.inner, self.interventions = inner, interventions
        self.map_size, self.layer_names = inner.map_size, inner.layer_names
        self.bottleneck_layer, self.skip_layers = inner.bottleneck_layer, inner.skip_layers

    def forward(self, images: Tensor, interventions: Interventions | None = None) -> list[Tensor]:
        found: list[Tensor] = self.inner(images, {**self.interventions, **(interventions or {})})
        return found


def mean_ablate_bottlenecks(model: PoseModel, features: Sequence[FeatureSet]) -> PoseModel:
    """The same model, in every forward pass of which each bottleneck is the mean over the persons of its features.

    Args:
        model: it is not changed, and shares its weights with the result, which can be run but not written.
        features: of its bottlenecks.
    """
    means = {one.layer: torch.from_numpy(_mean(one).reshape(1, *one.shape)) for one in features}
    return replace(model, network=_Held(model.network, constant_patches(means)).eval())


def _mean(features: FeatureSet) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(features.values.mean(axis=0, dtype=np.float64), dtype=np.float32)


# MERGED from start: What stands for the data of a fine-tuning, and whether models belong to it and to each other.


def describe_training_data(model: PoseModel, statistics: CropStatistics, persons: pd.DataFrame) -> dict[str, Any]:
    """JSON-like: the crops, the skeleton, and who is set aside for the test.

    Args:
        model: trained on these persons.
        statistics: of the crops.
        persons: a `Persons` table of all splits.

    Raises:
        ImprovementError: if other persons were set aside when the model was trained: it would pass for one that has seen none
            of those who are set aside now.
    """
    then, now = _set_aside(model.provenance), split_fingerprint(persons, "test")
    if then not in (None, now):
        raise ImprovementError(
            f"The model was trained beside another test set ({then}) than that of the split now ({now}): it may have learned "
            "from test persons. Train again (the pipeline modelling), or bring the split back."
        )
    return {"crop_statistics": statistics.to_dict(), "skeleton": model.skeleton.to_dict(), "test_set_fingerprint": then}


def check_same_start(original: PoseModel, variants: Mapping[str, PoseModel]) -> None:
    """Check that networks were made from the model at hand, and not from the one before another training.

    Args:
        original: the model at hand.
        variants: by name; with autoencoders, trained further, or both.

    Raises:
        ImprovementError: if one was made from another model; the message names all of them.
    """
    own = fingerprint(dict(original.provenance))
    strangers = [name for name, model in variants.items() if fingerprint(dict(_made_from(model.provenance))) != own]
    if strangers:
        raise ImprovementError(
            f"Models that were not made from the model at hand: {', '.join(strangers)}. They are of an earlier training. Run the "
            "whole pipeline improve, not a part of it."
        )


def _made_from(provenance: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the provenance of the model that a variant was made from."""
    start: Mapping[str, Any] = provenance.get("start", provenance)
    found: Mapping[str, Any] = start.get("parts", {}).get("hourglass", start)
    return found


def _set_aside(provenance: Mapping[str, Any]) -> str | None:
    """The mark of the test persons; that of a model that was put together is its hourglass's."""
    found: str | None = provenance.get("parts", {}).get("hourglass", provenance).get("test_set_fingerprint")
    return found
