"""The bottleneck features of every stack, on disk: a `FeatureStore` a stack.

improve/
    stack1/        see `feature_store`
    stacks.json    how many there are; written last
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
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.activations import read_activations
from posescope.explainability.features.feature_extraction import extract_features
from posescope.explainability.features.feature_store import FeatureSet, FeatureStore
from posescope.explainability.features.row_blocks import batches_of_rows

__all__ = ["BottleneckFeatureStore", "bottleneck_layers", "extract_bottleneck_features", "measure_bottlenecks"]


class BottleneckFeatureStore:
    """Owns a folder of features, stack by stack. Nothing is made before it is needed."""

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def of_stack(self, stack: int) -> FeatureStore:
        """The store of one stack; 1 is the first."""
        return FeatureStore(self.root / f"stack{stack}")

    def is_finished(self) -> bool:
        """Whether the features of all stacks are there."""
        return (self.root / "stacks.json").is_file()

    def begin(self) -> None:
        """What is here is not finished from now on."""
        (self.root / "stacks.json").unlink(missing_ok=True)

    def finish(self, stacks: int) -> None:
        """So many stacks are there."""
        write_checksummed_json(self.root / "stacks.json", {"stacks": stacks})

    def open(self) -> tuple[FeatureSet, ...]:
        """The features of each stack, the first one first; all of the same persons.

        Raises:
            DataError: if they are not finished.
        """
        if not self.is_finished():
            raise DataError(f"{self.root}: there are no finished features here. Run the pipeline improve from its beginning.")
        remedy = "Run the pipeline improve from its beginning."
        stacks = read_checksummed_json(self.root / "stacks.json", remedy).get("stacks")
        if not isinstance(stacks, int):
            raise DataError(f"{self.root / 'stacks.json'}: expected a number of stacks, found {stacks!r}. {remedy}")
        return tuple(self.of_stack(stack).open() for stack in range(1, stacks + 1))


def bottleneck_layers(model: PoseModel) -> tuple[str, ...]:
    """The bottleneck of each stack, the first one first."""
    return tuple(name for name in model.network.layer_names if name.endswith(".bottleneck"))


def extract_bottleneck_features(
    model: PoseModel, crops: CropSet, store: BottleneckFeatureStore, data_fingerprint: str, batch_size: int
) -> BottleneckFeatureStore:
    """Stream persons through the network, and keep what each stack's bottleneck puts out, as float32.

    Nothing is done for a stack whose features of the same weights and persons are there.
    """
    store.begin()
    layers = bottleneck_layers(model)
    for stack, layer in enumerate(layers, start=1):
        place = store.of_stack(stack)
        extract_features(
            model, crops, layer, place, data_fingerprint=data_fingerprint, batch_size=batch_size, dtype="float32"
        )  # fmt: skip
    store.finish(len(layers))
    return store


# MERGED from bottlenecks: How many directions a bottleneck uses, before and after.

_PLACES = ("bottleneck", "code", "restored")


def measure_bottlenecks(variants: Mapping[str, PoseModel], crops: CropSet, batch_size: int) -> pd.DataFrame:
    """Principal components of each network's bottlenecks over the same persons.

    Args:
        variants: networks by name.
        crops: N persons.
        batch_size: persons a forward pass.

    Returns:
        A row a network and tap: what the last bottleneck residual puts out, and, behind it, the code and what is restored from
        it. variant, tap, persons, numbers (of a person), components_95 (that hold 95 % of the variance) and participation_ratio;
        both are 0 where nothing varies.
    """
    rows = []
    for name, model in variants.items():
        for layer, values in _read(model, crops, batch_size, name).items():
            components_95, participation = _directions(values)
            row = {"variant": name, "layer": layer, "persons": len(values), "dimensions": values.values.shape[1]}
            rows.append({**row, "components_95": components_95, "participation_ratio": participation})
    return pd.DataFrame(rows)


def _read(model: PoseModel, crops: CropSet, batch_size: int, name: str) -> dict[str, FeatureSet]:
    crops = match_crops(model, crops).crops
    layers = [layer for layer in model.network.layer_names if layer.rpartition(".")[2] in _PLACES]
    found: dict[str, list[torch.Tensor]] = {layer: [] for layer in layers}
    batches = batches_of_rows(np.arange(len(crops)), batch_size)
    for batch in tqdm(batches, desc=f"bottlenecks of {name}", leave=False):
        for layer, value in read_activations(model, torch.from_numpy(crops.read_images(batch)), layers).items():
            found[layer].append(value.float().cpu())
    return {layer: _as_features(layer, torch.cat(blocks), crops) for layer, blocks in found.items()}


def _as_features(layer: str, values: torch.Tensor, crops: CropSet) -> FeatureSet:
    return FeatureSet(crops.targets.person_ids, values.flatten(1).numpy(), layer, tuple(values.shape[1:]))


def _directions(features: FeatureSet) -> tuple[int, float]:
    if not np.ptp(features.values, axis=0).any():
        return 0, 0.0
    found = principal_components(features, 1)
    return found.components_for(0.95), found.participation_ratio
