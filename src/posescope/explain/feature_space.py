"""Points of feature space: steps along components, the persons nearest to them, and what the network makes of them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from posescope.artifacts.pose_model import PoseModel
from posescope.explain.components import Components
from posescope.explain.feature_store import FeatureSet
from posescope.explain.put_back import PutBack
from posescope.explain.taps import batches_of_rows
from posescope.models.network import Edits

__all__ = ["Decoded", "Nearest", "decode_features", "nearest_persons", "walked_points"]

_BLOCK_NUMBERS = 4_000_000  # float64 numbers a block: 32 MB


@dataclass(frozen=True)
class Nearest:
    """The nearest person to each of M points of feature space: (M,) rows of the features, (M,) Euclidean distances."""

    rows: NDArray[np.int64]
    distances: NDArray[np.float64]


@dataclass(frozen=True)
class Decoded:
    """What the network makes of M points: heatmaps (M, K, h, w), joints (M, K, 2) crop px, scores (M, K); all float32."""

    heatmaps: NDArray[np.float32]
    joints: NDArray[np.float32]
    scores: NDArray[np.float32]


def walked_points(components: Components, count: int, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The points of the walks: (count * len(steps), D), component by component."""
    deviations = np.sqrt(components.variances[:count, None, None]) * components.axes[:count, None, :]
    points = components.mean + steps[None, :, None] * deviations
    return points.reshape(-1, points.shape[-1])


def nearest_persons(features: FeatureSet, points: NDArray[np.float64]) -> Nearest:
    """The person nearest to each of M points (M, D), by Euclidean distance; the first of equals. Reads blocks of persons."""
    best = np.full(len(points), np.inf)
    rows = np.zeros(len(points), dtype=np.int64)
    # |f - p|^2 = |f|^2 - 2 f.p + |p|^2 loses digits far from the origin: measure from the points' own centre.
    centre = points.mean(axis=0)
    shifted = points - centre
    for batch in batches_of_rows(np.arange(len(features)), max(1, _BLOCK_NUMBERS // points.shape[1])):
        block = features.values[batch[0] : batch[-1] + 1].astype(np.float64) - centre
        squared = (block**2).sum(axis=1)[:, None] - 2 * block @ shifted.T + (shifted**2).sum(axis=1)
        here = squared.argmin(axis=0)
        found = squared[here, np.arange(len(points))]
        better = found < best
        best[better], rows[better] = found[better], batch[here][better]
    return Nearest(rows=rows, distances=np.sqrt(np.maximum(best, 0.0)))


def decode_features(
    model: PoseModel,
    tap: str,
    points: NDArray[np.float64],
    shape: tuple[int, ...],
    *,
    image: Tensor,
    edits: Edits,
    batch_size: int,
) -> Decoded:
    """Put points (M, D) of feature space back into the network at the features' tap and decode them.

    A network that can be paused at its bottleneck is, for taps from there on: then the places before it are computed once.

    Args:
        model: the network and its codec.
        tap: where they are put, in the place of what the forward pass brings.
        points: features, one a person to decode.
        shape: (C, h, w) of one.
        image: (1, H, W, 3) uint8 that the places before the tap see.
        edits: for other taps, such as the skips.
        batch_size: points a forward pass.
    """
    values = torch.from_numpy(points.astype(np.float32)).reshape(len(points), *shape)
    batches = tqdm(batches_of_rows(np.arange(len(points)), batch_size), desc="decode walks", leave=False)
    put_back = PutBack(model, tap, image, edits)
    heatmaps = torch.cat([put_back.heatmaps(values[batch]) for batch in batches])
    decoded = model.codec.decode(heatmaps)
    heatmaps_np, joints, scores = (value.float().cpu().numpy() for value in (heatmaps, decoded.joints, decoded.scores))
    return Decoded(heatmaps=heatmaps_np, joints=joints, scores=scores)
