"""Data sets for the benchmark of clusters: thirteen kinds without clusters, and planted clusters.

All coordinates have the decaying spectrum of principal components of a pose network. The planted separation was fixed before the
first run: the centre of each smaller cluster lies 5 standard deviations of the first axis from that of the largest one, in random
directions at right angles within the first three axes.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["NULL_KINDS", "SEPARATION", "null_data", "planted_data", "spectrum"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PLANTED_PERSONS = 2000  # as in the default run
SEPARATION = 5.0  # of the centres, standard deviations of the first axis
_PLANTED_AXES = 3  # the first ones, within which the centres differ
_LATENT = 12  # Gaussian inputs of the ReLU networks


def spectrum(width: int) -> Floats:
    """(P,) standard deviations: variances 1, 0.77, 0.39 as in the default run, then the power law that its components follow."""
    variances = np.arange(1, width + 1, dtype=np.float64) ** -1.3
    variances[:3] = 1.0, 0.77, 0.39
    return np.asarray(np.sqrt(variances))


def null_data(kind: str, seed: int) -> tuple[Floats, Ints]:
    """Sample data without clusters.

    Args:
        kind: one of `NULL_KINDS`.
        seed: random seed; it also draws 1,000 to 2,000 points of 20 to 60 coordinates.

    Returns:
        (N, P) points and (N,) the photograph of each.
    """
    rng = np.random.default_rng((seed, list(NULL_KINDS).index(kind)))
    count, width = int(rng.integers(1000, 2001)), int(rng.integers(20, 61))
    return NULL_KINDS[kind](rng, count, width)


def planted_data(shares: Sequence[float], seed: int, separation: float = SEPARATION) -> tuple[Floats, Ints, Ints]:
    """Sample Gaussian clusters; half of the photographs show one person, half of them two that are drawn independently.

    Args:
        shares: fractions of the clusters, the largest first; at most four.
        seed: random seed; it also draws the number of coordinates, 20 to 60.
        separation: distance of each centre from the first, in standard deviations of the first axis.

    Returns:
        (N, P) points, (N,) their photographs, (N,) their true clusters.
    """
    rng = np.random.default_rng((seed, len(shares)))
    count, width = PLANTED_PERSONS, int(rng.integers(20, 61))
    kinds = np.searchsorted(np.cumsum(shares)[:-1], (np.arange(count) + 0.5) / count)
    directions = np.linalg.qr(rng.normal(size=(_PLANTED_AXES, _PLANTED_AXES)))[0]
    centres = np.zeros((len(shares), width))
    centres[1:, :_PLANTED_AXES] = separation * directions[: len(shares) - 1]
    order = rng.permutation(count)
    points = centres[kinds] + rng.normal(size=(count, width)) * spectrum(width)
    return points[order], _pairs(count), kinds[order].astype(np.int64)


def _pairs(count: int) -> Ints:
    return np.asarray(np.cumsum(np.arange(count) % 3 != 2), dtype=np.int64)


def _single(sample: Callable[[np.random.Generator, int, int], Floats]) -> Callable[..., tuple[Floats, Ints]]:
    """Each person in a photograph of its own."""
    return lambda rng, count, width: (sample(rng, count, width), np.arange(count, dtype=np.int64))


def _scale_mixture(rng: np.random.Generator, count: int, width: int) -> Floats:
    scale = np.where(rng.random(count) < 0.2, 3.0, 1.0)
    return np.asarray(scale[:, None] * rng.normal(size=(count, width)) * spectrum(width))


def _relu(rng: np.random.Generator, count: int, width: int, layers: int = 1) -> Floats:
    values = rng.normal(size=(count, _LATENT)) * spectrum(_LATENT)
    for _ in range(layers):
        before = values @ rng.normal(size=(values.shape[1], 4 * width)) / np.sqrt(values.shape[1])
        values = np.maximum(before - np.quantile(before, 0.4), 0)
    centred = values - values.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:width]
    return np.asarray(centred @ axes.T)


def _arc(rng: np.random.Generator, count: int, width: int, span: float) -> Floats:
    """Sample a circle's arc of radius 3 with noise whose first axis has the standard deviation 0.5."""
    angle = rng.uniform(0, span, count)
    points = 0.5 * rng.normal(size=(count, width)) * spectrum(width)
    points[:, :2] += 3 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return points


def _saddle(rng: np.random.Generator, count: int, width: int) -> Floats:
    flat = rng.uniform(-2, 2, size=(count, 2))
    points = 0.5 * rng.normal(size=(count, width)) * spectrum(width)
    points[:, :2] += flat
    points[:, 2] += (flat[:, 0] ** 2 - flat[:, 1] ** 2) / 2
    return points


def _photographs(rng: np.random.Generator, groups: Ints, width: int, alike: float) -> tuple[Floats, Ints]:
    """Gaussian persons; `alike` is the fraction of the variance that persons of one photograph share."""
    shared = rng.normal(size=(groups.max() + 1, width))[groups]
    own = rng.normal(size=(len(groups), width))
    return (np.sqrt(alike) * shared + np.sqrt(1 - alike) * own) * spectrum(width), groups


def _mild(rng: np.random.Generator, count: int, width: int) -> tuple[Floats, Ints]:
    return _photographs(rng, np.arange(count) // 3, width, 0.3)


def _strong(rng: np.random.Generator, count: int, width: int) -> tuple[Floats, Ints]:
    return _photographs(rng, np.arange(count) // 5, width, 0.8)


def _few_big(rng: np.random.Generator, count: int, width: int) -> tuple[Floats, Ints]:
    """One person in ten is on one of four photographs with equally many, the others on photographs of five."""
    big, rest = count // 10, count - count // 10
    groups = np.concatenate([np.arange(big) % 4, 4 + np.arange(rest) // 5])
    return _photographs(rng, groups.astype(np.int64), width, 0.7)


NULL_KINDS: dict[str, Callable[[np.random.Generator, int, int], tuple[Floats, Ints]]] = {
    "gaussian": _single(lambda rng, count, width: rng.normal(size=(count, width)) * spectrum(width)),
    "t3": _single(lambda rng, count, width: rng.standard_t(3, size=(count, width)) * spectrum(width)),
    "scale_mixture": _single(_scale_mixture),
    "exponential": _single(lambda rng, count, width: rng.exponential(size=(count, width)) * spectrum(width)),
    "relu": _single(_relu),
    "deep_relu": _single(lambda rng, count, width: _relu(rng, count, width, layers=4)),
    "half_circle": _single(lambda rng, count, width: _arc(rng, count, width, np.pi)),
    "ring": _single(lambda rng, count, width: _arc(rng, count, width, 2 * np.pi)),
    "saddle": _single(_saddle),
    "photographs_mild": _mild,
    "photographs_strong": _strong,
    "photographs_few_big": _few_big,
    "lognormal": _single(lambda rng, count, width: np.exp(0.8 * rng.normal(size=(count, width))) * spectrum(width)),
}
