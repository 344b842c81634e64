"""Mirror images: x -> W - 1 - x, and the left joints become the right ones."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["flip_heatmaps", "flip_images", "flip_joints", "flip_points"]


def flip_points(points: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Mirror points (..., 2) in a frame `width` px wide; names of joints stay where they are. NaN stays NaN."""
    flipped = np.array(points, dtype=np.float64)
    flipped[..., 0] = width - 1 - flipped[..., 0]
    return flipped


def flip_joints(joints: Tensor, visibility: Tensor, width: int, flip_indices: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Mirror persons: points move and left and right change names.

    Args:
        joints: (N, K, 2) px, NaN where missing.
        visibility: (N, K).
        width: of the frame, px.
        flip_indices: K indices, `Skeleton.flip_indices`.

    Returns:
        New joints and visibility. Twice is the identity.
    """
    partner = torch.as_tensor(flip_indices, device=joints.device)
    mirrored = torch.stack([width - 1 - joints[..., 0], joints[..., 1]], dim=-1)
    return mirrored[:, partner], visibility[:, partner]


def flip_images(images: Tensor) -> Tensor:
    """Mirror images (N, C, H, W)."""
    return images.flip(-1)


def flip_heatmaps(heatmaps: Tensor, flip_indices: Sequence[int]) -> Tensor:
    """Mirror heatmaps (N, K, H, W) and exchange left and right: what undoes a flipped image at the network's end."""
    partner = torch.as_tensor(flip_indices, device=heatmaps.device)
    return heatmaps.flip(-1)[:, partner]
