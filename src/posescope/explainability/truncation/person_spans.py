"""Control of truncation: the span of the features of k random persons.

    B_k = orthonormal basis of  f_p1 - mean, ..., f_pk - mean      for persons p1 ... pk, drawn from the fitted ones
    f'  = mean + B_k B_k^T (f - mean)                              f of a judged person

Persons differ mostly along the first components, so the span of a few of them holds much of what varies. It is as large as the
span of the first k components and needs no analysis: the components must keep more than it does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.features.feature_store import FeatureSet

__all__ = ["PersonSpans", "deal_draws", "draw_person_spans"]

_RANK_TOLERANCE = 1e-6  # of the longest column: a person within the span of those before has no direction of its own


@dataclass(frozen=True)
class PersonSpans:
    """Draws of random persons.

    Attributes:
        rows: (R, k) rows of the fitted persons, in the order in which they are drawn.
        bases: (R, D, k) float32; the first j columns of a draw are an orthonormal basis of the span of its first j persons. A
            column is zero where a person adds no direction.
    """

    rows: NDArray[np.int64]
    bases: NDArray[np.float32]

    @property
    def largest(self) -> int:
        """Number of persons per draw."""
        return int(self.rows.shape[1])


def draw_person_spans(features: FeatureSet, mean: NDArray[np.float64], draws: int, largest: int, seed: int) -> PersonSpans:
    """Draw persons and compute bases of the spans of their centred features.

    Args:
        features: features of N fitted persons.
        mean: (D,) mean of the features.
        draws: R, number of draws.
        largest: largest k; at most N.
        seed: random seed.
    """
    rng, count = np.random.default_rng(seed), min(largest, len(features))
    rows = np.stack([rng.permutation(len(features))[:count] for _ in range(draws)]).astype(np.int64)
    bases = [_basis(features.values[own].astype(np.float64) - mean) for own in rows]
    return PersonSpans(rows, np.stack(bases).astype(np.float32))


def _basis(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (D, k) basis of (k, D) vectors."""
    basis, triangle = np.linalg.qr(centred.T)
    own = np.abs(np.diagonal(triangle))
    found = np.zeros((centred.shape[1], len(centred)))  # more persons than features: the last ones add no direction
    found[:, : len(own)] = basis * (own > _RANK_TOLERANCE * max(np.linalg.norm(centred, axis=1).max(initial=0.0), 1e-300))
    return found


def deal_draws(groups: NDArray[np.int64], draws: int, seed: int) -> NDArray[np.int64]:
    """Deal photographs evenly to draws, so that all persons of one photograph are projected on the same span.

    Args:
        groups: (n,) photograph of each person.
        draws: number of draws.
        seed: random seed.

    Returns:
        (n,) draw of each person.
    """
    unique, own = np.unique(groups, return_inverse=True)
    places: NDArray[np.int64] = np.random.default_rng(seed).permutation(len(unique))[own] % draws
    return places
