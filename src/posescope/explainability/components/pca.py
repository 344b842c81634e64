"""Exact principal component analysis (PCA) of features that need not fit in memory as float64.

    features X (N, D)    mean m = sum_n x_n / N
    D <= N: eigenvectors of the covariance  sum_n (x_n - m)(x_n - m)^T / (N - 1)      (D, D), summed over blocks of rows
    N <  D: eigenvectors u of the Gram matrix  Xc Xc^T                                (N, N), summed over blocks of columns,
            and then the axes  Xc^T u / |Xc^T u|

Both agree with scikit-learn's PCA(svd_solver="full"). Its `svd_flip` chooses the sign of an axis so that the largest loading in
absolute value is positive.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from posescope.artifacts.devices import DEVICE_PATTERN, resolve_gpu
from posescope.core.errors import DataError
from posescope.core.files import atomic_write
from posescope.core.plugins import Component, Options
from posescope.explainability.components.covariance import eigen_descending
from posescope.explainability.components.product_sums import sum_covariance, sum_gram
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.features.row_blocks import row_slices

__all__ = [
    "LARGEST_MATRIX",
    "Components",
    "PrincipalComponents",
    "PrincipalComponentsOptions",
    "mean_of",
    "principal_components",
]

_TEXTS = ("layer", "approximation", "features_fingerprint", "model", "data")
LARGEST_MATRIX = 12_000  # side of the matrix that is decomposed: 1.2 GB


@dataclass(frozen=True)
class Components:
    """Principal components of features.

    Attributes:
        mean: (D,) float64.
        axes: (P, D) float64, orthonormal rows.
        variances: (R,) float64, descending, for the whole rank R >= P of the features; the first P belong to the axes.
        layer: name of the features' layer.
        shape: (C, h, w) of one person's features.
        approximation: description of the approximation; empty: exact.
        features_fingerprint: fingerprint of the features; empty if unknown.
        model: fingerprint of the network; empty if unknown.
        data: fingerprint of crops, joints and splits; empty if unknown.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    variances: NDArray[np.float64]
    layer: str
    shape: tuple[int, ...]
    approximation: str = ""
    features_fingerprint: str = ""
    model: str = ""
    data: str = ""

    def __len__(self) -> int:
        return len(self.axes)

    @property
    def explained_variance_ratio(self) -> NDArray[np.float64]:
        """(R,) fraction of the total variance along each direction; sums to 1."""
        ratio: NDArray[np.float64] = self.variances / self.variances.sum()
        return ratio

    @property
    def participation_ratio(self) -> float:
        """Effective number of dimensions, 1..R: (sum of variances)^2 / sum of squared variances."""
        return float(self.variances.sum() ** 2 / (self.variances**2).sum())

    def components_for(self, fraction: float) -> int:
        """Return the smallest number of components that together explain a fraction (0..1] of the variance."""
        reached = np.cumsum(self.explained_variance_ratio) >= fraction - 1e-12
        return int(np.argmax(reached)) + 1 if reached.any() else len(self.variances)

    @property
    def spectrum(self) -> dict[str, float | int]:
        """Numbers of components for 90, 95 and 99 % of the variance, and the participation ratio, by name."""
        counts = {f"components_for_{percent}": self.components_for(percent / 100) for percent in (90, 95, 99)}
        return {**counts, "participation_ratio": self.participation_ratio}

    def project(self, values: NDArray[np.floating], count: int | None = None) -> NDArray[np.float64]:
        """Project features on the axes.

        Args:
            values: (n, D) features.
            count: number of first axes; None: all P.

        Returns:
            (n, count) float64 coordinates along the axes.
        """
        axes = self.axes[:count]
        scores = np.empty((len(values), len(axes)))
        for rows in row_slices(len(values), values.shape[1]):
            scores[rows] = (values[rows].astype(np.float64) - self.mean) @ axes.T
        return scores

    def reconstruct(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map (n, p) scores along the first p axes to (n, D) features, the inverse of `project` within their span."""
        return scores @ self.axes[: scores.shape[1]] + self.mean

    def save(self, path: Path) -> None:
        """Write a .npz file (no pickle), atomically."""
        with atomic_write(path) as temporary, temporary.open("wb") as stream:
            arrays: dict[str, Any] = {name: np.asarray(value) for name, value in vars(self).items()}
            np.savez(stream, allow_pickle=False, **arrays)

    @classmethod
    def of_features(
        cls,
        features: FeatureSet,
        mean: NDArray[np.float64],
        axes: NDArray[np.float64],
        variances: NDArray[np.float64],
        approximation: str = "",
    ) -> "Components":
        """Return components that refer to the features that they are computed from.

        Args:
            features: the features.
            mean, axes, variances, approximation: see the attributes.
        """
        return cls(
            mean, axes, variances, features.layer, features.shape, approximation, features.fingerprint, features.model,
            features.data,
        )  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> "Components":
        """Read a file that `save` wrote.

        Raises:
            DataError: if the file is missing or has another format.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                values: dict[str, Any] = {name: stored[name] for name in ("mean", "axes", "variances")}
                values |= {name: str(stored[name]) for name in _TEXTS}
                return cls(**values, shape=tuple(int(side) for side in stored["shape"]))
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path}: the components cannot be read ({error}). Run the pipeline explainability again.") from error


