"""Covariance of rows that are added block by block, and its eigenvectors, in float64 on the CPU or a GPU.

    S = sum_n (x_n - o)(x_n - o)^T      s = sum_n (x_n - o)      o: an origin near the mean
    mean = o + s / N                    covariance = (S - s s^T / N) / (N - 1)

An origin near the mean avoids cancellation. Memory: one block and at most three (D, D) matrices, for any number of rows.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["CovarianceSum", "eigen_descending"]

_RANK_TOLERANCE = 1e-10  # smaller variances, relative to the largest, are rounding errors


class CovarianceSum:
    """Running mean and covariance of rows (n, D).

    Args:
        origin: (D,) float64, near the mean.
        device: device of the matrix products; None: NumPy on the CPU, which uses the symmetry of the product.
    """

    def __init__(self, origin: NDArray[np.float64], device: torch.device | None = None) -> None:
        self.origin, self.count = origin, 0
        self._device = device
        width = len(origin)
        self._sums = np.zeros(width)
        self._products = np.zeros((width, width)) if device is None else torch.zeros(width, width, dtype=torch.float64).to(device)

    def add(self, rows: NDArray[np.floating]) -> None:
        """Add rows (n, D) of any floating type."""
        centred = rows.astype(np.float64) - self.origin
        self.count += len(centred)
        self._sums += centred.sum(axis=0)
        if isinstance(self._products, Tensor):
            moved = torch.from_numpy(centred).to(self._device)
            self._products.addmm_(moved.T, moved)
        else:
            self._products += centred.T @ centred

    def merge(self, other: "CovarianceSum") -> None:
        """Add the rows of another sum with the same origin, both on the CPU."""
        self.count += other.count
        self._sums += other._sums
        self._products += other._products

    def mean(self) -> NDArray[np.float64]:
        """Return the (D,) mean."""
        mean: NDArray[np.float64] = self.origin + self._sums / self.count
        return mean

    def covariance(self) -> NDArray[np.float64]:
        """Return the (D, D) covariance of at least two rows."""
        products = self._products.cpu().numpy() if isinstance(self._products, Tensor) else self._products
        covariance: NDArray[np.float64] = (products - np.outer(self._sums, self._sums / self.count)) / (self.count - 1)
        return covariance


def eigen_descending(
    matrix: NDArray[np.float64], device: torch.device | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the eigenvalues and eigenvectors of a symmetric matrix, largest first.

    Args:
        matrix: (side, side), positive semi-definite.
        device: device of the decomposition; None: NumPy on the CPU.

    Returns:
        Eigenvalues (R,) and eigenvectors (side, R) for the numerical rank R.
    """
    if device is None:
        values, vectors = np.linalg.eigh(matrix)
    else:
        found = torch.linalg.eigh(torch.from_numpy(matrix).to(device))
        values, vectors = (part.cpu().numpy() for part in found)
    kept = int((values > max(values[-1] * _RANK_TOLERANCE, np.finfo(np.float64).tiny)).sum())
    return values[::-1][:kept], vectors[:, ::-1][:, :kept]
