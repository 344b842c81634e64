"""Random draws of persons by whole images or whole groups of images, so that no image or group is in two splits."""

from collections.abc import Hashable

import numpy as np
import pandas as pd

__all__ = ["draw_units"]


def draw_units(units: pd.Series, image_ids: pd.Series, wanted: int, rng: np.random.Generator) -> list[Hashable]:
    """Draw whole units of persons in a random order until `wanted` persons are drawn.

    A unit with more persons than are still needed is skipped, so the number is met exactly if enough small units are left, and
    never exceeded.

    Args:
        units: (N,) the unit of each person: the name of its image file, or its group.
        image_ids: (N,) the image of each person; the units are ordered by their smallest image id before the draw.
        wanted: number of persons.
        rng: random numbers.

    Returns:
        The drawn units, in the order of the draw.

    Example:
        >>> draw_units(pd.Series(["a", "a", "b"]), pd.Series([1, 1, 2]), 1, np.random.default_rng(0))
        ['b']
    """
    table = pd.DataFrame({"unit": units, "image_id": image_ids})
    counted = table.groupby("unit").agg(image_id=("image_id", "min"), persons=("image_id", "size")).sort_values("image_id")
    names, sizes = counted.index.tolist(), counted["persons"].tolist()
    drawn: list[Hashable] = []
    left = wanted
    for place in rng.permutation(len(counted)).tolist():
        if sizes[place] <= left:
            drawn.append(names[place])
            left -= sizes[place]
        if left == 0:
            break
    return drawn
