"""Heights of a network's heatmaps at given places of its crops."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.artifacts.pose_model import PoseModel
from posescope.data.crops.crop_set import CropSet
from posescope.explainability.features.row_blocks import batches_of_rows
from posescope.explainability.label_errors.annotated_poses import Doubles

__all__ = ["HeatmapHeights", "sample_maps"]


class HeatmapHeights:
    """Reads heatmaps at given places; no heatmap is kept.

    Args:
        model: the network.
        crops: sets of crops; together they are the N persons, in this order.
        batch_size: persons per forward pass.
    """

    def __init__(self, model: PoseModel, crops: Sequence[CropSet], batch_size: int) -> None:
        self._model, self._crops, self._batch_size = model, tuple(crops), batch_size

    def __call__(self, places: Doubles, rows: NDArray[np.int64]) -> Doubles:
        """Return (M, n, K) heights.

        Args:
            places: (M, n, K, 2) fractions of the crop's side; places outside the crop are read at its border.
            rows: (n,) numbers of the persons.
        """
        heights, first = np.empty(places.shape[:3]), 0
        for crops in self._crops:
            own = np.flatnonzero((rows >= first) & (rows < first + len(crops)))
            for batch in tqdm(batches_of_rows(own, self._batch_size), desc="reading heatmaps", leave=False):
                images = torch.from_numpy(crops.read_images(rows[batch] - first))
                heights[:, batch] = sample_maps(self._model.heatmaps(images).cpu().numpy(), places[:, batch])
            first += len(crops)
        return heights


def sample_maps(maps: NDArray[np.floating], places: Doubles) -> Doubles:
    """Interpolate heatmaps linearly.

    Args:
        maps: (N, K, h, w).
        places: (M, N, K, 2) fractions of the maps' longer side, 0 at the outer edge of the first px.

    Returns:
        (M, N, K).

    Example:
        >>> sample_maps(np.array([[[[0.0, 1.0]]]]), np.array([[[[0.5, 0.5]]]])).tolist()
        [[[0.5]]]
    """
    height, width = maps.shape[2:]
    size = np.array([width, height])
    points = np.clip(places * size.max() - 0.5, 0, size - 1)
    low = np.floor(points).astype(np.int64)
    high = np.minimum(low + 1, size - 1)
    x, y = (points - low)[..., 0], (points - low)[..., 1]
    persons, joints = np.ogrid[: maps.shape[0], : maps.shape[1]]

    def at(columns: NDArray[np.int64], rows: NDArray[np.int64]) -> Doubles:
        return np.asarray(maps[persons, joints, rows, columns], dtype=np.float64)

    top = (1 - x) * at(low[..., 0], low[..., 1]) + x * at(high[..., 0], low[..., 1])
    bottom = (1 - x) * at(low[..., 0], high[..., 1]) + x * at(high[..., 0], high[..., 1])
    return np.asarray((1 - y) * top + y * bottom)
