"""Exact principal component analysis of features that need not fit in memory as float64.

    features X (N, D)    mean m = sum_n x_n / N
    D <= N: eigenvectors of the covariance  sum_n (x_n - m)(x_n - m)^T / (N - 1)      (D, D), summed over blocks of rows
    N <  D: eigenvectors u of the Gram matrix  Xc Xc^T                                (N, N), summed over blocks of columns,
            and then the axes  Xc^T u / |Xc^T u|

Both give what scikit-learn's PCA(svd_solver="full") gives; the sign of an axis, which PCA leaves open, is chosen so that its
largest loading in absolute value is positive.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from posescope.artifacts.devices import DEVICE_PATTERN, resolve_gpu
from posescope.core.errors import DataError
from posescope.core.files import atomic_write
from posescope.core.plugins import Options
from posescope.explainability.components.covariance import CovarianceSum, eigen_descending
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.features.row_blocks import row_slices

__all__ = [
    "LARGEST_MATRIX",
    "Components",
    "PrincipalComponents",
    "PrincipalComponentsOptions",
    "fix_signs",
    "mean_of",
    "principal_components",
]

_WORDS = ("approximation", "features_fingerprint", "model", "data")
LARGEST_MATRIX = 12_000  # side of the matrix whose eigenvectors are sought: 1.2 GB


@dataclass(frozen=True)
class Components:
    """Directions of feature space, ordered by the variance along them.

    Attributes:
        mean: (D,) float64.
        axes: (P, D) float64, orthonormal rows.
        variances: (R,) float64 along each direction of the features' whole rank R >= P, descending; the first P belong to
            the axes (fewer axes than R are kept where the options say so).
        layer: where the features were read.
        shape: (C, h, w) of one person's feature.
        approximation: how they were found, in words; empty: they are exact.
        features_fingerprint: of the features that they were found in; empty: unknown.
        model: fingerprint of the network that the features are of; empty: unknown.
        data: fingerprint of the crops, joints and splits that they are of; empty: unknown.
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
        """The smallest number of components that together hold `fraction` (0..1] of the variance."""
        reached = np.cumsum(self.explained_variance_ratio) >= share - 1e-12
        return int(np.argmax(reached)) + 1 if reached.any() else len(self.variances)

    def project(self, values: NDArray[np.floating], count: int | None = None) -> NDArray[np.float64]:
        """(n, D) features -> (n, count) float64 coordinates along the first axes (all P unless told otherwise)."""
        axes = self.axes[:count]
        scores = np.empty((len(values), len(axes)))
        for rows in row_slices(len(values), values.shape[1]):
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
                layer=np.array(self.layer),
                shape=np.array(self.shape, dtype=np.int64),
                approximation=np.array(self.approximation),
                features_fingerprint=np.array(self.features_fingerprint),
                model=np.array(self.model),
                data=np.array(self.data),
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
                    layer=str(stored["layer"]),
                    shape=tuple(int(side) for side in stored["shape"]),
                    # Files of before these were kept do not have them.
                    **{name: str(stored[name]) for name in _WORDS if name in stored},
                )
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path}: no components can be read from here ({error}).") from error


def principal_components(
    features: FeatureSet, max_components: int | None = None, device: torch.device | None = None
) -> Components:
    """Exact principal components of features.

    Memory, beside the features themselves, for s = min(N, D) and P axes kept: about 6 s^2 + 2 P D float64 numbers, whatever
    the larger of N and D; 0.8 GB for 4,096 features and 1,024 axes.

    Args:
        features: N >= 2 persons.
        max_components: keep at most this many axes; all variances are kept.
        device: where eigenvectors are taken, and the products where N >= D; none: the CPU, by numpy.

    Raises:
        ExplainError: if there are fewer than 2 persons, all are alike, or N and D are both too large for an exact answer.
    """
    count, width = features.values.shape
    if count < 2 or min(count, width) > LARGEST_MATRIX:
        raise ExplainabilityError(
            f"Components of '{features.layer}': expected at least 2 persons, and persons or features at most {LARGEST_MATRIX}; "
            f"found {count} persons with {width} features. Take the reducer randomised_pca (explainability.reducer), features "
            "pooled over space (explainability.persons.pooling), another tap, or fewer persons."
        )
    mean = mean_of(features.values)
    solve = _from_covariance if width <= count else _from_gram
    variances, axes = solve(features.values, mean, max_components, device)
    if not len(variances):
        raise ExplainabilityError(
            f"Components of '{features.layer}': all {count} persons have the same features; nothing varies."
        )
    return Components(
        mean=mean,
        axes=fix_signs(axes),
        variances=variances,
        layer=features.layer,
        shape=features.shape,
        features_fingerprint=features.fingerprint,
        model=features.model,
        data=features.data,
    )


def mean_of(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (D,) mean of (N, D) features, summed in float64, block by block.

    Raises:
        ExplainError: if a feature is NaN or infinite.
    """
    total = np.zeros(values.shape[1])
    with np.errstate(invalid="ignore"):  # infinite numbers of both signs sum to NaN
        for rows in row_slices(*values.shape):
            total += values[rows].sum(axis=0, dtype=np.float64)
    faulty = np.flatnonzero(~np.isfinite(total))
    if len(faulty):
        raise ExplainabilityError(
            f"Components: expected finite features; {len(faulty)} of {len(total)} have NaN or infinite numbers, feature "
            f"{faulty[0]} first. Compute the features again (pipeline explainability)."
        )
    mean: NDArray[np.float64] = total / len(values)
    return mean


def fix_signs(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P, D) axes turned so that the largest loading of each, in absolute value, is positive."""
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1, keepdims=True), axis=1)
    fixed: NDArray[np.float64] = axes * np.sign(largest)
    return fixed


def _from_covariance(
    values: NDArray[np.floating], mean: NDArray[np.float64], most: int | None, device: torch.device | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    total = CovarianceSum(mean, device)
    for rows in tqdm(list(row_slices(*values.shape)), desc="covariance", leave=False):
        total.add(values[rows])
    variances, vectors = eigen_descending(total.covariance(), device)
    return variances, vectors[:, :most].T


def _from_gram(
    values: NDArray[np.floating], mean: NDArray[np.float64], most: int | None, device: torch.device | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    count, width = values.shape
    gram, columns = np.zeros((count, count)), list(row_slices(width, count))
    for here in tqdm(columns, desc="Gram matrix", leave=False):
        centred = values[:, here].astype(np.float64) - mean[here]
        gram += centred @ centred.T
    variances, vectors = eigen_descending(gram / (count - 1), device)
    vectors = vectors[:, :most]
    axes = np.empty((vectors.shape[1], width))
    for here in columns:
        axes[:, here] = vectors.T @ (values[:, here].astype(np.float64) - mean[here])
    return variances, axes / np.linalg.norm(axes, axis=1, keepdims=True)


class PrincipalComponentsOptions(Options):
    """How many axes are kept."""

    max_components: int | None = Field(1024, gt=0, description="Axes kept at most; none: all. Variances are always kept whole")
    device: str = Field(
        "auto",
        pattern=DEVICE_PATTERN,
        description="auto (a CUDA GPU where there is one, else the CPU by NumPy), cpu, cuda or cuda:1",
    )


class PrincipalComponents:
    """Reducer `pca`."""

    Options = PrincipalComponentsOptions

    def __init__(self, options: PrincipalComponentsOptions) -> None:
        self.options = options

    def __call__(self, features: FeatureSet) -> Components:
        """Components of N persons' features."""
        return principal_components(features, self.options.max_components, resolve_gpu(self.options.device))
