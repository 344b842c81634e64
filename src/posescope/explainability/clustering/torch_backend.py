"""k-means in torch, on whatever device its points lie: k-means++ and Lloyd's iterations, as scikit-learn does them.

    start      k-means++ (Arthur and Vassilvitskii, 2007), greedy: of 2 + log k candidates the one that leaves the least inertia
    assign     each point to its nearest centre
    update     each centre to the mean of its points; a centre without points to the point farthest from its own centre
    stop       labels stay as they were, or the squared shifts of all centres together are at most 1e-4 of a coordinate's mean
               variance, or 300 iterations

Several starts go side by side, as one matrix product: a small one alone would leave a GPU idle. Sums over clusters are products
with one-hot labels, because adding at indices, on CUDA, adds in another order every time. Distances and one-hot labels come in
blocks, so memory is the points, labels, and a few blocks. No GPU has run this yet; the CPU has, against scikit-learn.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from posescope.explainability.clustering.base import Division
from posescope.explainability.features.row_blocks import centred_blocks

__all__ = ["draw_start", "measure_inertia", "nearest", "run_lloyd", "KMeansOnDevice", "move_centred", "sum_distances_on"]

_BLOCK_NUMBERS = 16_000_000  # of a block of distances or of differences: 64 MB in float32
_ITERATIONS, _TOLERANCE = 300, 1e-4  # scikit-learn's


def draw_start(points: Tensor, k: int, seed: int) -> Tensor:
    """(k, P) of the (N, P) points, drawn by greedy k-means++."""
    rng, squares = np.random.default_rng(seed), points.square().sum(dim=1)
    first = int(rng.integers(len(points)))
    draws = torch.from_numpy(rng.random((k - 1, 2 + int(math.log(k))))).to(points.device)
    centres = [points[first]]
    closest = _squared_distances(points, squares, points[first : first + 1])[0]
    for draw in draws:
        # In float64, where the order in which a device adds decides nothing that is ever drawn.
        reached = closest.cumsum(0, dtype=torch.float64)
        candidates = torch.searchsorted(reached, draw * reached[-1]).clamp_(max=len(points) - 1)
        nearer = torch.minimum(closest, _squared_distances(points, squares, points[candidates]))
        best = nearer.sum(dim=1, dtype=torch.float64).argmin()
        closest = nearer[best]
        centres.append(points[candidates[best]])
    return torch.stack(centres)


def run_lloyd(points: Tensor, starts: Tensor) -> tuple[Tensor, Tensor]:
    """Lloyd's iterations from several starts at once.

    Args:
        points: (N, P) float32 or float64, with their mean near the origin: far from it distances lose digits.
        starts: (R, k, P), k at most N.

    Returns:
        (R, N) int64 labels and (R, k, P) centres.
    """
    centres, going = starts.clone(), torch.arange(len(starts), device=points.device)
    labels = torch.full((len(starts), len(points)), -1, device=points.device)
    least_shift = _TOLERANCE * points.var(dim=0, correction=0).mean()
    for _ in range(_ITERATIONS):
        before = centres[going]
        found = nearest(points, before)
        centres[going] = _update(points, found, before)
        shift = (centres[going] - before).square().sum(dim=(1, 2))
        done = (found == labels[going]).all(dim=1) | (shift <= least_shift)
        labels[going] = found
        going = going[~done]
        if not len(going):
            break
    return nearest(points, centres), centres


def nearest(points: Tensor, centres: Tensor) -> Tensor:
    """(N, P) points, (R, k, P) centres of R divisions -> (R, N) int64, the nearest of each division; the first of equals."""
    runs, k = centres.shape[:2]
    flat = centres.reshape(runs * k, -1)
    # Of |x - c|^2 = |x|^2 - 2 x.c + |c|^2 the first term is the same for all centres.
    offsets = flat.square().sum(dim=1)
    found = torch.empty(runs, len(points), dtype=torch.int64, device=points.device)
    for rows in _blocks(len(points), runs * k):
        distances = torch.addmm(offsets, points[rows], flat.T, alpha=-2).view(-1, runs, k)
        found[:, rows] = distances.argmin(dim=2).T
    return found


def measure_inertia(points: Tensor, labels: Tensor, centres: Tensor) -> float:
    """(N, P) points, (N,) labels, (k, P) centres -> the sum of squared distances to the own centre, added up in float64."""
    total = torch.zeros((), dtype=torch.float64, device=points.device)
    for rows in _blocks(*points.shape):
        total += (points[rows] - centres[labels[rows]]).square().sum(dtype=torch.float64)
    return float(total)


def _update(points: Tensor, labels: Tensor, before: Tensor) -> Tensor:
    """(R, N) labels, (R, k, P) centres that gave them -> (R, k, P) means of the points that they name."""
    runs, k = before.shape[:2]
    sums = torch.zeros(runs * k, points.shape[1], dtype=torch.float64, device=points.device)
    counts = torch.zeros(runs * k, dtype=torch.float64, device=points.device)
    numbers = torch.arange(k, device=points.device)
    for rows in _blocks(len(points), runs * k):
        members = (labels[:, rows].T[..., None] == numbers).to(points.dtype).reshape(-1, runs * k)
        sums += members.T @ points[rows]
        counts += members.sum(dim=0)
    sums, counts = sums.view(runs, k, -1), counts.view(runs, k)
    for run in (counts == 0).any(dim=1).nonzero()[:, 0].tolist():
        _fill_empty(points, labels[run], before[run], sums[run], counts[run])
    means = sums / counts.clamp(min=1)[..., None]
    # Still empty where there are fewer distinct points than clusters: they wait where the largest cluster is.
    largest = means[torch.arange(runs, device=points.device), counts.argmax(dim=1)]
    return torch.where(counts[..., None] > 0, means, largest[:, None]).to(points.dtype)


def _fill_empty(points: Tensor, labels: Tensor, before: Tensor, sums: Tensor, counts: Tensor) -> None:
    """Give each cluster without points the one farthest from its own centre; changes (k, P) sums and (k,) counts of one run."""
    apart = torch.cat([(points[rows] - before[labels[rows]]).square().sum(dim=1) for rows in _blocks(*points.shape)])
    empty = (counts == 0).nonzero()[:, 0].tolist()
    farthest = apart.topk(len(empty))
    if float(farthest.values[0]) == 0:
        return
    for cluster, point in zip(empty, farthest.indices.tolist(), strict=True):
        left = int(labels[point])
        sums[left] -= points[point]
        counts[left] -= 1
        sums[cluster] = points[point]
        counts[cluster] = 1


def _squared_distances(points: Tensor, squares: Tensor, centres: Tensor) -> Tensor:
    """(N, P) points with (N,) squared lengths, (Q, P) centres -> (Q, N)."""
    own = centres.square().sum(dim=1)[:, None]
    return torch.addmm(squares + own, centres, points.T, alpha=-2).clamp_(min=0)


def _blocks(length: int, width: int) -> Iterator[slice]:
    step = max(1, _BLOCK_NUMBERS // max(1, width))
    return (slice(start, start + step) for start in range(0, length, step))


# MERGED from kmeans_on_device: The steps of a k-means fit on a GPU, or on any other device of torch that knows float64:
# one after the other, each whole.
#
# The points are moved there once. No GPU has run this yet; the tests run it on torch's CPU device.


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


# MERGED from silhouettes_on_device: Summed distances from persons to clusters on a GPU, or on any other device of torch
# that knows float64.
#
# No GPU has run this yet; the tests run it on torch's CPU device.

_ROWS, _COLUMNS = 1024, 16_384  # of a block of distances: 64 MB in float32


def sum_distances_on(
    device: torch.device,
    points: NDArray[np.floating],
    dtype: type[np.floating],
    divisions: Sequence[NDArray[np.integer]],
    rows: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Summed Euclidean distances to every cluster of every division; the points are moved to the device once.

    Args:
        device: where the distances are taken.
        points: (N, P).
        dtype: of the distances.
        divisions: (N,) labels each, 0..Q-1.
        rows: (n,) of the points from which distances are taken.

    Returns:
        (n, sum of Q).
    """
    moved = move_centred(points, points.mean(axis=0, dtype=np.float64), dtype, device)
    squares = moved.square().sum(dim=1)
    labels = [torch.from_numpy(own.astype(np.int64)).to(device) for own in divisions]
    members = torch.cat([torch.eye(int(own.max()) + 1, dtype=moved.dtype, device=device)[own] for own in labels], dim=1)
    sums = torch.zeros(len(rows), members.shape[1], dtype=torch.float64, device=device)
    for start in tqdm(range(0, len(rows), _ROWS), desc="silhouettes", leave=False, delay=2):
        own = rows[start : start + _ROWS]
        places = torch.from_numpy(own).to(device)
        left, lengths = moved[places], squares[places][:, None]
        for first in range(0, len(points), _COLUMNS):
            here = slice(first, first + _COLUMNS)
            distances = torch.addmm(squares[here], left, moved[here].T, alpha=-2).add_(lengths).clamp_(min=0).sqrt_()
            inside = np.flatnonzero((own >= first) & (own < first + _COLUMNS))
            row, column = (torch.from_numpy(index).to(device) for index in (inside, own[inside] - first))
            distances[row, column] = 0  # to oneself, exactly
            sums[start : start + _ROWS] += distances @ members[here]
    return sums.cpu().numpy()
