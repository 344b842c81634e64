"""The steps of a k-means fit on a GPU, or on any other device of torch that knows float64: one after the other, each whole.

The points are moved there once. No GPU has run this yet; the tests run it on torch's CPU device.
"""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from posescope.explain.kmeans_division import Division
from posescope.explain.lloyd import draw_start, measure_inertia, nearest, run_lloyd
from posescope.explain.rows import centred_blocks

__all__ = ["KMeansOnDevice", "move_centred"]


def move_centred(
    points: NDArray[np.floating], middle: NDArray[np.float64], dtype: type[np.floating], device: torch.device
) -> Tensor:
    """(N, P) points less (P,) `middle` in `dtype` on a device, moved block by block: no second copy of them on this side."""
    moved = torch.empty(points.shape, dtype=torch.float64 if dtype is np.float64 else torch.float32, device=device)
    for rows, block in centred_blocks(points, middle, dtype):
        moved[rows] = torch.from_numpy(block).to(device)
    return moved


class KMeansOnDevice:
    """Starts, their reckoning with everybody, and the last descent.

    Args:
        points: (N, P).
        middle: (P,) their mean.
        dtype: in which the work is done.
        rows: (n,) of the points on which the starts compete.
        device: where.
    """

    def __init__(
        self,
        points: NDArray[np.floating],
        middle: NDArray[np.float64],
        dtype: type[np.floating],
        rows: NDArray[np.int64],
        device: torch.device,
    ) -> None:
        self._points = move_centred(points, middle, dtype, device)
        self._sample = self._points if len(rows) == len(points) else self._points[torch.from_numpy(rows).to(device)]

    def start(self, tasks: Sequence[tuple[int, int]]) -> list[Division]:
        """k-means++ and Lloyd on the sample, for each k and seed; those of one k at once."""
        found = []
        by_count = [(k, [seed for _, seed in own]) for k, own in groupby(tasks, key=lambda task: task[0])]
        for k, seeds in tqdm(by_count, desc="k-means", leave=False, delay=2):
            starts = torch.stack([draw_start(self._sample, k, seed) for seed in seeds])
            labels, centres = run_lloyd(self._sample, starts)
            found += [_division(self._sample, *own) for own in zip(labels, centres, strict=True)]
        return found

    def divide_everybody(self, starts: Sequence[Division]) -> list[Division]:
        """The same centres, with the labels and the inertia of all points."""
        moved = (self._move(start.centres) for start in tqdm(starts, desc="k-means of everybody", leave=False, delay=2))
        return [_division(self._points, nearest(self._points, centres[None])[0], centres) for centres in moved]

    def polish(self, starts: Sequence[Division]) -> list[Division]:
        """Lloyd on all points from those centres."""
        found = []
        for start in tqdm(starts, desc="k-means to its end", leave=False, delay=2):
            labels, centres = run_lloyd(self._points, self._move(start.centres)[None])
            found.append(_division(self._points, labels[0], centres[0]))
        return found

    def _move(self, centres: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(centres).to(self._points)


def _division(points: Tensor, labels: Tensor, centres: Tensor) -> Division:
    inertia = measure_inertia(points, labels, centres)
    return Division(labels.to(torch.int32).cpu().numpy(), centres.cpu().numpy(), inertia)
