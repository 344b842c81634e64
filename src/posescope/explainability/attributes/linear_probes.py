"""Linear probes: how well a target can be predicted linearly from features, on held-out persons.

    folds     whole images are assigned to folds; each fold is predicted by a ridge regression fitted on the others, whose
              strength is selected by nested cross-validation
    R2        1 - sum (y - predicted)^2 / sum (y - mean of the fitted persons)^2: 1 perfect, 0 as the mean, below 0 worse
    control   the same with y permuted between images: persons of one image stay together, since they are alike

All but the predictions follows from sums over each fold (x x^T, x y, ...), so many permuted targets cost little more than one.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["STRENGTHS", "FittedProbe", "ProbeResult", "assign_folds", "fit_probe", "permute_groups", "probe"]

Floats = NDArray[np.float64]

STRENGTHS: tuple[float, ...] = tuple(10.0 ** (power / 2) for power in range(-6, 5))  # ridge strengths, for columns of variance 1


@dataclass(frozen=True)
class ProbeResult:
    """Result of a probe of T targets on n persons.

    Attributes:
        r2: (T,) R2 on held-out persons; NaN where a target does not vary.
        squared_errors: (n,) squared errors of the predictions of the first target, each by the probe fitted without the person.
        baseline_squared_errors: (n,) squared errors of the mean of the fitted persons as prediction of the first target.
    """

    r2: Floats
    squared_errors: Floats
    baseline_squared_errors: Floats


def assign_folds(groups: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Assign whole groups to folds at random, equally many to each (one more or less).

    Args:
        groups: (n,) the group of each person, usually the image.
        count: number of folds.
        seed: random seed of the assignment.

    Returns:
        (n,) fold of each person, 0..count-1.
    """
    unique, where = np.unique(groups, return_inverse=True)
    folds = np.random.default_rng(seed).permutation(len(unique)) % count
    return np.asarray(folds[where], dtype=np.int64)


