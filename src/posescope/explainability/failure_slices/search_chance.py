"""What a search finds by chance: the largest difference in whole cross-fitted searches on permuted PCK (max statistic).

The folds agree on a rule more easily if the rule happens to fit the judged persons, too. So the judged difference of a slice
alone is no fair test (11 of 50 null data sets had a claim), and the whole search with its matching of folds is repeated on
permuted PCK (Westfall and Young 1993). Its largest difference bounds the probability that any slice is false.

    z = gap / standard error,    variance of the gap = s^2 [(1 - r) sum w^2 + r sum over photographs (sum w)^2]

w are the weights of the persons in the gap, s^2 the variance of the PCK, r its correlation within photographs (ANOVA estimator).
Beyond the permutations the tail is Gumbel's distribution of maxima with their mean and standard deviation, which falls more
slowly than that of normal differences, so that p is rather too large.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.failure_slices.cross_fitting import CrossFittedSlice, CrossFitting

__all__ = ["GapScale", "SearchChance", "permute_by_photograph", "repeat_search"]

Floats = NDArray[np.float64]
_MIN_PHOTOGRAPHS = 5
_ENOUGH = 10  # exceedances from which p is counted instead of taken from the distribution, and slices that the fit needs
_TYPICAL = (3.0, 1.1)  # mean and standard deviation of z where permuted searches find a slice, used where they find too few
_EULER = 0.5772156649015329


@dataclass(frozen=True, eq=False)
class GapScale:
    """Standard errors of gaps of N persons.

    Attributes:
        groups: (N,) photograph of each person, from 0.
        variance: variance of the PCK.
        correlation: correlation of the PCK within photographs, 0..1.
    """

    groups: NDArray[np.int64]
    variance: float
    correlation: float

    @classmethod
    def of(cls, pck: Floats, groups: NDArray[np.int64]) -> "GapScale":
        """Estimate variance and correlation from (N,) values and photographs."""
        _, own, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        count, photographs = len(pck), len(sizes)
        variance = float(pck.var())
        if count == photographs or photographs < 2 or variance == 0:
            return cls(own.astype(np.int64), variance, 0.0)
        means = np.bincount(own, weights=pck) / sizes
        between = float((sizes * (means - pck.mean()) ** 2).sum()) / (photographs - 1)
        within = float(((pck - means[own]) ** 2).sum()) / (count - photographs)
        typical = (count - (sizes**2).sum() / count) / (photographs - 1)
        total = between + (typical - 1) * within
        return cls(own.astype(np.int64), variance, float(np.clip((between - within) / total, 0, 1)) if total > 0 else 0.0)

    def standard_error(self, weights: Floats) -> float:
        """Return the standard error of the sum of PCK with (N,) weights."""
        of_photographs = np.bincount(self.groups, weights=weights)
        spread = (1 - self.correlation) * (weights**2).sum() + self.correlation * (of_photographs**2).sum()
        return float(np.sqrt(self.variance * spread))

    def z(self, one: CrossFittedSlice, pck: Floats) -> float:
        """Return the gap of a slice in standard errors; 0 if the PCK does not vary."""
        weights = one.contrast
        error = self.standard_error(weights)
        return float(weights @ pck) / error if error > 0 else 0.0


@dataclass(frozen=True)
class SearchChance:
    """Largest z of R searches on permuted PCK.

    Attributes:
        largest: (R,) 0 where no slice was found, or none with lower PCK inside.
    """

    largest: Floats

    def gaps(self, standard_error: float) -> Interval:
        """Return mean, 5 % and 95 % quantile of the largest gap of slices with this standard error."""
        low, high = np.quantile(self.largest, [0.05, 0.95])
        return Interval(*(standard_error * float(value) for value in (self.largest.mean(), low, high)))

    def p_value(self, z: float) -> float:
        """Return the probability that a search on permuted PCK finds a slice with at least this z."""
        exceeding, count = int((self.largest >= z).sum()), len(self.largest)
        if exceeding >= _ENOUGH or z <= 0:
            return (1 + exceeding) / (1 + count)
        found = self.largest[self.largest > 0]
        mean, deviation = (float(found.mean()), float(found.std())) if len(found) >= _ENOUGH else _TYPICAL
        scale = deviation * np.sqrt(6) / np.pi
        tail = -np.expm1(-np.exp(-(z - (mean - _EULER * scale)) / scale)) * max(len(found), _ENOUGH) / count
        return float(np.clip(tail, max(exceeding / count, 1e-12), 1.0))


def repeat_search(
    fitting: CrossFitting, pck: Floats, groups: NDArray[np.int64], scale: GapScale, permutations: int, seed: int
) -> SearchChance:
    """Repeat the search on permuted PCK.

    Args:
        fitting: folds and conditions of the search.
        pck, groups: (N,) PCK and photograph of each person.
        scale: standard errors of these persons.
        permutations: number of searches.
        seed: random seed of the permutations.
    """
    largest = []
    for rows in permute_by_photograph(groups, permutations, seed):
        slices: Sequence[CrossFittedSlice] = fitting.find(pck[rows])
        largest.append(max((scale.z(one, pck[rows]) for one in slices), default=0.0))
    return SearchChance(np.maximum(largest, 0.0))


def permute_by_photograph(groups: NDArray[np.int64], permutations: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield permutations of persons in which those of one photograph stay together, since they are alike.

    Photographs with the same number of persons exchange their persons' values. Where fewer than five photographs have the same
    number, they form one group, whose values are written one photograph after the other in random order.

    Args:
        groups: (N,) photograph of each person.
        permutations: number of permutations.
        seed: random seed.

    Yields:
        (N,) the row whose value each person gets.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(groups, kind="stable")
    _, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    blocks = [order[start : start + size] for start, size in zip(starts, sizes, strict=True)]
    common = [size for size in np.unique(sizes) if (sizes == size).sum() >= _MIN_PHOTOGRAPHS]
    equal = [np.stack([block for block in blocks if len(block) == size]) for size in common]
    rare = [block for block in blocks if len(block) not in common]
    for _ in range(permutations):
        rows = np.arange(len(groups))
        for stack in equal:
            rows[stack] = stack[rng.permutation(len(stack))]
        if rare:
            rows[np.concatenate(rare)] = np.concatenate([rare[number] for number in rng.permutation(len(rare))])
        yield rows
