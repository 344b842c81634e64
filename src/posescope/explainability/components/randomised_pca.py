"""Principal components where both persons and features are too many for an exact answer: a randomised search for the first ones.

Block power iteration from a random start with a Rayleigh-Ritz step at its end (Halko, Martinsson and Tropp, 2011, Finding
Structure with Randomness): with the centred features Xc (N, D) and l = components + oversampling columns,

    Q (D, l) random, orthonormal          q times:  Q <- orthonormal basis of  Xc^T (Xc Q)
    (Xc Q)^T (Xc Q) / (N - 1) = V diag(variances) V^T          axes = (Q V)^T

Each iteration reads the features once, in blocks, so memory is a few matrices (D, l). What is approximate: axes and variances
of the last components found; a variance is never overstated. What is exact: the mean, and the total variance. The variance
beyond the components found is spread evenly over the directions that are left, which overstates how many components are needed
for a share of the variance that the found ones do not reach, and overstates the participation ratio.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from posescope.core.plugins import Options
from posescope.explainability.components.covariance import eigen_descending
from posescope.explainability.components.pca import Components, fix_signs, mean_of
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.features.row_blocks import row_slices

__all__ = ["RandomisedComponents", "RandomisedComponentsOptions"]

Floats = NDArray[np.float64]


class RandomisedComponentsOptions(Options):
    """How many components, and how hard they are looked for."""

    components: int = Field(200, gt=0, le=4096, description="Components sought; their whole rank where it is lower")
    oversampling: int = Field(50, ge=0, le=1000, description="Directions carried along beyond them, which makes them sharper")
    iterations: int = Field(6, ge=1, le=100, description="Power iterations; each reads all features once")
    seed: int = Field(0, ge=0, description="Seed of the random start")


class RandomisedComponents:
    """Reducer `randomised_pca`, for more than 12,000 persons with more than 12,000 features; below, `pca` is exact."""

    Options = RandomisedComponentsOptions

    def __init__(self, options: RandomisedComponentsOptions) -> None:
        self.options = options

    def __call__(self, features: FeatureSet) -> Components:
        """The first components of N persons' features.

        Raises:
            ExplainError: if there are fewer than 2 persons, or all are alike.
        """
        values, options = features.values, self.options
        count, width = values.shape
        if count < 2:
            raise ExplainabilityError(f"Components of '{features.layer}': expected at least 2 persons, found {count}.")
        rank = min(count - 1, width)
        mean = mean_of(values)
        carried = min(options.components + options.oversampling, rank)
        basis = _orthonormal(np.random.default_rng(options.seed).normal(size=(width, carried)))
        for _ in tqdm(range(options.iterations), desc="power iterations", leave=False):
            basis = _orthonormal(_spread(values, mean, basis))
        variances, axes, total = _ritz(values, mean, basis)
        if not len(variances):
            raise ExplainabilityError(
                f"Components of '{features.layer}': all {count} persons have the same features; nothing varies."
            )
        kept = min(options.components, len(variances))
        return Components(
            mean=mean,
            axes=fix_signs(axes[:kept]),
            variances=np.concatenate([variances[:kept], _rest(variances[:kept], total, rank)]),
            layer=features.layer,
            shape=features.shape,
            approximation=f"randomised: {kept} of {rank} components, {options.iterations} power iterations; the variance of "
            "the others is spread evenly over them",
            features_fingerprint=features.fingerprint,
            model=features.model,
            data=features.data,
        )


def _centred(values: NDArray[np.floating], mean: Floats) -> Iterator[Floats]:
    return (values[rows].astype(np.float64) - mean for rows in row_slices(*values.shape))


def _spread(values: NDArray[np.floating], mean: Floats, basis: Floats) -> Floats:
    """Xc^T (Xc Q), (D, l)."""
    found = np.zeros_like(basis)
    for block in _centred(values, mean):
        found += block.T @ (block @ basis)
    return found


def _ritz(values: NDArray[np.floating], mean: Floats, basis: Floats) -> tuple[Floats, Floats, float]:
    """Variances (R,) and axes (R, D) within the basis, the largest first, and the total variance of all features."""
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


def _rest(found: Floats, total: float, rank: int) -> Floats:
    """The variance that is left, in equal parts, none of them above the last one found."""
    left = rank - len(found)
    share = min(max(total - float(found.sum()), 0.0) / left, float(found[-1])) if left else 0.0
    return np.full(left if share > 0 else 0, share)
