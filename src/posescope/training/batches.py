"""Batches of a crop set on the device, read one batch ahead in an order given by seed and epoch.

Each process of distributed training reads its slice of each batch.
"""

from collections.abc import Iterator
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

__all__ = ["Batch", "count_batches", "iterate_batches", "order_persons", "shuffled_order", "windowed_order"]


@dataclass(frozen=True)
class Batch:
    """Batch of N persons, of which n = N / processes are on the device of this process.

    Attributes:
        targets: joints and visibility of all N persons, in CPU memory, where augmentations are planned.
        local: slice of the n persons among the N.
        images: (n, H, W, 3) uint8 RGB.
        joints: (n, K, 2) float32 crop px, NaN where unlabelled.
        visibility: (n, K) uint8, 0..2.
        weights: (n, K) float32, factor of each joint in the loss. None: 1 for all.
    """

    targets: PoseTargets
    local: slice
    images: Tensor
    joints: Tensor
    visibility: Tensor
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def person_ids(self) -> NDArray[np.int64]:
        """Ids (N,) of all persons."""
        return self.targets.person_ids


def shuffled_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of the persons in one epoch.

    Args:
        count: number of persons.
        seed: seed of the run.
        epoch: number of the epoch, from 1.

    Returns:
        (count,) row indices, a permutation given by seed and epoch.
    """
    return np.random.default_rng((seed, epoch)).permutation(count).astype(np.int64)


def windowed_order(shards: NDArray[np.int64], window_shards: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return an order of the persons in which few shards are read at a time.

    The shards are shuffled and divided into windows; the persons of a window are shuffled together.

    Args:
        shards: (N,) shard of each person.
        window_shards: number of shards per window.
        seed: seed of the run.
        epoch: number of the epoch, from 1.

    Returns:
        (N,) row indices, a permutation given by seed and epoch.
    """
    rng = np.random.default_rng((seed, epoch))
    names, numbers = np.unique(shards, return_inverse=True)
    windows = rng.permutation(len(names))[numbers] // window_shards
    order = rng.permutation(len(shards))
    return order[np.argsort(windows[order], kind="stable")].astype(np.int64)


def order_persons(crop_set: CropSet, seed: int, epoch: int, window_shards: int | None) -> NDArray[np.int64]:
    """Return the order of the persons of a crop set in one epoch, (N,) rows.

    Args:
        crop_set: N persons.
        seed: seed of the run.
        epoch: number of the epoch, from 1.
        window_shards: number of shards whose persons are shuffled together; None: all.
    """
    if window_shards is None:
        return shuffled_order(len(crop_set), seed, epoch)
    return windowed_order(crop_set.locations[:, 0], window_shards, seed, epoch)


def count_batches(count: int, batch_size: int) -> int:
    """Return the number of batches in an epoch.

    Args:
        count: number of persons.
        batch_size: largest number of persons per batch.
    """
    return -(-count // batch_size)


def iterate_batches(
    crop_set: CropSet,
    order: NDArray[np.int64],
    batch_size: int,
    device: torch.device,
    process_group: ProcessGroup = SINGLE_PROCESS,
    whole_shards: bool = False,
) -> Iterator[Batch]:
    """Yield the persons in batches, while a thread reads the next batch.

    The sizes of the batches differ by at most one: a last batch of one person would disturb batch norms.

    Args:
        crop_set: crops of all persons.
        order: (M,) rows of the crop set.
        batch_size: largest number of persons per batch, over all processes.
        device: device of this process.
        process_group: the processes that share each batch.
        whole_shards: whether the system is asked to read a shard as a whole when its first crop is needed, for an order in which
            its other crops follow soon.
    """
    announced = set[int]() if whole_shards else None
    pieces = np.array_split(order, count_batches(len(order), batch_size)) if len(order) else []
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-crops") as reader:
        upcoming: Future[Batch] | None = None
        for rows in pieces:
            ready, upcoming = upcoming, reader.submit(_read_batch, crop_set, rows, device, process_group, announced)
            if ready:
                yield ready.result()
        if upcoming:
            yield upcoming.result()


def _read_batch(
    crop_set: CropSet, rows: NDArray[np.int64], device: torch.device, process_group: ProcessGroup, announced: set[int] | None
) -> Batch:
    """Read one batch; `announced` are the shards that the system was asked to read, None: it is not asked."""
    targets, local = crop_set.subset(rows).targets, process_group.local_slice(len(rows))
    if announced is not None:
        upcoming = set(crop_set.locations[rows, 0].tolist()) - announced
        crop_set.read_ahead(sorted(upcoming))
        announced |= upcoming
    return Batch(
        targets=targets,
        local=local,
        images=copy_to_device(torch.from_numpy(crop_set.read_images(rows[local])), device),
        joints=copy_to_device(torch.from_numpy(targets.joints[local]), device),
        visibility=copy_to_device(torch.from_numpy(targets.visibility[local]), device),
        weights=None if targets.weights is None else copy_to_device(torch.from_numpy(targets.weights[local]), device),
    )
