"""Who is cut with whom: whole images, in the order of the table, gathered into shards; and what makes a shard stale."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from posescope.core.files import fingerprint
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.crops.options import CropOptions
from posescope.data.images.headers import ImageLimits
from posescope.data.images.orientation import PixelFrame

__all__ = ["ImageTask", "ShardTask", "Square", "plan_shards"]

# Raise it whenever the same inputs and options come to other pixels than before: shards of older code are then cut again.
ENGINE_VERSION = 5


@dataclass(frozen=True)
class Square:
    """Attributes: person_id; left, top, side: whole px of the image, may reach outside."""

    person_id: int
    left: int
    top: int
    side: int


@dataclass(frozen=True)
class ImageTask:
    """Attributes: path: of the image; name: the same within its data set; size: (height, width) px as annotated; squares: of all
    its people.
    """

    path: Path
    name: str
    size: tuple[int, int]
    squares: tuple[Square, ...]

    @property
    def person_ids(self) -> tuple[int, ...]:
        """Of its people, in the order of the squares."""
        return tuple(square.person_id for square in self.squares)


@dataclass(frozen=True)
class ShardTask:
    """What one process cuts.

    Attributes:
        name: of the shard's files.
        fingerprint: of all that its pixels depend on.
        images: in order.
        frame: of the squares: the pictures as they are stored, or upright.
        limits: the largest picture that is decoded.
    """

    name: str
    fingerprint: str
    images: tuple[ImageTask, ...]
    frame: PixelFrame = "stored"
    limits: ImageLimits = field(default_factory=ImageLimits)

    @property
    def person_count(self) -> int:
        """People to cut."""
        return sum(len(image.squares) for image in self.images)


def plan_shards(
    folder: CocoFolder, source: SourceOptions, persons: pd.DataFrame, crop_boxes: pd.DataFrame, options: CropOptions
) -> list[ShardTask]:
    """Whole images until a shard has `shard_persons` people.

    Args:
        folder, source: where the images are.
        persons: a `Persons` table.
        crop_boxes: a `CropBoxes` table of the same persons.
        options: of the crop step.

    Returns:
        The shards in order; every person is in exactly one.
    """
    shards: list[ShardTask] = []
    images: list[ImageTask] = []
    people = 0
    for image in _images(folder, source, persons, crop_boxes):
        images.append(image)
        people += len(image.squares)
        if people >= options.shard_persons:
            shards.append(_shard(len(shards), images, source, options))
            images, people = [], 0
    return [*shards, _shard(len(shards), images, source, options)] if images else shards


def _images(folder: CocoFolder, source: SourceOptions, persons: pd.DataFrame, crop_boxes: pd.DataFrame) -> Iterator[ImageTask]:
    """The images in the order in which they first appear in the table."""
    table = persons.merge(crop_boxes, on="person_id", validate="one_to_one")
    folders = {split: folder.image_folder(source, split) for split in table["source_split"].unique()}
    number = table.groupby(["source_split", "file_name"], sort=False).ngroup().to_numpy()
    order = np.argsort(number, kind="stable")
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    columns = ["source_split", "file_name", "image_h", "image_w", "person_id", "left", "top", "side"]
    rows = list(table[columns].iloc[order].itertuples(index=False, name=None))
    for start, stop in pairwise([*starts, len(rows)]):
        split, name, height, width = rows[start][:4]
        squares = tuple(Square(*row[4:]) for row in rows[start:stop])
        yield ImageTask(folders[split] / name, f"{split}/{name}", (height, width), squares)


def _shard(number: int, images: list[ImageTask], source: SourceOptions, options: CropOptions) -> ShardTask:
    # The number of workers and the shards' size are no part of the pixels; the images' time and size stand for their content.
    # Nor are the limits: a picture beyond them is a failure, and shards with failures are always tried again.
    content = {
        "engine": ENGINE_VERSION,
        "frame": source.orientation,
        "options": {"size_px": options.size_px, "padding_rgb": options.padding_rgb, "rule": options.rule_spec.model_dump()},
        "images": [
            [image.name, *_stamp(image.path), image.size, [[s.person_id, s.left, s.top, s.side] for s in image.squares]]
            for image in images
        ],
    }
    return ShardTask(f"shard-{number:05d}", fingerprint(content), tuple(images), source.orientation, source.image_limits)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return -1, -1  # reading it will fail and say so; if it comes back, the shard is made again
    return stat.st_size, stat.st_mtime_ns
