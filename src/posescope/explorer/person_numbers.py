"""Numbers of persons as a user types them: checked against the persons of a run, and stepped through."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import OptionsError

__all__ = ["PersonNumbers"]

_MOST_SHOWN = 40  # characters of what was typed


class PersonNumbers:
    """The numbers of the persons of a run, in rising order.

    Args:
        person_ids: (N,) ids, N at least 1, in any order.

    Example:
        >>> numbers = PersonNumbers(np.array([7, 3, 12]))
        >>> numbers.read("7", "Person"), numbers.step(7, 1), numbers.step(3, -1)
        (7, 12, 12)
    """

    def __init__(self, person_ids: NDArray[np.int64]) -> None:
        self._ids = np.unique(person_ids)

    def __str__(self) -> str:
        return f"{len(self._ids):,} persons with numbers from {self._ids[0]} to {self._ids[-1]}"

    def read(self, content: Any, field: str) -> int | None:
        """Return the number of a person.

        Args:
            content: what a page sends: a number or text.
            field: name of the field, for the message.

        Returns:
            The number; None for an empty field.

        Raises:
            OptionsError: if it is no number of a person.
        """
        text = "" if content is None else str(content).strip()
        if not text:
            return None
        number = int(text) if text.isascii() and text.lstrip("-").isdigit() and len(text) < 19 else None
        if number is None or number not in self._ids:
            example = self.nearest(0 if number is None else number)
            raise OptionsError(
                f"{field}: expected the number of a person of this run, such as {example}, found {text[:_MOST_SHOWN]}. "
                f"There are {self}."
            )
        return number

    def nearest(self, number: int) -> int:
        """Return the number of a person that is nearest to a number; the lower one of two."""
        return int(self._ids[np.abs(self._ids - number).argmin()])

    def step(self, number: int | None, step: int) -> int:
        """Return the next or previous number; after the last one comes the first.

        Args:
            number: a number; None: before the first and after the last person.
            step: 1 or -1.
        """
        if number is None:
            return int(self._ids[0 if step > 0 else -1])
        place = int(np.searchsorted(self._ids, number, side="left" if step < 0 else "right"))
        return int(self._ids[(place - 1 if step < 0 else place) % len(self._ids)])
