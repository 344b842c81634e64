"""Horizontal flips: x -> W - 1 - x, and left and right joints are exchanged."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["flip_heatmaps", "flip_images", "flip_joints", "flip_points"]


def flip_points(points: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Flip points without exchanging joints.

    Args:
        points: (..., 2) px; NaN stays NaN.
        width: width of the frame, px.
    """
    flipped = np.array(points, dtype=np.float64)
    flipped[..., 0] = width - 1 - flipped[..., 0]
    return flipped


def flip_joints(joints: Tensor, visibility: Tensor, width: int, flip_indices: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Flip the joints of persons and exchange left and right joints; flipping twice is the identity.

    Args:
        joints: (N, K, 2) px, NaN where missing.
        visibility: (N, K).
        width: width of the frame, px.
        flip_indices: K indices as in `Skeleton.flip_indices`.

    Returns:
        Flipped joints (N, K, 2) and visibility (N, K).
    """
    partner = torch.as_tensor(flip_indices, device=joints.device)
    mirrored = torch.stack([width - 1 - joints[..., 0], joints[..., 1]], dim=-1)
    return mirrored[:, partner], visibility[:, partner]


def flip_images(images: Tensor) -> Tensor:
    """Flip images (N, C, H, W)."""
    return images.flip(-1)


def flip_heatmaps(heatmaps: Tensor, flip_indices: Sequence[int]) -> Tensor:
    """Flip heatmaps and exchange left and right joints, which undoes the flip of the network's input.

    Args:
        heatmaps: (N, K, H, W).
        flip_indices: K indices as in `Skeleton.flip_indices`.
    """
    partner = torch.as_tensor(flip_indices, device=heatmaps.device)
    return heatmaps.flip(-1)[:, partner]
