"""Variance spectrum of the bottleneck of every stack, computed without storing features."""

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
from posescope.explainability.features.activations import read_activations
from posescope.explainability.features.feature_extraction import pool_over_space
from posescope.explainability.features.row_blocks import batches_of_rows, sample_rows
from posescope.models.layers import bottleneck_layers

__all__ = ["tabulate_variance"]

_log = logging.getLogger(__name__)


def tabulate_variance(inputs: AnalysisInputs, most: int) -> pd.DataFrame:
    """Tabulate the explained variance of the bottleneck of each stack and, if the features are of another layer, of that layer.

    The row of the features' layer comes from the given components. The other bottlenecks are read again with the same pooling. A
    bottleneck with too many features for its covariance has no row and causes a warning.

    Args:
        inputs: model, persons, features and components.
        most: maximum number of persons for the other stacks.

    Returns:
        Columns layer, persons, features, pc1_variance, pc1_explained_variance_ratio, components_for_90, components_for_95,
        components_for_99, participation_ratio.
    """
    own = _row(inputs.components, len(inputs.judged.features), len(inputs.components.mean))
    network, layer = inputs.model.network, inputs.judged.features.layer
    # The features' layer may have another spelling; the table contains it as it is stored.
    layers = [layer if network.module_path(one) == network.module_path(layer) else one for one in bottleneck_layers(network)]
    rows = sample_rows(len(inputs.judged.crops), most, inputs.seed)
    found = {layer: own, **_read_stacks(inputs, rows, [one for one in layers if one != layer])}
    order = [*layers, *({layer} - set(layers))]
    return pd.DataFrame([found[one] for one in order if one in found])


def _read_stacks(
    inputs: AnalysisInputs, rows: NDArray[np.int64], layers: Sequence[str]
) -> dict[str, dict[str, float | int | str]]:
    """Compute table rows by layer; memory holds one covariance per layer."""
    if not layers:
        return {}
    first = _features(inputs, rows[:1], layers)
    small = [layer for layer in layers if first[layer][0].shape[1] <= LARGEST_MATRIX]
    device = None if inputs.model.device.type == "cpu" else inputs.model.device
    sums = {layer: CovarianceSum(first[layer][0][0].astype(np.float64), device) for layer in small}
    for batch in tqdm(batches_of_rows(rows, inputs.batch_size), desc="variance by stack", leave=False):
        for layer, (values, _) in _features(inputs, batch, small).items():
            sums[layer].add(values)
    found = {layer: _spectrum(total, layer, first[layer][1]) for layer, total in sums.items()}
    rows_by_layer = {
        layer: _row(components, len(rows), len(components.mean))
        for layer, components in found.items()
        if len(components.variances)
    }
    for layer in set(layers) - set(rows_by_layer):
        _log.warning("component_names: '%s' has more than %d features or no variance; it has no row.", layer, LARGEST_MATRIX)
    return rows_by_layer


def _features(
    inputs: AnalysisInputs, rows: NDArray[np.int64], layers: Sequence[str]
) -> dict[str, tuple[NDArray[np.float32], tuple[int, ...]]]:
    """Return values (n, D) and shape (C, h, w) by layer."""
    found = read_activations(inputs.model, torch.from_numpy(inputs.judged.crops.read_images(rows)), layers)
    pooled = {layer: pool_over_space(value.float(), inputs.judged.features.pooling) for layer, value in found.items()}
    return {layer: (value.flatten(1).cpu().numpy(), tuple(value.shape[1:])) for layer, value in pooled.items()}


def _spectrum(total: CovarianceSum, layer: str, shape: tuple[int, ...]) -> Components:
    variances, _ = eigen_descending(total.covariance())
    return Components(total.mean(), np.empty((0, len(total.origin))), variances, layer, shape)


def _row(components: Components, persons: int, width: int) -> dict[str, float | int | str]:
    return {
        "layer": components.layer,
        "persons": persons,
        "features": width,
        "pc1_variance": float(components.variances[0]),
        "pc1_explained_variance_ratio": float(components.explained_variance_ratio[0]),
        **components.spectrum,
    }
