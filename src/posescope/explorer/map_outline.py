"""Persons inside a shape that a user draws on the map.

The shape is evaluated for all persons, not only for those that a thinned map shows.
"""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from posescope.core.errors import OptionsError
from posescope.core.plugins import Options, describe_validation_error

__all__ = ["MapOutline", "parse_outline"]

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Points = Annotated[tuple[_Number, ...], Field(min_length=2, max_length=20_000)]


class MapOutline(Options):
    """A closed line, or the box between its two points.

    Example:
        >>> box = MapOutline(x=(0, 2), y=(0, 1))
        >>> box.contains(np.array([[1.0, 0.5], [1.0, 3.0]])).tolist()
        [True, False]
    """

    x: _Points = Field(description="coordinates of the corners on the map; two: opposite corners of a box")
    y: _Points = Field(description="as x")

    @model_validator(mode="after")
    def _check_lengths(self) -> "MapOutline":
        if len(self.x) != len(self.y):
            raise ValueError(f"x and y: expected as many numbers, found {len(self.x)} and {len(self.y)}")
        return self

    def contains(self, places: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return which persons are inside; unknown places are not.

        Args:
            places: (N, 2) places on the map.
        """
        x, y = places[:, 0].astype(np.float64), places[:, 1].astype(np.float64)
        low_x, high_x, low_y, high_y = min(self.x), max(self.x), min(self.y), max(self.y)
        inside: NDArray[np.bool_] = (x >= low_x) & (x <= high_x) & (y >= low_y) & (y <= high_y)  # False for NaN
        if len(self.x) > 2:
            rows = np.flatnonzero(inside)
            inside[rows] = self._encloses(x[rows], y[rows])
        return inside

    def _encloses(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return where a ray to the right crosses the line an odd number of times (even-odd rule)."""
        odd = np.zeros(len(x), dtype=np.bool_)
        corners = list(zip(self.x, self.y, strict=True))
        for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
            if y1 == y2:
                continue
            crossing = x1 + (y - y1) * (x2 - x1) / (y2 - y1)
            odd ^= ((y1 > y) != (y2 > y)) & (x < crossing)
        return odd


def parse_outline(content: object) -> MapOutline:
    """Return the outline of the values that a page sends.

    Raises:
        OptionsError: if they are malformed.
    """
    try:
        return MapOutline.model_validate(content)
    except ValidationError as error:
        raise OptionsError(f"Outline on the map: {'; '.join(describe_validation_error(error))}.") from error
