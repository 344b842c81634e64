"""Work on a batch part by part on a CPU: a few persons stay in the cache, and each thread takes the next part when it is free.

torch would split every operation among its threads and let them wait for each other after each one: some twenty times for an
augmented batch, which is slow as soon as anything else runs on the machine. Here a thread carries its persons through all
operations.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier

import torch
from torch import Tensor

from posescope.artifacts.pose_model import normalise_images
from posescope.codecs.base import Codec, EncodedTargets

__all__ = ["encode_in_parts", "fill_in_parts", "normalise_in_parts"]

PERSONS_AT_ONCE, MAPS_AT_ONCE = 2, 8


def fill_in_parts(images: Tensor, make: Callable[[slice], Tensor], layout: torch.memory_format) -> Tensor:
    """(N, 3, H, W) float32 from (N, H, W, 3) images: `make` gives the persons of a slice, and no person depends on another.

    On a GPU `make` is called once, for all.
    """
    count, height, width, channels = images.shape
    if images.device.type != "cpu":
        return make(slice(None)).contiguous(memory_format=layout)
    filled = torch.empty(count, channels, height, width, memory_format=layout)

    def fill(part: slice) -> None:
        filled[part] = make(part)

    _share(fill, count, PERSONS_AT_ONCE)
    return filled


def normalise_in_parts(images: Tensor, mean_rgb: tuple[float, float, float]) -> Tensor:
    """`normalise_images`, to the bit."""
    return fill_in_parts(images, lambda part: normalise_images(images[part], mean_rgb), torch.channels_last)


def encode_in_parts(codec: Codec, joints: Tensor, visibility: Tensor) -> EncodedTargets:
    """`codec.encode`, to the bit, for a codec that renders each person alone."""
    count, joint_count = visibility.shape
    if joints.device.type != "cpu":
        return codec.encode(joints, visibility)
    heatmaps, weights = torch.empty(count, joint_count, *codec.map_size), torch.empty(count, joint_count)

    def fill(part: slice) -> None:
        targets = codec.encode(joints[part], visibility[part])
        heatmaps[part], weights[part] = targets.heatmaps, targets.weights

    _share(fill, count, MAPS_AT_ONCE)
    return EncodedTargets(heatmaps, weights)


def _share(fill: Callable[[slice], None], count: int, at_once: int) -> None:
    """Have `fill` called for slices of `count` persons by as many threads as torch has."""
    parts = [slice(first, first + at_once) for first in range(0, count, at_once)]
    threads = torch.get_num_threads()
    for _ in _workers(threads).map(fill, parts) if threads > 1 and len(parts) > 1 else map(fill, parts):
        pass


@cache
def _workers(threads: int) -> ThreadPoolExecutor:
    """So many threads, in each of which torch uses one."""
    all_there = Barrier(threads)
    pool = ThreadPoolExecutor(threads, "prepare-images", initializer=_use_one_thread)
    # torch's number is of a thread, but a new thread takes the one that was set last: so all begin before it is set back.
    for _ in pool.map(lambda _: all_there.wait(), range(threads)):
        pass
    torch.set_num_threads(threads)
    return pool


def _use_one_thread() -> None:
    torch.set_num_threads(1)
    torch.get_num_threads()  # takes it over in this thread, for good
