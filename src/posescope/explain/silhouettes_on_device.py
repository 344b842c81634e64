"""Summed distances from persons to clusters on a GPU, or on any other device of torch that knows float64.

No GPU has run this yet; the tests run it on torch's CPU device.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.explain.kmeans_on_device import move_centred

__all__ = ["sum_distances_on"]

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
