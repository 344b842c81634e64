"""Exact principal component analysis of features that need not fit in memory as float64.

    features X (N, D)    mean m = sum_n x_n / N
    D <= N: eigenvectors of the covariance  sum_n (x_n - m)(x_n - m)^T / (N - 1)      (D, D), summed over blocks of rows
    N <  D: eigenvectors u of the Gram matrix  Xc Xc^T                                (N, N), summed over blocks of columns,
            and then the axes  Xc^T u / |Xc^T u|

Both give what scikit-learn's PCA(svd_solver="full") gives; the sign of an axis, which PCA leaves open, is chosen so that its
largest loading in absolute value is positive.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from posescope.errors import DataError
from posescope.explain.errors import ExplainError
from posescope.explain.feature_store import FeatureSet
from posescope.files import atomic_write
from posescope.plugins import Options

__all__ = ["Components", "PrincipalComponents", "PrincipalComponentsOptions", "principal_components"]

_BLOCK_NUMBERS = 4_000_000  # float64 numbers a block: 32 MB
_LARGEST_MATRIX = 12_000  # side of the matrix whose eigenvectors are sought: 1.2 GB
_RANK_TOLERANCE = 1e-10  # variances below this share of the largest are rounding, not directions


@dataclass(frozen=True)
class Components:
    """Directions of feature space, ordered by the variance along them.

    Attributes:
        mean: (D,) float64.
        axes: (P, D) float64, orthonormal rows.
        variances: (R,) float64 along each direction of the features' whole rank R >= P, descending; the first P belong to
            the axes (fewer axes than R are kept where the options say so).
        tap: where the features were read.
        shape: (C, h, w) of one person's feature.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    variances: NDArray[np.float64]
    tap: str
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.axes)

    @property
    def total_variance(self) -> float:
        """Sum of the variances of all D features."""
        return float(self.variances.sum())

    @property
    def explained_variance_ratio(self) -> NDArray[np.float64]:
        """(R,) share of the total variance along each direction; sums to 1."""
        ratio: NDArray[np.float64] = self.variances / self.variances.sum()
        return ratio

    @property
    def participation_ratio(self) -> float:
        """(sum of variances)^2 / sum of squares: how many directions are in use, 1..R, as if all used alike."""
        return float(self.variances.sum() ** 2 / (self.variances**2).sum())

    def components_for(self, share: float) -> int:
        """The smallest number of components that together hold `share` (0..1] of the variance."""
        reached = np.cumsum(self.explained_variance_ratio) >= share - 1e-12
        return int(np.argmax(reached)) + 1 if reached.any() else len(self.variances)

    def project(self, values: NDArray[np.floating], count: int | None = None) -> NDArray[np.float64]:
        """(n, D) features -> (n, count) float64 coordinates along the first axes (all P unless told otherwise)."""
        axes = self.axes[:count]
        scores = np.empty((len(values), len(axes)))
        for rows in _slices(len(values), values.shape[1]):
            scores[rows] = (values[rows].astype(np.float64) - self.mean) @ axes.T
        return scores

    def reconstruct(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, p) coordinates along the first p axes -> (n, D) features; the inverse of `project` within their span."""
        return scores @ self.axes[: scores.shape[1]] + self.mean

    def save(self, path: Path) -> None:
        """Write as .npz (no pickle), atomically."""
        with atomic_write(path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                mean=self.mean,
                axes=self.axes,
                variances=self.variances,
                tap=np.array(self.tap),
                shape=np.array(self.shape, dtype=np.int64),
            )

    @classmethod
    def load(cls, path: Path) -> "Components":
        """Inverse of `save`.

        Raises:
            DataError: if the file is missing or is not one that `save` wrote.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls(
                    mean=stored["mean"],
                    axes=stored["axes"],
                    variances=stored["variances"],
                    tap=str(stored["tap"]),
                    shape=tuple(int(side) for side in stored["shape"]),
                )
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path}: no components can be read from here ({error}).") from error


def principal_components(features: FeatureSet, max_components: int | None = None) -> Components:
    """Exact principal components of features.

    Args:
        features: N >= 2 persons.
        max_components: keep at most this many axes; all variances are kept.

    Raises:
        ExplainError: if there are fewer than 2 persons, all are alike, or N and D are both too large for an exact answer.
    """
    count, width = features.values.shape
    if count < 2 or min(count, width) > _LARGEST_MATRIX:
        raise ExplainError(
            f"Components of '{features.tap}': expected at least 2 persons, and persons or features at most {_LARGEST_MATRIX}; "
            f"found {count} persons with {width} features. Take another tap, or other persons."
        )
    mean = _mean(features.values)
    variances, axes = _from_covariance(features.values, mean) if width <= count else _from_gram(features.values, mean)
    if not len(variances):
        raise ExplainError(f"Components of '{features.tap}': all {count} persons have the same features; nothing varies.")
    axes = axes[:max_components]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1, keepdims=True), axis=1)
    return Components(mean=mean, axes=axes * np.sign(largest), variances=variances, tap=features.tap, shape=features.shape)


def _slices(length: int, width: int) -> Iterator[slice]:
    step = max(1, _BLOCK_NUMBERS // max(1, width))
    return (slice(start, start + step) for start in range(0, length, step))


def _mean(values: NDArray[np.floating]) -> NDArray[np.float64]:
    total = np.zeros(values.shape[1])
    for rows in _slices(*values.shape):
        total += values[rows].sum(axis=0, dtype=np.float64)
    return total / len(values)


def _from_covariance(values: NDArray[np.floating], mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    covariance = np.zeros((values.shape[1], values.shape[1]))
    for rows in tqdm(list(_slices(*values.shape)), desc="covariance", leave=False):
        centred = values[rows].astype(np.float64) - mean
        covariance += centred.T @ centred
    variances, vectors = _descending(covariance / (len(values) - 1))
    return variances, vectors.T


def _from_gram(values: NDArray[np.floating], mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    count, width = values.shape
    gram, columns = np.zeros((count, count)), list(_slices(width, count))
    for here in tqdm(columns, desc="Gram matrix", leave=False):
        centred = values[:, here].astype(np.float64) - mean[here]
        gram += centred @ centred.T
    variances, vectors = _descending(gram / (count - 1))
    axes = np.empty((len(variances), width))
    for here in columns:
        axes[:, here] = vectors.T @ (values[:, here].astype(np.float64) - mean[here])
    return variances, axes / np.linalg.norm(axes, axis=1, keepdims=True)


def _descending(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues (R,) and eigenvectors (side, R) of the matrix's numerical rank, largest first."""
    values, vectors = np.linalg.eigh(matrix)
    kept = int((values > max(values[-1] * _RANK_TOLERANCE, np.finfo(np.float64).tiny)).sum())
    return values[::-1][:kept], vectors[:, ::-1][:, :kept]


class PrincipalComponentsOptions(Options):
    """How many axes are kept."""

    max_components: int | None = Field(1024, gt=0, description="Axes kept at most; none: all. Variances are always kept whole")


class PrincipalComponents:
    """Reducer `pca`."""

    Options = PrincipalComponentsOptions

    def __init__(self, options: PrincipalComponentsOptions) -> None:
        self.options = options

    def __call__(self, features: FeatureSet) -> Components:
        """Components of N persons' features."""
        return principal_components(features, self.options.max_components)
