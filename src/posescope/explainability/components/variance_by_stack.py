"""How the variance at the bottleneck spreads over components, stack by stack, without keeping any features."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.explainability.base import AnalysisInputs
from posescope.explainability.components.covariance import CovarianceSum, eigen_descending
from posescope.explainability.components.pca import LARGEST_MATRIX, Components
from posescope.explainability.features.activations import batches_of_rows, read_taps
from posescope.explainability.features.feature_extraction import pool_over_space
from posescope.explainability.features.row_blocks import sample_rows
from posescope.models.base import PoseNetwork

__all__ = ["bottleneck_taps", "tabulate_variance"]

_log = logging.getLogger(__name__)


def bottleneck_taps(network: PoseNetwork) -> tuple[str, ...]:
    """The bottleneck of every stack, the first one first: the taps that have the bottleneck's name within their stack."""
    name = network.bottleneck_tap.rpartition(".")[2]
    return tuple(tap for tap in network.tap_names if tap.rpartition(".")[2] == name)


def tabulate_variance(inputs: AnalysisInputs, most: int) -> pd.DataFrame:
    """A row a stack, and one for the features' own tap where that is no bottleneck.

    The features' tap has its row from the components that are there. The other stacks are read anew, pooled over space as the
    features are; a stack whose covariance would be too large is left out, with a warning.

    Args:
        inputs: model, persons, features and components.
        most: persons read for the other stacks.

    Returns:
        tap; persons, features; pc1_variance and pc1_share; components_for_90, _95, _99; participation_ratio.
    """
    own = _row(inputs.components, len(inputs.features), len(inputs.components.mean))
    taps = bottleneck_taps(inputs.model.network)
    others = [tap for tap in taps if tap != inputs.features.tap]
    rows = sample_rows(len(inputs.crops), most, inputs.seed)
    found = {inputs.features.tap: own, **_read_stacks(inputs, rows, others)}
    order = [*taps, *({inputs.features.tap} - set(taps))]
    return pd.DataFrame([found[tap] for tap in order if tap in found])


def _read_stacks(inputs: AnalysisInputs, rows: NDArray[np.int64], taps: Sequence[str]) -> dict[str, dict[str, float | int | str]]:
    """Rows by tap; nothing but a covariance a tap is held."""
    if not taps:
        return {}
    first = _features(inputs, rows[:1], taps)
    small = [tap for tap in taps if first[tap][0].shape[1] <= LARGEST_MATRIX]
    device = None if inputs.model.device.type == "cpu" else inputs.model.device
    sums = {tap: CovarianceSum(first[tap][0][0].astype(np.float64), device) for tap in small}
    for batch in tqdm(batches_of_rows(rows, inputs.batch_size), desc="variance of stacks", leave=False):
        for tap, (values, _) in _features(inputs, batch, small).items():
            sums[tap].add(values)
    found = {tap: _spectrum(total, tap, first[tap][1]) for tap, total in sums.items()}
    told = {
        tap: _row(components, len(rows), len(components.mean)) for tap, components in found.items() if len(components.variances)
    }
    for tap in set(taps) - set(told):
        _log.warning("component_names: '%s' has more than %d features, or none that varies; it has no row.", tap, LARGEST_MATRIX)
    return told


def _features(
    inputs: AnalysisInputs, rows: NDArray[np.int64], taps: Sequence[str]
) -> dict[str, tuple[NDArray[np.float32], tuple[int, ...]]]:
    """Values (n, D) and shape (C, h, w) by tap."""
    found = read_taps(inputs.model, torch.from_numpy(inputs.crops.read_images(rows)), taps)
    pooled = {tap: pool_over_space(value.float(), inputs.features.pooling) for tap, value in found.items()}
    return {tap: (value.flatten(1).cpu().numpy(), tuple(value.shape[1:])) for tap, value in pooled.items()}


def _spectrum(total: CovarianceSum, tap: str, shape: tuple[int, ...]) -> Components:
    variances, _ = eigen_descending(total.covariance())
    return Components(total.mean(), np.empty((0, len(total.origin))), variances, tap, shape)


def _row(components: Components, persons: int, width: int) -> dict[str, float | int | str]:
    return {
        "tap": components.tap,
        "persons": persons,
        "features": width,
        "pc1_variance": float(components.variances[0]),
        "pc1_share": float(components.explained_variance_ratio[0]),
        "components_for_90": components.components_for(0.90),
        "components_for_95": components.components_for(0.95),
        "components_for_99": components.components_for(0.99),
        "participation_ratio": components.participation_ratio,
    }
