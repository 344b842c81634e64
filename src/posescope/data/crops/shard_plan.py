"""Plan the shards: whole images in the order of the table, and the fingerprint that shows whether a shard is up to date."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from posescope.core.files import fingerprint
from posescope.core.tables import box_sizes_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.crops.options import CropOptions
from posescope.data.images.stored_images import ImageFile, list_stored_images

__all__ = ["ImageTask", "PersonBox", "ShardTask", "plan_shards"]

# Increase it whenever the same inputs and options give other pixels: shards of older code are then written again.
ENGINE_VERSION = 6


class PersonBox(NamedTuple):
    """Attributes: person_id; left, top, height, width: crop box in whole image px, may reach outside."""

    person_id: int
    left: int
    top: int
    height: int
    width: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) px."""
        return self.height, self.width

    @property
    def content(self) -> tuple[int, ...]:
        """The box in the fingerprint of a shard; a square has one side there."""
        return self[:4] if self.height == self.width else self


@dataclass(frozen=True)
class ImageTask:
    """An image and the boxes to crop from it.

    Attributes:
        path: path of the file.
        name: `<split>/<file name>` in the data set.
        size: annotated (height, width), px.
        boxes: crop boxes of all its persons.
        source: conventions of its data set.
        stored_stamp: size in bytes and version of an object; None: an image of this machine.
    """

    path: Path
    name: str
    size: tuple[int, int]
    boxes: tuple[PersonBox, ...]
    source: SourceOptions
    stored_stamp: tuple[int, str] | None = None

    @property
    def file(self) -> ImageFile:
        """The file to read."""
        size = -1 if self.stored_stamp is None else self.stored_stamp[0]
        return ImageFile(self.path, self.source.image_limits, size if size >= 0 else None)

    @property
    def person_ids(self) -> tuple[int, ...]:
        """Ids of its persons, in the order of the boxes."""
        return tuple(box.person_id for box in self.boxes)


@dataclass(frozen=True)
class ShardTask:
    """A shard that one process writes.

    Attributes:
        name: name of the shard's files.
        fingerprint: fingerprint of everything that determines the pixels.
        images: in order.
    """

    name: str
    fingerprint: str
    images: tuple[ImageTask, ...]

    @property
    def person_count(self) -> int:
        """Number of persons to crop."""
        return sum(len(image.boxes) for image in self.images)


def plan_shards(
    folder: CocoFolder, source: SourceOptions, persons: pd.DataFrame, crop_boxes: pd.DataFrame, options: CropOptions
) -> list[ShardTask]:
    """Group whole images into shards of at least `shard_persons` persons.

    Args:
        folder, source: where the images are.
        persons: a `Persons` table.
        crop_boxes: a `CropBoxes` table of the same persons.
        options: options of the crop step.

    Returns:
        The shards in order; each person is in exactly one.
    """
    shards: list[ShardTask] = []
    images: list[ImageTask] = []
    count = 0
    for image in _images(folder, source, persons, crop_boxes):
        images.append(image)
        count += len(image.boxes)
        if count >= options.shard_persons:
            shards.append(_shard(len(shards), images, options))
            images, count = [], 0
    return [*shards, _shard(len(shards), images, options)] if images else shards


def _images(folder: CocoFolder, source: SourceOptions, persons: pd.DataFrame, crop_boxes: pd.DataFrame) -> Iterator[ImageTask]:
    """Yield the images in the order of their first person in the table."""
    table = persons.merge(_sized(crop_boxes), on="person_id", validate="one_to_one")
    splits = table["source_split"].unique()
    folders = {split: folder.image_folder(source, split) for split in splits}
    conventions = {split: folder.options_of(source, split) for split in splits}
    stored = {split: list_stored_images(folders[split]) for split in splits}
    number = table.groupby(["source_split", "file_name"], sort=False).ngroup().to_numpy()
    order = np.argsort(number, kind="stable")
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    boxes = table[["person_id", "left", "top", "height", "width"]].to_numpy(dtype=np.int64)[order]
    images = table[["source_split", "file_name", "image_h", "image_w"]].iloc[order[starts]].itertuples(index=False, name=None)
    for (split, name, height, width), (start, stop) in zip(images, pairwise([*starts.tolist(), len(boxes)]), strict=True):
        own = tuple(PersonBox(*row) for row in boxes[start:stop].tolist())
        listed = stored[split]
        stamp = None if listed is None else listed.stamps.get(name, (-1, ""))
        yield ImageTask(folders[split] / name, f"{split}/{name}", (height, width), own, conventions[split], stamp)


def _sized(crop_boxes: pd.DataFrame) -> pd.DataFrame:
    sizes = box_sizes_of(crop_boxes)
    return crop_boxes[["person_id", "left", "top"]].assign(height=sizes[:, 0], width=sizes[:, 1])


def _shard(number: int, images: list[ImageTask], options: CropOptions) -> ShardTask:
    # Time and size of an image file represent its content. Workers, shard size and limits do not change pixels: an image beyond
    # the limits is a failure, and shards with failures are always written again.
    frames = [image.source.orientation for image in images]
    content = {
        "engine": ENGINE_VERSION,
        "frame": frames[0] if len(set(frames)) == 1 else frames,
        "options": {"size_px": options.size_px, "padding_rgb": options.padding_rgb, "rule": options.rule_spec.model_dump()},
        "images": [[image.name, *_stamp(image), image.size, [box.content for box in image.boxes]] for image in images],
    }
    return ShardTask(f"shard-{number:05d}", fingerprint(content), tuple(images))


def _stamp(image: ImageTask) -> tuple[int, int | str]:
    if image.stored_stamp is not None:
        return image.stored_stamp
    try:
        stat = image.path.stat()
    except OSError:
        return -1, -1  # reading the image will fail; if the file returns, the shard is written again
    return stat.st_size, stat.st_mtime_ns
