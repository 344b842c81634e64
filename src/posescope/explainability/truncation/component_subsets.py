"""Which components of a person's features are kept while the others stand at their mean.

    first k     the k with the most variance
    last k      the k with the least, of the axes that are there
    random k    k of the axes, drawn for each person anew: one pass then averages over as many draws as there are persons;
                a person's draw of k is part of that person's draw of k + 1

What lies beyond the axes (where fewer are kept than the features' rank) stands at its mean too, so keeping all axes is not yet
the intact network.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posescope.explainability.components.pca import Components

__all__ = ["INTACT", "SubsetKind", "ComponentSubset", "TruncatedFeatures", "component_counts", "sample_axis_orders", "subset_of"]

SubsetKind: TypeAlias = Literal["first", "random", "last", "intact"]


@dataclass(frozen=True)
class ComponentSubset:
    """So many components, chosen so."""

    choice: SubsetKind
    count: int


INTACT = ComponentSubset("intact", -1)  # nothing is replaced


def component_counts(grid: Iterable[int], most: int) -> list[int]:
    """0, the numbers of the grid below `most`, and `most`; ascending."""
    return sorted({0, most, *(count for count in grid if count < most)})


def subset_of(choice: SubsetKind, count: int, axes: int) -> ComponentSubset:
    """None and all are the same however they are chosen: they are called the first."""
    return ComponentSubset("first" if count in (0, axes) else choice, count)


class TruncatedFeatures:
    """The features (n, D) of some persons, to be had with only a part of their components.

    Args:
        components: P axes.
        values: (n, D).
        shape: (C, h, w) of one.
        draws: (n, P) each person's axes in an order of their own, of which the first k are a random k.
        device: where the values are wanted.
    """

    def __init__(
        self,
        components: Components,
        values: NDArray[np.floating],
        shape: tuple[int, ...],
        draws: NDArray[np.int64],
        device: torch.device,
    ) -> None:
        self._scores = torch.from_numpy(components.project(values).astype(np.float32)).to(device)
        self._axes = torch.from_numpy(components.axes.astype(np.float32)).to(device)
        self._mean = torch.from_numpy(components.mean.astype(np.float32)).to(device)
        self._ranks = torch.from_numpy(np.argsort(draws, axis=1)).to(device)
        self._values, self._shape = torch.from_numpy(values.astype(np.float32)).to(device), shape

    def keep(self, kept: ComponentSubset) -> Tensor:
        """(n, C, h, w) float32."""
        if kept.choice == "intact":
            return self._shaped(self._values)
        if kept.choice == "random":
            return self._shaped((self._scores * (self._ranks < kept.count)) @ self._axes + self._mean)
        total = len(self._axes)
        here = slice(0, kept.count) if kept.choice == "first" else slice(total - kept.count, total)
        return self._shaped(self._scores[:, here] @ self._axes[here] + self._mean)

    def _shaped(self, values: Tensor) -> Tensor:
        return values.reshape(len(values), *self._shape)


def sample_axis_orders(persons: int, axes: int, seed: int) -> NDArray[np.int64]:
    """(persons, axes): for each person the numbers 0..axes-1 in a random order."""
    orders = np.tile(np.arange(axes, dtype=np.int64), (persons, 1))
    return np.random.default_rng(seed).permuted(orders, axis=1)
