"""How many directions a bottleneck uses, before and after."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from posescope.artifacts.matching import match_crops
from posescope.artifacts.pose_model import PoseModel
from posescope.crops.crop_set import CropSet
from posescope.explain.components import principal_components
from posescope.explain.feature_store import FeatureSet
from posescope.explain.taps import batches_of_rows, read_taps

__all__ = ["measure_bottlenecks"]

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
        for tap, values in _read(model, crops, batch_size, name).items():
            components_95, participation = _directions(values)
            row = {"variant": name, "tap": tap, "persons": len(values), "numbers": values.values.shape[1]}
            rows.append({**row, "components_95": components_95, "participation_ratio": participation})
    return pd.DataFrame(rows)


def _read(model: PoseModel, crops: CropSet, batch_size: int, name: str) -> dict[str, FeatureSet]:
    crops = match_crops(model, crops).crops
    taps = [tap for tap in model.network.tap_names if tap.rpartition(".")[2] in _PLACES]
    found: dict[str, list[torch.Tensor]] = {tap: [] for tap in taps}
    batches = batches_of_rows(np.arange(len(crops)), batch_size)
    for batch in tqdm(batches, desc=f"bottlenecks of {name}", leave=False):
        for tap, value in read_taps(model, torch.from_numpy(crops.read_images(batch)), taps).items():
            found[tap].append(value.float().cpu())
    return {tap: _as_features(tap, torch.cat(blocks), crops) for tap, blocks in found.items()}


def _as_features(tap: str, values: torch.Tensor, crops: CropSet) -> FeatureSet:
    return FeatureSet(crops.targets.person_ids, values.flatten(1).numpy(), tap, tuple(values.shape[1:]))


def _directions(features: FeatureSet) -> tuple[int, float]:
    if not np.ptp(features.values, axis=0).any():
        return 0, 0.0
    found = principal_components(features, 1)
    return found.components_for(0.95), found.participation_ratio
