"""Work on a batch part by part on a CPU: a few persons at a time stay in the cache through all operations.

Threads of our own, each with its persons, were slower than torch's, which share every operation (docs/lab-log.md, 2026-11-25).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from posescope.codecs.base import Codec, EncodedTargets

__all__ = ["encode_in_chunks", "fill_in_chunks"]

PERSONS_AT_ONCE, MAPS_AT_ONCE = 2, 8


def fill_in_chunks(images: Tensor, make: Callable[[slice], Tensor], layout: torch.memory_format) -> Tensor:
    """(N, 3, H, W) float32 from (N, H, W, 3) images: `make` gives the persons of a slice, and no person depends on another.

    On a GPU `make` is called once, for all.
    """
    count, height, width, channels = images.shape
    if images.device.type != "cpu":
        return make(slice(None)).contiguous(memory_format=layout)
    filled = torch.empty(count, channels, height, width, memory_format=layout)
    for part in _parts(count, PERSONS_AT_ONCE):
        filled[part] = make(part)
    return filled


def encode_in_chunks(codec: Codec, joints: Tensor, visibility: Tensor) -> EncodedTargets:
    """`codec.encode`, to the bit, for a codec that renders each person alone."""
    count, joint_count = visibility.shape
    if joints.device.type != "cpu":
        return codec.encode(joints, visibility)
    heatmaps, weights = torch.empty(count, joint_count, *codec.map_size), torch.empty(count, joint_count)
    for part in _parts(count, MAPS_AT_ONCE):
        targets = codec.encode(joints[part], visibility[part])
        heatmaps[part], weights[part] = targets.heatmaps, targets.weights
    return EncodedTargets(heatmaps, weights)


def _parts(count: int, at_once: int) -> list[slice]:
    return [slice(first, first + at_once) for first in range(0, count, at_once)]
