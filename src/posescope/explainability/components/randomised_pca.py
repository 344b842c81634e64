"""Randomised principal component analysis, for too many persons and features for an exact decomposition.

Block power iteration from a random start with a final Rayleigh-Ritz step (Halko, Martinsson and Tropp, 2011, "Finding Structure
with Randomness"), for centred features Xc (N, D) and l = components + oversampling columns:

    Q (D, l) random, orthonormal          q times:  Q <- orthonormal basis of  Xc^T (Xc Q)
    (Xc Q)^T (Xc Q) / (N - 1) = V diag(variances) V^T          axes = (Q V)^T

Each iteration reads the features once, in blocks; memory is a few (D, l) matrices. The mean and the total variance are exact. The
axes and variances of the last components are approximate, and no variance is overestimated. The remaining variance is spread
evenly over the remaining directions, which overestimates the participation ratio and the number of components for a fraction of
the variance that the computed components do not reach.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from posescope.core.plugins import Component, Options
from posescope.explainability.components.covariance import eigen_descending
from posescope.explainability.components.pca import Components, mean_of
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.features.row_blocks import row_slices

__all__ = ["RandomisedComponents", "RandomisedComponentsOptions"]

Floats = NDArray[np.float64]


class RandomisedComponentsOptions(Options):
    """Options of the reducer `randomised_pca`."""

    components: int = Field(200, gt=0, le=4096, description="Number of components; the rank of the features if that is lower")
    oversampling: int = Field(50, ge=0, le=1000, description="Additional directions in the iteration, for accuracy")
    iterations: int = Field(6, ge=1, le=100, description="Power iterations; each reads all features once")
    seed: int = Field(0, ge=0, description="Seed of the random start")


class RandomisedComponents(Component[RandomisedComponentsOptions]):
    """Reducer `randomised_pca`, for more than 12,000 persons with more than 12,000 features; use `pca` for fewer."""

    def __call__(self, features: FeatureSet) -> Components:
        """Compute the first components of N persons' features.

        Raises:
            ExplainabilityError: if there are fewer than 2 persons, or nothing varies.
        """
        from sklearn.utils.extmath import svd_flip  # noqa: PLC0415  (half a second at the start of each command)

        values, options = features.values, self.options
        count, width = values.shape
        if count < 2:
            raise ExplainabilityError(f"PCA of '{features.layer}': expected at least 2 persons, found {count}.")
        rank = min(count - 1, width)
        mean = mean_of(values)
        carried = min(options.components + options.oversampling, rank)
        basis = _orthonormal(np.random.default_rng(options.seed).normal(size=(width, carried)))
        for _ in tqdm(range(options.iterations), desc="power iterations", leave=False):
            basis = _orthonormal(_power_step(values, mean, basis))
        variances, axes, total = _rayleigh_ritz(values, mean, basis)
        if not len(variances):
            raise ExplainabilityError(f"PCA of '{features.layer}': all {count} persons have the same features.")
        kept = min(options.components, len(variances))
        variances = np.concatenate([variances[:kept], _remaining_variances(variances[:kept], total, rank)])
        approximation = (
            f"randomised: {kept} of {rank} components, {options.iterations} power iterations; the remaining variance is spread "
            "evenly over the other components"
        )
        _, axes = svd_flip(None, axes[:kept], u_based_decision=False)
        return Components.of_features(features, mean, axes, variances, approximation)


def _centred(values: NDArray[np.floating], mean: Floats) -> Iterator[Floats]:
    return (values[rows].astype(np.float64) - mean for rows in row_slices(*values.shape))


def _power_step(values: NDArray[np.floating], mean: Floats, basis: Floats) -> Floats:
    """Return Xc^T (Xc Q), (D, l)."""
    found = np.zeros_like(basis)
    for block in _centred(values, mean):
        found += block.T @ (block @ basis)
    return found


def _rayleigh_ritz(values: NDArray[np.floating], mean: Floats, basis: Floats) -> tuple[Floats, Floats, float]:
    """Return variances (R,) and axes (R, D) within the basis, largest first, and the total variance of all features."""
    inner, total = np.zeros((basis.shape[1], basis.shape[1])), 0.0
    for block in _centred(values, mean):
        scores = block @ basis
        inner += scores.T @ scores
        total += float((block**2).sum())
    variances, vectors = eigen_descending(inner / (len(values) - 1))
    return variances, (basis @ vectors).T, total / (len(values) - 1)


def _orthonormal(columns: Floats) -> Floats:
    basis: Floats = np.linalg.qr(columns)[0]
    return basis


def _remaining_variances(found: Floats, total: float, rank: int) -> Floats:
    """Spread the remaining variance evenly over the remaining directions, none above the last variance found."""
    left = rank - len(found)
    each = min(max(total - float(found.sum()), 0.0) / left, float(found[-1])) if left else 0.0
    return np.full(left if each > 0 else 0, each)