def permute_groups(groups: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Return random permutations that put groups in random order and keep the persons of a group adjacent.

    Args:
        groups: (n,) the group of each person, usually the image.
        count: number of permutations.
        seed: random seed of the permutations.

    Returns:
        (count, n) rows: `values[rows[s]]` are n permuted values.
    """
    unique, where = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    in_order = np.argsort(where, kind="stable")
    rows = np.empty((count, len(groups)), dtype=np.int64)
    for own in rows:
        # Persons of a group are in random order too: otherwise two groups of two would keep their first and second person.
        own[in_order] = np.lexsort((rng.random(len(groups)), rng.permutation(len(unique))[where]))
    return rows


def probe(x: Floats, targets: Floats, folds: NDArray[np.int64], strengths: tuple[float, ...] = (0.0,)) -> ProbeResult:
    """Predict targets from features by cross-validated ridge regression.

    Args:
        x: (n, p) features; for a strength above 0 columns should have about the same variance.
        targets: (n, T), without NaN.
        folds: (n,) 0..F-1, F >= 3 with several strengths, else F >= 2; none empty.
        strengths: ridge penalties per fitted person. Of several, nested cross-validation selects one per target. (0,): least
            squares.
    """
    x, targets = x - x.mean(axis=0), targets - targets.mean(axis=0)
    sums = _Sums.of_folds(x, targets, folds)
    errors, offsets = np.zeros(targets.shape[1]), np.zeros(targets.shape[1])
    first_errors, first_offsets = np.empty(len(x)), np.empty(len(x))
    chosen = _choose(sums, strengths)  # (F, T)
    for fold in range(sums.folds):
        here = folds == fold
        fitted = sums.without(fold)
        weights, intercepts = fitted.ridge().solve(np.array(strengths)[chosen[fold]])
        error = (targets[here] - x[here] @ weights - intercepts) ** 2
        offset = (targets[here] - fitted.mean_target) ** 2
        errors += error.sum(axis=0)
        offsets += offset.sum(axis=0)
        first_errors[here], first_offsets[here] = error[:, 0], offset[:, 0]
    lost = np.divide(errors, offsets, out=np.full(len(offsets), np.nan), where=offsets > 0)
    return ProbeResult(1 - lost, first_errors, first_offsets)


@dataclass(frozen=True)
class FittedProbe:
    """Ridge regressions of T targets, fitted on all given persons.

    Attributes:
        weights: (p, T).
        intercepts: (T,).
        r2: (T,) cross-validated R2 on the same persons, by which the strengths are chosen; NaN where a target does not vary.
    """

    weights: Floats
    intercepts: Floats
    r2: Floats

    def predict(self, x: Floats) -> Floats:
        """Predict (n, T) targets from (n, p) features."""
        predicted: Floats = x @ self.weights + self.intercepts
        return predicted


def fit_probe(x: Floats, targets: Floats, folds: NDArray[np.int64], strengths: tuple[float, ...] = STRENGTHS) -> FittedProbe:
    """Fit ridge regressions for other persons; cross-validation selects the strength of each target.

    Args:
        x: (n, p) features, columns of about the same variance.
        targets: (n, T), without NaN.
        folds: (n,) 0..F-1, F >= 2; none empty.
        strengths: ridge penalties per fitted person.
    """
    sums = _Sums.of_folds(x, targets, folds)
    errors, offsets = np.zeros((len(strengths), targets.shape[1])), np.zeros(targets.shape[1])
    for fold, part in enumerate(sums.parts):
        ridge = sums.without(fold).ridge()
        offsets += part.squared_error(np.zeros((x.shape[1], 1)), ridge.mean_target)
        for index, strength in enumerate(strengths):
            errors[index] += part.squared_error(*ridge.solve(strength))
    chosen = np.array(strengths)[errors.argmin(axis=0)]
    weights, intercepts = sums.whole.ridge().solve(chosen)
    lost = np.divide(errors.min(axis=0), offsets, out=np.full(len(offsets), np.nan), where=offsets > 0)
    return FittedProbe(weights, intercepts, 1 - lost)


class _Moments(NamedTuple):
    """Sums over some persons: count, x, x x^T, y, x y, y^2."""

    persons: float
    x: Floats  # (p,)
    xx: Floats  # (p, p)
    y: Floats  # (T,)
    xy: Floats  # (p, T)
    yy: Floats  # (T,)

    @property
    def mean_target(self) -> Floats:
        mean: Floats = self.y / self.persons
        return mean

    def minus(self, other: "_Moments") -> "_Moments":
        return _Moments(*(own - its for own, its in zip(self, other, strict=True)))  # type: ignore[operator]

    def ridge(self) -> "_Ridge":
        mean = self.x / self.persons
        values, vectors = np.linalg.eigh(self.xx - self.persons * np.outer(mean, mean))
        # A direction without variance predicts nothing; without a penalty its eigenvalue would be a division by zero.
        values = np.where(values > values[-1] * 1e-10, values, np.inf)
        return _Ridge(self.persons, mean, self.mean_target, values, vectors, vectors.T @ (self.xy - np.outer(mean, self.y)))

    def squared_error(self, weights: Floats, intercepts: Floats) -> Floats:
        """(T,) sum of squared errors of these weights on these persons."""
        error: Floats = (
            self.yy
            + self.persons * intercepts**2
            + np.einsum("pt,pt->t", weights, self.xx @ weights)
            - 2 * intercepts * self.y
            - 2 * np.einsum("pt,pt->t", weights, self.xy)
            + 2 * intercepts * (self.x @ weights)
        )
        return error


@dataclass(frozen=True)
class _Ridge:
    """Ridge regressions on the same persons for any strength; the intercept is not penalised."""

    count: float
    mean: Floats  # (p,)
    mean_target: Floats  # (T,)
    values: Floats  # (p,) eigenvalues of the centred x^T x
    vectors: Floats  # (p, p)
    loads: Floats  # (p, T)

    def solve(self, strengths: Floats | float) -> tuple[Floats, Floats]:
        """Weights (p, T) and intercepts (T,), for one strength or one per target."""
        weights: Floats = self.vectors @ (self.loads / (self.values[:, None] + self.count * np.asarray(strengths)))
        return weights, self.mean_target - self.mean @ weights


@dataclass(frozen=True)
class _Sums:
    """Moments of each fold and of all persons."""

    parts: tuple[_Moments, ...]
    whole: _Moments

    @classmethod
    def of_folds(cls, x: Floats, targets: Floats, folds: NDArray[np.int64]) -> "_Sums":
        parts = tuple(_moments(x[folds == fold], targets[folds == fold]) for fold in range(int(folds.max()) + 1))
        return cls(parts, _moments(x, targets))

    @property
    def folds(self) -> int:
        return len(self.parts)

    def without(self, *folds: int) -> _Moments:
        left = self.whole
        for fold in folds:
            left = left.minus(self.parts[fold])
        return left


def _moments(x: Floats, targets: Floats) -> _Moments:
    return _Moments(len(x), x.sum(axis=0), x.T @ x, targets.sum(axis=0), x.T @ targets, (targets**2).sum(axis=0))


def _choose(sums: _Sums, strengths: tuple[float, ...]) -> NDArray[np.int64]:
    """(F, T) index of the strength of each target when a fold is held out, selected without that fold."""
    targets = len(sums.whole.y)
    if len(strengths) == 1:
        return np.zeros((sums.folds, targets), dtype=np.int64)
    errors = np.zeros((sums.folds, len(strengths), targets))
    for first in range(sums.folds):
        for second in range(first):
            ridge = sums.without(first, second).ridge()
            for index, strength in enumerate(strengths):
                weights, intercepts = ridge.solve(strength)
                # With `first` held out, `second` is a validation fold, and vice versa.
                errors[first, index] += sums.parts[second].squared_error(weights, intercepts)
                errors[second, index] += sums.parts[first].squared_error(weights, intercepts)
    return np.asarray(errors.argmin(axis=1), dtype=np.int64)
