"""What training, evaluation and explainability read: crops of N persons with their joints, never all in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.core.joint_matching import match_joints
from posescope.core.records import PoseTargets
from posescope.data.crops.shard_reader import ShardReader
from posescope.geometry.crop_recipe import CropRecipe

__all__ = ["CropSet"]


@dataclass(frozen=True)
class CropSet:
    """Crops and targets of N persons.

    Attributes:
        targets: joints in crop px and visibility, (N, ...).
        shards: the reader of a store's shards, or uint8 arrays (n_i, H, W, 3) RGB.
        locations: (N, 2) int64: for each person the shard and the row in it.
        recipe: how the crops were cut; None for crops that were made in memory.
    """

    targets: PoseTargets
    shards: Sequence[NDArray[np.uint8]]
    locations: NDArray[np.int64]
    recipe: CropRecipe | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process memory maps go as the names of their files, which it maps for itself."""
        if isinstance(self.shards, ShardReader):
            return CropSet, (self.targets, self.shards, self.locations, self.recipe)
        sources = [_file_of(shard) or shard for shard in self.shards]
        return _reopen, (self.targets, sources, self.locations, self.recipe)

    @property
    def crop_size(self) -> tuple[int, int]:
        """(height, width) px."""
        height, width = self.shards.crop_size if isinstance(self.shards, ShardReader) else self.shards[0].shape[1:3]
        return int(height), int(width)

    @property
    def joint_count(self) -> int:
        """K."""
        return int(self.targets.visibility.shape[1])

    def read_images(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(n,) rows of this set, in any order -> (n, H, W, 3) uint8 RGB, a fresh array.

        Raises:
            DataError: if a shard of a store cannot be read, or a crop is not what was written.
        """
        images = np.empty((len(rows), *self.crop_size, 3), dtype=np.uint8)
        if isinstance(self.shards, ShardReader):
            self.shards.read_into(images, self.locations[rows])
            return images
        # One copy a crop, straight to its place; picking many rows of a shard at once would copy them twice.
        for image, (shard, row) in zip(images, self.locations[rows], strict=True):
            image[...] = self.shards[shard][row]
        return images

    def subset(self, rows: NDArray[np.int64]) -> "CropSet":
        """The same crops, only the persons at `rows` (in that order); nothing is read."""
        return replace(self, targets=self.targets.subset(rows), locations=self.locations[rows])

    def with_joint_order(self, joints: Sequence[str]) -> "CropSet":
        """Return the same crops with the joints of their targets in another order; the same object where it is theirs.

        Raises:
            JointMismatchError: if these are not the names of the targets' joints.
        """
        order = match_joints(joints, self.targets.joint_names, model_name="the wanted order")
        if order.is_identity:
            return self
        changed = replace(
            self.targets,
            joints=order.to_model_order(self.targets.joints),
            visibility=order.to_model_order(self.targets.visibility),
            joint_names=order.model,
        )
        return replace(self, targets=changed)


def _file_of(shard: NDArray[np.uint8]) -> Path | None:
    """Of a memory map of a whole file, no view of a part of it."""
    whole = isinstance(shard, np.memmap) and isinstance(shard.base, mmap)
    return Path(shard.filename) if whole and shard.filename else None  # type: ignore[attr-defined]


def _reopen(
    targets: PoseTargets,
    sources: Sequence[Path | NDArray[np.uint8]],
    locations: NDArray[np.int64],
    recipe: CropRecipe | None = None,
) -> CropSet:
    shards = [
        np.load(source, mmap_mode="r", allow_pickle=False) if isinstance(source, Path) else source for source in sources
    ]  # fmt: skip
    return CropSet(targets, tuple(shards), locations, recipe)
