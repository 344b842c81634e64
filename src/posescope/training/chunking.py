"""Processing of a batch in chunks on a CPU: a few persons at a time stay in the cache through all operations.

Own threads with a chunk each were slower than torch's threads, which split each operation (docs/lab-log.md, 2026-11-25).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from posescope.codecs.base import Codec, EncodedTargets

__all__ = ["encode_in_chunks", "fill_in_chunks"]

PERSONS_PER_IMAGE_CHUNK, PERSONS_PER_HEATMAP_CHUNK = 2, 8


def fill_in_chunks(images: Tensor, make: Callable[[slice], Tensor], layout: torch.memory_format) -> Tensor:
    """Return (N, 3, H, W) float32 of images, made chunk by chunk on a CPU and at once on a GPU.

    Args:
        images: (N, H, W, 3) uint8 RGB.
        make: returns (n, 3, H, W) for a slice of n persons, independent of the others.
        layout: memory format of the result.
    """
    count, height, width, channels = images.shape
    if images.device.type != "cpu":
        return make(slice(None)).contiguous(memory_format=layout)
    filled = torch.empty(count, channels, height, width, memory_format=layout)
    for chunk in _chunks(count, PERSONS_PER_IMAGE_CHUNK):
        filled[chunk] = make(chunk)
    return filled


def encode_in_chunks(codec: Codec, joints: Tensor, visibility: Tensor) -> EncodedTargets:
    """Return `codec.encode(joints, visibility)`, on a CPU chunk by chunk.

    Args:
        codec: codec that encodes each person independently.
        joints: (N, K, 2) crop px, NaN where missing.
        visibility: (N, K) uint8, 0..2.
    """
    count, joint_count = visibility.shape
    if joints.device.type != "cpu":
        return codec.encode(joints, visibility)
    heatmaps, weights = torch.empty(count, joint_count, *codec.map_size), torch.empty(count, joint_count)
    for chunk in _chunks(count, PERSONS_PER_HEATMAP_CHUNK):
        targets = codec.encode(joints[chunk], visibility[chunk])
        heatmaps[chunk], weights[chunk] = targets.heatmaps, targets.weights
    return EncodedTargets(heatmaps, weights)


def _chunks(count: int, size: int) -> list[slice]:
    return [slice(first, first + size) for first in range(0, count, size)]
