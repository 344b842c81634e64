"""Assignment of rows to columns with the smallest sum of costs.

The algorithm of shortest augmenting paths: D. F. Crouse, "On implementing 2D rectangular assignment algorithms", IEEE
Transactions on Aerospace and Electronic Systems 52, 2016; that of `scipy.optimize.linear_sum_assignment`. Prediction needs SciPy
for nothing else.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign", "match_above"]


def assign(costs: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the pairs (row, column) with the smallest sum of costs, ordered by row; each row and column occurs once at most.

    Args:
        costs: (R, C) finite. min(R, C) pairs are returned.

    Example:
        >>> assign(np.array([[4.0, 1.0, 3.0], [2.0, 0.0, 5.0]]))
        [(0, 1), (1, 0)]
    """
    if costs.shape[0] > costs.shape[1]:
        return sorted((row, column) for column, row in assign(costs.T))
    row_prices, column_prices = np.zeros(costs.shape[0]), np.zeros(costs.shape[1])
    row_of = np.full(costs.shape[1], -1)
    for row in range(costs.shape[0]):
        _augment(costs, row, row_of, row_prices, column_prices)
    return sorted((int(row), column) for column, row in enumerate(row_of) if row >= 0)


def match_above(similarities: NDArray[np.float64], minimum: float) -> list[tuple[int, int]]:
    """Return the pairs (row, column) with the largest sum of similarities, without those below a minimum.

    Args:
        similarities: (R, C), 0..1.
        minimum: pairs with a smaller similarity are left out, before as well as after the assignment.
    """
    allowed = np.where(similarities >= minimum, similarities, 0.0)
    return [pair for pair in assign(1 - allowed) if similarities[pair] >= minimum]


def _augment(
    costs: NDArray[np.float64],
    start: int,
    row_of: NDArray[np.int_],
    row_prices: NDArray[np.float64],
    column_prices: NDArray[np.float64],
) -> None:
    """Assign one more row, along the shortest path that ends in a free column; the last three arguments are updated."""
    distances = np.full(len(row_of), np.inf)
    came_from = np.full(len(row_of), -1)
    done = np.zeros(len(row_of), dtype=np.bool_)
    row, column, shortest = start, -1, 0.0
    while column < 0 or row_of[column] >= 0:
        row = start if column < 0 else int(row_of[column])
        reduced = shortest + costs[row] - row_prices[row] - column_prices
        nearer = ~done & (reduced < distances)
        distances[nearer], came_from[nearer] = reduced[nearer], row
        column = int(np.argmin(np.where(done, np.inf, distances)))
        shortest, done[column] = float(distances[column]), True
    inner = done & (row_of >= 0)
    row_prices[start] += shortest
    row_prices[row_of[inner]] += shortest - distances[inner]
    column_prices[done] -= shortest - distances[done]
    while True:  # shift the assignments along the path
        row = int(came_from[column])
        previous = np.flatnonzero(row_of == row)
        row_of[column] = row
        if row == start:
            return
        column = int(previous[0])
