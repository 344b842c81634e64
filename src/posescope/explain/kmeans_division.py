"""What one start of k-means arrived at."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Division"]


@dataclass(frozen=True)
class Division:
    """Of N points into k clusters.

    Attributes:
        labels: (N,) int32, 0..k-1.
        centres: (k, P), measured from the middle of all points.
        inertia: sum of squared distances to the own centre.
    """

    labels: NDArray[np.int32]
    centres: NDArray[np.floating]
    inertia: float
