"""Variants of a network: mean-ablated bottlenecks, and checks that variants have the same original and test set."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.core.files import fingerprint
from posescope.core.tables import split_fingerprint
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.explainability.features.activation_patching import constant_patch
from posescope.explainability.features.feature_store import FeatureSet
from posescope.improvement.errors import ImprovementError
from posescope.models.layers import find_layer

__all__ = ["check_same_start", "describe_training_data", "mean_ablate_bottlenecks", "training_options_of"]


def mean_ablate_bottlenecks(model: PoseModel, features: Sequence[FeatureSet]) -> PoseModel:
    """Return a model whose bottlenecks are constant at their mean over persons: the control of any code inserted there.

    Args:
        model: unchanged; the result has a copy of its network.
        features: bottleneck features.
    """
    network = copy.deepcopy(model.network)
    for one in features:
        mean = np.asarray(one.values.mean(axis=0, dtype=np.float64), dtype=np.float32)
        patch = constant_patch(torch.from_numpy(mean.reshape(1, *one.shape)))
        find_layer(network, one.layer).register_forward_hook(lambda _module, _inputs, output, patch=patch: patch(output))
    return replace(model, network=network)


def describe_training_data(model: PoseModel, statistics: CropStatistics, persons: pd.DataFrame) -> dict[str, Any]:
    """Return a JSON-like description of crops, skeleton and test set, from which fine-tuning runs are identified.

    Args:
        model: trained on these persons.
        statistics: statistics of the crops.
        persons: a `Persons` table of all splits.

    Raises:
        ImprovementError: if the test set was another one when the model was trained, so that it may have seen test persons.
    """
    then, now = _of_hourglass(model.provenance).get("test_set_fingerprint"), split_fingerprint(persons, "test")
    if then not in (None, now):
        raise ImprovementError(
            f"Expected a model with the test set of the present split ({now}), found {then}: the model may have been trained on "
            "test persons. Train again (pipeline modelling) or restore the split."
        )
    return {"crop_statistics": statistics.to_dict(), "skeleton": model.skeleton.to_dict(), "test_set_fingerprint": then}


def check_same_start(original: PoseModel, variants: Mapping[str, PoseModel]) -> None:
    """Check that variants were made from the original, and not from a model of an earlier training.

    Args:
        original: the trained model.
        variants: variants by name, with autoencoders, fine-tuned, or both.

    Raises:
        ImprovementError: naming all variants of another model.
    """
    own = fingerprint(dict(original.provenance))
    starts = {name: model.provenance.get("start", model.provenance) for name, model in variants.items()}
    unrelated = [name for name, start in starts.items() if fingerprint(dict(_of_hourglass(start))) != own]
    if unrelated:
        raise ImprovementError(
            f"Expected variants of the present model, found variants of another one: {', '.join(unrelated)}. Run the whole "
            "pipeline improve, not only some of its nodes."
        )


def training_options_of(model: PoseModel) -> Mapping[str, Any]:
    """Return the options that a model was trained with, JSON-like; of a combined model those of its hourglass."""
    options: Mapping[str, Any] = _of_hourglass(model.provenance).get("training", {})
    return options


def _of_hourglass(provenance: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the provenance of the hourglass in a combined model, of another model its own."""
    found: Mapping[str, Any] = provenance.get("parts", {}).get("hourglass", provenance)
    return found
