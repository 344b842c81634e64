"""Batches of a crop set on the device: read from the memory map one batch ahead, in an order that seed and epoch fix.

Where several processes train together, each reads its share of every batch.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from posescope.artifacts.devices import copy_to_device
from posescope.core.records import PoseTargets
from posescope.data.crops.crop_set import CropSet
from posescope.training.distributed.process_group import SINGLE_PROCESS, ProcessGroup

__all__ = ["Batch", "count_batches", "iterate_batches", "shuffled_order"]


@dataclass(frozen=True)
class Batch:
    """N persons, of whom this process has n on its device: all of them, where it trains alone.

    Attributes:
        targets: joints and visibility of all N in the CPU's memory, where augmentations are planned.
        fraction: which of the N are the n.
        images: (n, H, W, 3) uint8 RGB.
        joints: (n, K, 2) float32 crop px, NaN where unlabelled.
        visibility: (n, K) uint8, 0..2.
    """

    targets: PoseTargets
    share: slice
    images: Tensor
    joints: Tensor
    visibility: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def person_ids(self) -> NDArray[np.int64]:
        """(N,), on the CPU."""
        return self.targets.person_ids


def shuffled_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """(count,) rows in the order of one epoch; another for each seed and epoch."""
    return np.random.default_rng((seed, epoch)).permutation(count).astype(np.int64)


def count_batches(count: int, batch_size: int) -> int:
    """Batches in an epoch of `count` persons."""
    return -(-count // batch_size)


def iterate_batches(
    crop_set: CropSet,
    order: NDArray[np.int64],
    batch_size: int,
    device: torch.device,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> Iterator[Batch]:
    """Yield the persons at `order` in batches of at most `batch_size`, all processes of the team counted.

    The sizes of the batches differ by one at most: a last batch of a single person would upset batch norm. While a batch is
    used, the next one is read in a thread.
    """
    pieces = np.array_split(order, count_batches(len(order), batch_size)) if len(order) else []
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-crops") as reader:
        yield from _read_ahead(crop_set, pieces, device, process_group, reader)


def _read_ahead(
    crop_set: CropSet,
    pieces: Sequence[NDArray[np.int64]],
    device: torch.device,
    process_group: ProcessGroup,
    reader: ThreadPoolExecutor,
) -> Iterator[Batch]:
    upcoming: Future[Batch] | None = None
    for rows in pieces:
        following = reader.submit(_read_batch, crop_set, rows, device, process_group)
        if upcoming:
            yield upcoming.result()
        upcoming = following
    if upcoming:
        yield upcoming.result()


def _read_batch(crop_set: CropSet, rows: NDArray[np.int64], device: torch.device, process_group: ProcessGroup) -> Batch:
    targets, share = crop_set.subset(rows).targets, process_group.share(len(rows))
    return Batch(
        targets=targets,
        share=share,
        images=copy_to_device(torch.from_numpy(crop_set.read_images(rows[share])), device),
        joints=copy_to_device(torch.from_numpy(targets.joints[share]), device),
        visibility=copy_to_device(torch.from_numpy(targets.visibility[share]), device),
    )
