"""Share of each component that each attribute explains, and the distribution of that share by chance.

share      fraction of the differences between persons along a component that a column of an attribute explains (R2), over all
           persons: an unknown value explains nothing, and being unknown is a column of its own (`attribute_columns`)
chosen     on the fitted persons, by cross-validation over photographs: these shares select the names
judged     on the judged persons, by the regression of the fitted persons: these shares are reported
control    the best squared correlation of all pairs of component and column, where the judged persons are permuted between
           photographs (max statistic; Westfall and Young, 1993). It is fitted anew to each permutation and therefore above 0
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from posescope.evaluation.bootstrap import ImageResamples, Interval, resample_images
from posescope.explainability.attributes.attribute_columns import AttributeColumn, columns_of, stack_columns
from posescope.explainability.attributes.linear_probes import assign_folds, permute_groups, probe
from posescope.explainability.findings import MIN_IMAGES

__all__ = [
    "AttributeShares",
    "ProbedPersons",
    "best_squared_correlations",
    "measure_shares",
    "p_of_maximum",
    "prediction_share",
]

Floats = NDArray[np.float64]

FOLDS = 5
SHUFFLES = 1999  # the smallest p is 1 / 2000
RESAMPLES = 1000
_CHUNK = 100  # permutations at a time
THREADS = 1  # of BLAS: for small matrices its synchronisation costs more than more threads save


@dataclass(frozen=True)
class ProbedPersons:
    """N persons: scores on components, attributes, photographs.

    Attributes:
        scores: (N, C) coordinates along the components.
        attributes: a row per person, a float column per attribute; NaN unknown.
        groups: (N,) photograph of each person.
    """

    scores: Floats
    attributes: pd.DataFrame
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True)
class AttributeShares:
    """Shares of C components that M columns explain.

    Attributes:
        columns: the columns.
        left_out: reason by name of each attribute whose values have no column.
        chosen: (C, M) shares of the fitted persons, cross-validated.
        correlations: (C, M) correlations of the fitted persons.
        judged: C rows of M shares of the judged persons, with intervals over photographs; NaN if the judged persons are too few.
    """

    columns: tuple[AttributeColumn, ...]
    left_out: dict[str, str]
    chosen: Floats
    correlations: Floats
    judged: tuple[tuple[Interval, ...], ...]


def measure_shares(fitted: ProbedPersons, judged: ProbedPersons, seed: int) -> AttributeShares:
    """Measure the share of each component that each column explains.

    Args:
        fitted: persons that the columns and regressions are made from.
        judged: persons of other photographs, with the same attributes.
        seed: random seed of folds, permutations and resamples.
    """
    columns, left_out = columns_of(fitted.attributes, fitted.groups)
    x, y = stack_columns(columns, fitted.attributes), standardise(fitted.scores, fitted.scores)
    correlations = y.T @ x / max(len(fitted), 1)
    if not columns:
        return AttributeShares((), left_out, correlations, correlations, ((),) * len(correlations))
    folds, draws = assign_folds(fitted.groups, FOLDS, seed), resample_images(judged.groups, seed, RESAMPLES)
    with threadpool_limits(THREADS):
        chosen = np.stack([probe(x[:, [column]], y, folds).r2 for column in range(len(columns))], axis=1)
    x_judged, y_judged = stack_columns(columns, judged.attributes), standardise(judged.scores, fitted.scores)
    shares = tuple(
        prediction_share(x_judged * slopes, own[:, None], judged.groups, draws)
        for own, slopes in zip(y_judged.T, correlations, strict=True)
    )
    return AttributeShares(columns, left_out, chosen, correlations, shares)


def standardise(values: Floats, reference: Floats) -> Floats:
    """Return (n, C) values in standard deviations of the reference persons from their mean; 0 where these are all equal."""
    deviations = reference.std(axis=0)
    standardised: Floats = (values - reference.mean(axis=0)) / np.where(deviations > 0, deviations, np.inf)
    return standardised


def prediction_share(predicted: Floats, truth: Floats, groups: NDArray[np.int64], draws: ImageResamples) -> tuple[Interval, ...]:
    """Return R2 of predictions with intervals over photographs; the regressions are not fitted anew.

    Args:
        predicted: (n, M) predictions; 0 is the mean of the persons that they were fitted to.
        truth: (n, M) or (n, 1) true values, likewise.
        groups: (n,) photograph of each person.
        draws: resamples of photographs.

    Returns:
        M intervals; NaN where there are fewer than `MIN_IMAGES` photographs or nothing varies.
    """
    if len(np.unique(groups)) < MIN_IMAGES:
        return tuple(Interval(float("nan"), float("nan"), float("nan")) for _ in predicted.T)
    errors = (truth - predicted) ** 2
    offsets = np.broadcast_to(truth**2, errors.shape)
    totals = offsets.sum(axis=0)
    r2 = 1 - np.divide(errors.sum(axis=0), totals, out=np.full(len(totals), np.nan), where=totals > 0)
    drawn = 1 - draws.ratios(errors, offsets, groups)
    return tuple(draws.interval(float(value), drawn[:, place]) for place, value in enumerate(r2))


def best_squared_correlations(y: Floats, x: Floats, groups: NDArray[np.int64], shuffles: int, seed: int) -> Floats:
    """Permute persons between photographs and return the best squared correlation of all pairs in each permutation.

    Args:
        y: (n, C) permuted columns.
        x: (n, M) other columns.
        groups: (n,) photograph of each person; persons of one photograph stay together.
        shuffles: S.
        seed: random seed of the permutations.

    Returns:
        (S,) numbers, 0..1.
    """
    return permuted_maxima(lambda rows: _squared_correlations(y[rows], x).max(axis=(1, 2)), groups, shuffles, seed)


def permuted_maxima(
    measure: Callable[[NDArray[np.int64]], Floats], groups: NDArray[np.int64], shuffles: int, seed: int
) -> Floats:
    """Return (S,) results of a function of (s, n) permuted rows, a chunk of permutations at a time.

    Args:
        measure: returns (s,) numbers.
        groups, shuffles, seed: see `best_squared_correlations`.
    """
    sizes = [min(_CHUNK, shuffles - start) for start in range(0, shuffles, _CHUNK)]
    seeds = np.random.SeedSequence(seed).generate_state(len(sizes))
    with threadpool_limits(THREADS):
        chunks = [measure(permute_groups(groups, size, int(own))) for size, own in zip(sizes, seeds, strict=True)]
    return np.concatenate([np.empty(0), *chunks])


def _squared_correlations(y: Floats, x: Floats) -> Floats:
    """(s, C, M) of permuted (s, n, C) and (n, M); 0 for a column that does not vary."""
    y, x = y - y.mean(axis=1, keepdims=True), x - x.mean(axis=0)
    products = np.tensordot(y, x, axes=([1], [0]))
    lengths = (y**2).sum(axis=1)[..., None] * (x**2).sum(axis=0)
    found: Floats = np.divide(products**2, lengths, out=np.zeros_like(products), where=lengths > 1e-12)
    return found


def p_of_maximum(value: float, maxima: Sequence[float] | Floats) -> float:
    """Return the p-value of a statistic against its maxima over permutations; 1 for NaN or without permutations."""
    return 1.0 if np.isnan(value) else float((1 + np.sum(np.asarray(maxima) >= value)) / (1 + len(maxima)))
