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
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

__all__ = ["draw_start", "measure_inertia", "nearest", "run_lloyd"]

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
