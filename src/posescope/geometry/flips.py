"""Horizontal flips: x -> W - 1 - x, and left and right joints are exchanged."""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["flip_heatmaps", "flip_images"]


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
