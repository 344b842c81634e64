"""Bottleneck features of every stack on disk, and the dimensionality of bottlenecks.

improve/
    stack1/        a `FeatureStore`
    stacks.json    number of stacks; written last
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError
from posescope.core.files import read_checksummed_json, write_checksummed_json
from posescope.core.mirrors import remove
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.activations import read_activations
from posescope.explainability.features.feature_extraction import extract_features
from posescope.explainability.features.feature_store import FeatureSet, FeatureStore
from posescope.explainability.features.row_blocks import batches_of_rows
from posescope.models.layers import bottleneck_layers

__all__ = ["BottleneckFeatureStore", "extract_bottleneck_features", "measure_bottlenecks"]

_MEASURED_LAYERS = ("bottleneck", "code", "restored")


class BottleneckFeatureStore:
    """Folder with the features of every stack, created on the first write."""

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def of_stack(self, stack: int) -> FeatureStore:
        """Return the store of one stack, from 1."""
        return FeatureStore(self.root / f"stack{stack}")

    def is_finished(self) -> bool:
        """Whether the features of all stacks are complete."""
        return (self.root / "stacks.json").is_file()

    def begin(self) -> None:
        """Mark the folder as incomplete."""
        remove(self.root / "stacks.json")

    def finish(self, stacks: int) -> None:
        """Mark the folder as complete with so many stacks."""
        write_checksummed_json(self.root / "stacks.json", {"stacks": stacks})

    def open(self) -> tuple[FeatureSet, ...]:
        """Open the features of each stack, in order, all of the same persons.

        Raises:
            DataError: if they are not complete.
        """
        remedy = "Run the whole pipeline improve."
        if not self.is_finished():
            raise DataError(f"{self.root}: expected complete features, found none. {remedy}")
        stacks = read_checksummed_json(self.root / "stacks.json", remedy).get("stacks")
        if not isinstance(stacks, int):
            raise DataError(f"{self.root / 'stacks.json'}: expected a number of stacks, found {stacks!r}. {remedy}")
        return tuple(self.of_stack(stack).open() for stack in range(1, stacks + 1))


def extract_bottleneck_features(
    model: PoseModel, crops: CropSet, store: BottleneckFeatureStore, data_fingerprint: str, batch_size: int
) -> BottleneckFeatureStore:
    """Run persons through the network and store the bottleneck activations of each stack as float32.

    Stacks with features of the same weights and persons are skipped.

    Args:
        model: the network.
        crops: crops of the persons.
        store: target.
        data_fingerprint: fingerprint of the crops, joints and splits.
        batch_size: persons per forward pass.
    """
    store.begin()
    layers = bottleneck_layers(model.network)
    for stack, layer in enumerate(layers, start=1):
        extract_features(
            model, crops, layer, store.of_stack(stack), data_fingerprint=data_fingerprint, batch_size=batch_size, dtype="float32"
        )  # fmt: skip
    store.finish(len(layers))
    return store


def measure_bottlenecks(variants: Mapping[str, PoseModel], crops: CropSet, batch_size: int) -> pd.DataFrame:
    """Measure the dimensionality of the bottlenecks of several networks on the same persons.

    Args:
        variants: networks by name.
        crops: crops of N persons.
        batch_size: persons per forward pass.

    Returns:
        A row per network and layer (the bottleneck and, with an autoencoder, its code and its output): variant, layer, persons,
        dimensions, components_95 (number of principal components with 95 % of the variance) and participation_ratio; both are 0
        without variance.
    """
    rows = []
    for name, model in variants.items():
        for layer, values in _read(model, crops, batch_size, name).items():
            components_95, participation = _dimensionality(values)
            row = {"variant": name, "layer": layer, "persons": len(values), "dimensions": values.values.shape[1]}
            rows.append({**row, "components_95": components_95, "participation_ratio": participation})
    return pd.DataFrame(rows)


def _read(model: PoseModel, crops: CropSet, batch_size: int, name: str) -> dict[str, FeatureSet]:
    crops = match_crops(model, crops)
    layers = [layer for layer in model.network.short_names if layer.rpartition(".")[2] in _MEASURED_LAYERS]
    found: dict[str, list[torch.Tensor]] = {layer: [] for layer in layers}
    batches = batches_of_rows(np.arange(len(crops)), batch_size)
    for batch in tqdm(batches, desc=f"bottlenecks of {name}", leave=False):
        for layer, value in read_activations(model, torch.from_numpy(crops.read_images(batch)), layers).items():
            found[layer].append(value.float().cpu())
    values = {layer: torch.cat(blocks) for layer, blocks in found.items()}
    return {
        layer: FeatureSet(crops.targets.person_ids, value.flatten(1).numpy(), layer, tuple(value.shape[1:]))
        for layer, value in values.items()
    }


def _dimensionality(features: FeatureSet) -> tuple[int, float]:
    if not np.ptp(features.values, axis=0).any():
        return 0, 0.0
    found = principal_components(features, 1)
    return found.components_for(0.95), found.participation_ratio