def principal_components(
    features: FeatureSet, max_components: int | None = None, device: torch.device | None = None
) -> Components:
    """Compute the exact principal components of features.

    Memory besides the features: about 6 s^2 + 2 P D float64 numbers for s = min(N, D) and P axes, which is 0.8 GB for 4,096
    features and 1,024 axes.

    Args:
        features: N >= 2 persons.
        max_components: number of axes to keep; None: all. All variances are kept.
        device: device of the eigendecomposition and, if N >= D, of the matrix products; None: NumPy on the CPU.

    Raises:
        ExplainabilityError: if there are fewer than 2 persons, nothing varies, or N and D are both too large.
    """
    count, width = features.values.shape
    if count < 2 or min(count, width) > LARGEST_MATRIX:
        raise ExplainabilityError(
            f"PCA of '{features.layer}': expected at least 2 persons, and at most {LARGEST_MATRIX} persons or features; found "
            f"{count} persons with {width} features. Use the reducer randomised_pca (explainability.reducer), pooled features "
            "(explainability.persons.pooling), another layer or fewer persons."
        )
    mean = mean_of(features.values)
    solve = _from_covariance if width <= count else _from_gram
    variances, axes = solve(features.values, mean, max_components, device)
    if not len(variances):
        raise ExplainabilityError(f"PCA of '{features.layer}': all {count} persons have the same features.")
    from sklearn.utils.extmath import svd_flip  # noqa: PLC0415  (half a second at the start of each command)

    _, axes = svd_flip(None, axes, u_based_decision=False)
    return Components.of_features(features, mean, axes, variances)


def mean_of(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (D,) mean of (N, D) features, summed in float64, block by block.

    Raises:
        ExplainabilityError: if a feature is NaN or infinite.
    """
    total = np.zeros(values.shape[1])
    with np.errstate(invalid="ignore"):  # infinite numbers of both signs sum to NaN
        for rows in row_slices(*values.shape):
            total += values[rows].sum(axis=0, dtype=np.float64)
    faulty = np.flatnonzero(~np.isfinite(total))
    if len(faulty):
        raise ExplainabilityError(
            f"PCA: expected finite features, found NaN or infinite numbers in {len(faulty)} of {len(total)}, first in feature "
            f"{faulty[0]}. Run the pipeline explainability again."
        )
    mean: NDArray[np.float64] = total / len(values)
    return mean


def _from_covariance(
    values: NDArray[np.floating], mean: NDArray[np.float64], most: int | None, device: torch.device | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    variances, vectors = eigen_descending(sum_covariance(values, mean, device).covariance(), device)
    return variances, vectors[:, :most].T


def _from_gram(
    values: NDArray[np.floating], mean: NDArray[np.float64], most: int | None, device: torch.device | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    count, width = values.shape
    variances, vectors = eigen_descending(sum_gram(values, mean) / (count - 1), device)
    vectors = vectors[:, :most]
    axes = np.empty((vectors.shape[1], width))
    for here in row_slices(width, count):
        axes[:, here] = vectors.T @ (values[:, here].astype(np.float64) - mean[here])
    return variances, axes / np.linalg.norm(axes, axis=1, keepdims=True)


class PrincipalComponentsOptions(Options):
    """Options of the reducer `pca`."""

    max_components: int | None = Field(1024, gt=0, description="Maximum number of axes; null: all. All variances are kept")
    device: str = Field(
        "auto",
        pattern=DEVICE_PATTERN,
        description="auto (a CUDA GPU if available, otherwise NumPy on the CPU), cpu, cuda or cuda:1",
    )


class PrincipalComponents(Component[PrincipalComponentsOptions]):
    """Reducer `pca`: exact principal components."""

    def __call__(self, features: FeatureSet) -> Components:
        """Compute the components of N persons' features."""
        return principal_components(features, self.options.max_components, resolve_gpu(self.options.device))
