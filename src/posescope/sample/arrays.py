"""Short names for the array types of this room."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bools", "Bytes", "Doubles", "Floats", "Indices", "Ints"]

Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
# Anything real: single precision where pixels are many, double precision for a handful of points.
Floats = NDArray[np.floating[Any]]
# Which figure a pixel belongs to.
Indices = NDArray[np.int16]
Ints = NDArray[np.int64]
