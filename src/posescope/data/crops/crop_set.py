"""Crops and targets of N persons, read from disk on demand: the input of training, evaluation and explainability."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posescope.core.joint_matching import match_joints
from posescope.core.records import PoseTargets
from posescope.data.crops.shard_reader import ShardReader
from posescope.drawing.photographs import PhotographMode, hide_photographs
from posescope.geometry.crop_recipe import CropRecipe

__all__ = ["CropSet"]


@dataclass(frozen=True)
class CropSet:
    """Crops and targets of N persons.

    Attributes:
        targets: joints (N, K, 2) in crop px and visibility (N, K).
        shards: the reader of a store's shards, or uint8 arrays (n_i, H, W, 3) RGB.
        locations: (N, 2) int64, the shard and the row of each person's crop.
        recipe: crop rule and padding; None for crops made in memory.
    """

    targets: PoseTargets
    shards: ShardReader | Sequence[NDArray[np.uint8]]
    locations: NDArray[np.int64]
    recipe: CropRecipe | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def crop_size(self) -> tuple[int, int]:
        """(height, width) px."""
        height, width = self.shards.crop_size if isinstance(self.shards, ShardReader) else self.shards[0].shape[1:3]
        return int(height), int(width)

    @property
    def joint_count(self) -> int:
        """Number of joints K."""
        return int(self.targets.visibility.shape[1])

    def read_images(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Read crops as (n, H, W, 3) uint8 RGB into a new array.

        Args:
            rows: (n,) positions in this set, in any order.

        Raises:
            DataError: if a shard of a store cannot be read, or the checksum of a crop differs.
        """
        images = np.empty((len(rows), *self.crop_size, 3), dtype=np.uint8)
        if isinstance(self.shards, ShardReader):
            self.shards.read_into(images, self.locations[rows])
            return images
        # One copy per crop; indexing many rows of a shard at once would copy them twice.
        for image, (shard, row) in zip(images, self.locations[rows], strict=True):
            image[...] = self.shards[shard][row]
        return images

    def read_ahead(self, shards: Sequence[int]) -> None:
        """Ask the system to read whole shards into its cache.

        Args:
            shards: numbers of shards, as in `locations`.
        """
        if isinstance(self.shards, ShardReader):
            self.shards.read_ahead(shards)

    def read_shown_images(self, rows: NDArray[np.int64], photographs: PhotographMode) -> NDArray[np.uint8]:
        """Read crops for pictures, as `read_images` does for the network.

        Args:
            rows: (n,) positions in this set.
            photographs: how persons are shown (`posescope.drawing.photographs`); heads are found by their labelled joints.
        """
        joints = np.where(self.targets.visibility[rows][..., None] > 0, self.targets.joints[rows], np.nan)
        return hide_photographs(self.read_images(rows), joints, self.targets.joint_names, photographs)

    def subset(self, rows: NDArray[np.int64]) -> "CropSet":
        """Return the set of the persons at `rows` (n,), in this order, without reading a crop."""
        return replace(self, targets=self.targets.subset(rows), locations=self.locations[rows])

    def detach(self, rows: NDArray[np.int64]) -> "CropSet":
        """Return the set of the persons at `rows` (n,) without its shards, for a process that gets the shards once (`attach`)."""
        return replace(self.subset(rows), shards=())

    def attach(self, shards: ShardReader | Sequence[NDArray[np.uint8]]) -> "CropSet":
        """Return a set of `detach` with the shards of the original set."""
        return replace(self, shards=shards)

    def with_joint_order(self, joints: Sequence[str]) -> "CropSet":
        """Return the set with its joints in another order; the set itself if the order is equal.

        Args:
            joints: the same names in the order of a model.

        Raises:
            JointMismatchError: if the names are not those of the targets' joints.
        """
        order = match_joints(joints, self.targets.joint_names)
        if order.is_identity:
            return self
        changed = replace(
            self.targets,
            joints=order.to_model_order(self.targets.joints),
            visibility=order.to_model_order(self.targets.visibility),
            joint_names=order.model,
            weights=None if self.targets.weights is None else order.to_model_order(self.targets.weights),
        )
        return replace(self, targets=changed)
