"""Giving everybody something of somebody else in another photograph."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["derange"]


def derange(groups: NDArray[np.int64], seed: int) -> NDArray[np.int64] | None:
    """For each of n persons another one, from another group; each is used once.

    Args:
        groups: (n,) a number a photograph.
        seed: of the draw.

    Returns:
        (n,) the place of the other person; none where more than half of the persons share one photograph (or nobody is there),
        for then there is no such exchange.
    """
    rng = np.random.default_rng(seed)
    _, members = np.unique(groups, return_inverse=True)
    largest = int(np.bincount(members, minlength=1).max())
    if 2 * largest > len(groups) or not len(groups):
        return None
    # Groups in a random order, each in a random order of its own; a shift by the largest group leaves every group.
    order = np.lexsort((rng.random(len(groups)), rng.permutation(int(members.max()) + 1)[members]))
    partners = np.empty(len(groups), dtype=np.int64)
    partners[order] = np.roll(order, -largest)
    return partners
