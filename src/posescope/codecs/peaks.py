"""Finding the highest cell of heatmaps."""

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Peaks", "find_peaks"]


@dataclass(frozen=True)
class Peaks:
    """The highest cell of each map (the first one, row by row, where several are equally high).

    Attributes:
        x, y: (N, K) int64 cells.
        scores: (N, K): the value there.
    """

    x: Tensor
    y: Tensor
    scores: Tensor


def find_peaks(heatmaps: Tensor) -> Peaks:
    """(N, K, H, W) -> the highest cell of each map."""
    width = heatmaps.shape[-1]
    scores, place = heatmaps.flatten(2).max(dim=2)
    return Peaks(x=place % width, y=place // width, scores=scores)
