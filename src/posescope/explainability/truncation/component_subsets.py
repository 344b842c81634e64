"""Features that are reconstructed from a subset of their components; the other components are set to their mean.

    first k     the k components with the most variance
    last k      the k components with the least variance
    random k    k components drawn per person, so that one pass averages over as many draws as persons; the draw of k is a
                subset of the draw of k + 1

Directions beyond the stored axes are set to their mean as well, so the subset of all axes can differ from the intact network.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posescope.explainability.components.pca import Components

__all__ = ["INTACT", "ComponentSubset", "SubsetKind", "TruncatedFeatures", "subset_of"]

SubsetKind: TypeAlias = Literal["first", "random", "last", "intact"]


@dataclass(frozen=True)
class ComponentSubset:
    """Kind and number of the components in a subset."""

    kind: SubsetKind
    count: int


INTACT = ComponentSubset("intact", -1)  # nothing is replaced


def subset_of(kind: SubsetKind, count: int, axes: int) -> ComponentSubset:
    """Return a subset; none and all of the components are of the kind `first`.

    Args:
        kind: wanted kind.
        count: number of components in the subset.
        axes: number of all components.
    """
    return ComponentSubset("first" if count in (0, axes) else kind, count)


class TruncatedFeatures:
    """Features of n persons, reconstructed from subsets of their components.

    Args:
        components: P axes.
        values: (n, D) features.
        shape: (C, h, w) of one person's features.
        axis_orders: (n, P) random order of the axes of each person; the first k are the random subset of k.
        device: device of the result.
    """

    def __init__(
        self,
        components: Components,
        values: NDArray[np.floating],
        shape: tuple[int, ...],
        axis_orders: NDArray[np.int64],
        device: torch.device,
    ) -> None:
        self._scores = torch.from_numpy(components.project(values).astype(np.float32)).to(device)
        self._axes = torch.from_numpy(components.axes.astype(np.float32)).to(device)
        self._mean = torch.from_numpy(components.mean.astype(np.float32)).to(device)
        self._ranks = torch.from_numpy(np.argsort(axis_orders, axis=1)).to(device)
        self._values, self._shape = torch.from_numpy(values.astype(np.float32)).to(device), shape

    def reconstruct(self, subset: ComponentSubset) -> Tensor:
        """Return (n, C, h, w) float32 features with only the components of a subset."""
        if subset.kind == "intact":
            return self._shaped(self._values)
        if subset.kind == "random":
            return self._shaped((self._scores * (self._ranks < subset.count)) @ self._axes + self._mean)
        total = len(self._axes)
        here = slice(0, subset.count) if subset.kind == "first" else slice(total - subset.count, total)
        return self._shaped(self._scores[:, here] @ self._axes[here] + self._mean)

    def _shaped(self, values: Tensor) -> Tensor:
        return values.reshape(len(values), *self._shape)
