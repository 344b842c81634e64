"""Features that are reconstructed from a part of their dimensions; the others are set to their mean.

    first k     the k components with the most variance
    last k      the k components with the least variance
    persons k   the span of k random persons (`person_spans`)

Directions beyond the stored axes are set to their mean as well, so the subset of all axes can differ from the intact network.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posescope.explainability.components.pca import Components
from posescope.explainability.truncation.person_spans import PersonSpans

__all__ = ["INTACT", "ComponentSubset", "SubsetKind", "TruncatedFeatures", "subset_of"]

SubsetKind: TypeAlias = Literal["first", "persons", "last", "intact"]


@dataclass(frozen=True)
class ComponentSubset:
    """Kind and number of the components, or of the persons, in a subset."""

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
    """Features of n persons, reconstructed from subsets of their dimensions.

    Args:
        components: P axes.
        values: (n, D) features.
        shape: (C, h, w) of one person's features.
        spans: spans of random persons.
        draws: (n,) draw of each person.
        device: device of the result.
    """

    def __init__(
        self,
        components: Components,
        values: NDArray[np.floating],
        shape: tuple[int, ...],
        spans: PersonSpans,
        draws: NDArray[np.int64],
        device: torch.device,
    ) -> None:
        self._scores = torch.from_numpy(components.project(values).astype(np.float32)).to(device)
        self._axes = torch.from_numpy(components.axes.astype(np.float32)).to(device)
        self._mean = torch.from_numpy(components.mean.astype(np.float32)).to(device)
        self._values, self._shape = torch.from_numpy(values.astype(np.float32)).to(device), shape
        self._spans, self._draws = spans, draws

    def reconstruct(self, subset: ComponentSubset) -> Tensor:
        """Return (n, C, h, w) float32 features with only the dimensions of a subset."""
        if subset.kind == "intact":
            return self._shaped(self._values)
        if subset.kind == "persons":
            return self._shaped(self._within_persons(subset.count))
        total = len(self._axes)
        here = slice(0, subset.count) if subset.kind == "first" else slice(total - subset.count, total)
        return self._shaped(self._scores[:, here] @ self._axes[here] + self._mean)

    def _within_persons(self, count: int) -> Tensor:
        """Return (n, D) features projected on the span of the first persons of each person's draw."""
        found = torch.empty_like(self._values)
        for draw in np.unique(self._draws):
            own = torch.from_numpy(np.flatnonzero(self._draws == draw)).to(self._values.device)
            basis = torch.from_numpy(self._spans.bases[draw, :, :count]).to(self._values.device)
            found[own] = ((self._values[own] - self._mean) @ basis) @ basis.T + self._mean
        return found

    def _shaped(self, values: Tensor) -> Tensor:
        return values.reshape(len(values), *self._shape)
