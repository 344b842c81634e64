"""Linear probes: how much of a number can be read from features, on persons whom the probe has not seen.

    held out     image groups are dealt into folds; each fold is predicted by a ridge regression that was fitted on the others,
                 its strength chosen by a further round of folds within those
    R2           1 - sum (y - predicted)^2 / sum (y - mean of the fitted persons)^2: 1 is all of it, 0 nothing; below 0, the
                 probe is worse than the mean
    control      the same with y shuffled between photographs: whole photographs change places, so that people who stand side
                 by side, and are alike, do so in the control too

Everything but the predictions follows from sums over each fold (x x^T, x y, ...): many shuffled y cost little more than one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["STRENGTHS", "ProbeResult", "assign_folds", "probe", "permute_groups"]

Floats = NDArray[np.float64]

STRENGTHS: tuple[float, ...] = tuple(10.0 ** (power / 2) for power in range(-6, 5))  # of ridge, for columns of variance 1


@dataclass(frozen=True)
class ProbeResult:
    """What a probe made of T targets of n persons.

    Attributes:
        r2: (T,) on held-out persons; NaN where a target does not vary.
        squared_errors: (n,) of the first target's prediction, each by the probe that had not seen the person.
        baseline_squared_errors: (n,) of the first target from the mean of the persons whom that probe had seen.
    """

    r2: Floats
    squared_errors: Floats
    baseline_squared_errors: Floats


def assign_folds(groups: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """(n,) fold 0..count-1 of each person: whole groups, dealt at random, as many to each fold (one more or less)."""
    unique, where = np.unique(groups, return_inverse=True)
    dealt = np.random.default_rng(seed).permutation(len(unique)) % count
    return np.asarray(dealt[where], dtype=np.int64)


def permute_groups(groups: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """(count, n) rows: `values[rows[s]]` are n values shuffled, groups in random order, persons of one group side by side."""
    unique, where = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    in_order = np.argsort(where, kind="stable")
    rows = np.empty((count, len(groups)), dtype=np.int64)
    for own in rows:
        # Persons of a group are in random order too: otherwise two groups of two would keep their first and second.
        own[in_order] = np.lexsort((rng.random(len(groups)), rng.permutation(len(unique))[where]))
    return rows


def probe(x: Floats, targets: Floats, folds: NDArray[np.int64], strengths: tuple[float, ...] = (0.0,)) -> ProbeResult:
    """Predict targets from features by ridge regression, each fold from the others.

    Args:
        x: (n, p) features; for a strength above 0, columns of about the same variance.
        targets: (n, T); no NaN.
        folds: (n,) 0..F-1, F >= 3 where there are several strengths, else F >= 2; none empty.
        strengths: of the ridge, as a share of the persons it is fitted on; of several, each target has the one that predicts
            best within the persons fitted on. (0,): least squares.
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
class _Moments:
    """Sums over some persons: how many, x, x x^T, y, x y, y^2."""

    count: float
    x: Floats  # (p,)
    xx: Floats  # (p, p)
    y: Floats  # (T,)
    xy: Floats  # (p, T)
    yy: Floats  # (T,)

    @property
    def mean_target(self) -> Floats:
        mean: Floats = self.y / self.count
        return mean

    def minus(self, other: "_Moments") -> "_Moments":
        return _Moments(
            self.count - other.count,
            self.x - other.x,
            self.xx - other.xx,
            self.y - other.y,
            self.xy - other.xy,
            self.yy - other.yy,
        )

    def ridge(self) -> "_Ridge":
        mean = self.x / self.count
        values, vectors = np.linalg.eigh(self.xx - self.count * np.outer(mean, mean))
        # A direction in which nothing varies predicts nothing: without ridge its eigenvalue would be a division by zero.
        values = np.where(values > values[-1] * 1e-10, values, np.inf)
        return _Ridge(self.count, mean, self.mean_target, values, vectors, vectors.T @ (self.xy - np.outer(mean, self.y)))

    def squared_error(self, weights: Floats, intercepts: Floats) -> Floats:
        """(T,) sum of squared errors that these weights make on these persons."""
        error: Floats = (
            self.yy
            + self.count * intercepts**2
            + np.einsum("pt,pt->t", weights, self.xx @ weights)
            - 2 * intercepts * self.y
            - 2 * np.einsum("pt,pt->t", weights, self.xy)
            + 2 * intercepts * (self.x @ weights)
        )
        return error


@dataclass(frozen=True)
class _Ridge:
    """Ridge regressions on some persons, of any strength; the intercept is free."""

    count: float
    mean: Floats  # (p,)
    mean_target: Floats  # (T,)
    values: Floats  # (p,) eigenvalues of the centred x^T x
    vectors: Floats  # (p, p)
    loads: Floats  # (p, T)

    def solve(self, strengths: Floats | float) -> tuple[Floats, Floats]:
        """Weights (p, T) and intercepts (T,); one strength, or one a target."""
        weights: Floats = self.vectors @ (self.loads / (self.values[:, None] + self.count * np.asarray(strengths)))
        return weights, self.mean_target - self.mean @ weights


@dataclass(frozen=True)
class _Sums:
    """Moments of each fold, and of all."""

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
    """(F, T) index of the strength that each target has when a fold is held out: chosen without that fold."""
    targets = len(sums.whole.y)
    if len(strengths) == 1:
        return np.zeros((sums.folds, targets), dtype=np.int64)
    errors = np.zeros((sums.folds, len(strengths), targets))
    for first in range(sums.folds):
        for second in range(first):
            ridge = sums.without(first, second).ridge()
            for index, strength in enumerate(strengths):
                weights, intercepts = ridge.solve(strength)
                # Held out with `first`, `second` tells how well it does, and the other way round.
                errors[first, index] += sums.parts[second].squared_error(weights, intercepts)
                errors[second, index] += sums.parts[first].squared_error(weights, intercepts)
    return np.asarray(errors.argmin(axis=1), dtype=np.int64)
