"""Persons whose features are alike, by the scores in the explorer table: no model is needed."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["similar_persons"]


def similar_persons(scores: NDArray[np.floating], groups: NDArray[np.integer], row: int, count: int = 6) -> NDArray[np.int64]:
    """Return the persons nearest to one of them in other images, the nearest first.

    Args:
        scores: (N, P) scores along the first components; Euclidean distances of the features within these components.
        groups: (N,) image of each person. Persons of the same image share the background, so they are left out.
        row: the person.
        count: maximum number of persons.

    Returns:
        (n,) rows, n at most `count`; the first one of equals first. Empty without components. Persons whose scores are unknown
        or infinite are left out.

    Example:
        >>> similar_persons(np.array([[0.0], [5.0], [1.0], [2.0]]), np.array([1, 2, 3, 1]), row=0).tolist()
        [2, 1]
    """
    if not scores.shape[1]:
        return np.empty(0, dtype=np.int64)
    with np.errstate(invalid="ignore"):  # the difference of infinite scores is NaN
        distances = np.square(scores.astype(np.float64) - scores[row]).sum(axis=1)
    distances[groups == groups[row]] = np.inf
    distances[np.isnan(distances)] = np.inf
    nearest = np.argpartition(distances, min(count, len(distances) - 1))[: count + 1] if len(distances) > 1 else np.array([0])
    ordered = nearest[np.lexsort((nearest, distances[nearest]))]
    found: NDArray[np.int64] = ordered[np.isfinite(distances[ordered])][:count].astype(np.int64)
    return found
