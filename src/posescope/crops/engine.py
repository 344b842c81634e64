"""Images -> shards of crops: each image is decoded once for all its people, shards are cut by several processes."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.coco.filters import issues_of
from posescope.coco.folder import CocoFolder, SourceOptions
from posescope.crops.cutting import cut_square, read_image
from posescope.crops.options import CropOptions
from posescope.crops.store import CropStore, ShardRecord
from posescope.errors import DataError
from posescope.files import fingerprint

__all__ = ["cut_all", "mean_rgb"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Square:
    person_id: int
    left: int
    top: int
    side: int


@dataclass(frozen=True)
class _ImageTask:
    path: Path
    size: tuple[int, int]
    squares: tuple[_Square, ...]


@dataclass(frozen=True)
class _ShardTask:
    name: str
    fingerprint: str
    images: tuple[_ImageTask, ...]


def cut_all(
    folder: CocoFolder,
    source: SourceOptions,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    store: CropStore,
    options: CropOptions,
) -> pd.DataFrame:
    """Fill the store with everybody's crop; shards that are done already, from the same inputs and options, are kept; those with
    images that could not be read are tried again.

    Args:
        folder: the data set.
        source: how its files are called.
        persons: a `Persons` table.
        crop_boxes: a `CropBoxes` table of the same persons.
        store: to be filled; finished when this returns.
        options: of the crop step.

    Returns:
        An `Issues` table of the people whose image could not be read.

    Raises:
        DataError: if not a single image could be read; the store is not finished then.
    """
    tasks = list(_plan_shards(folder, source, persons, crop_boxes, options))
    store.begin()
    todo = [task for task in tasks if store.done_shard(task.name, task.fingerprint) is None]
    logger.info("%d persons in %d shards, %d of them done already", len(persons), len(tasks), len(tasks) - len(todo))
    workers = min(options.workers or os.cpu_count() or 1, max(len(todo), 1))
    jobs = Parallel(n_jobs=workers, return_as="generator_unordered")(delayed(_cut_shard)(task, store, options) for task in todo)
    for _ in tqdm(jobs, total=len(todo), desc="crops", unit="shard"):
        pass
    issues = _failures([store.record(task.name) for task in tasks], persons)
    store.finish([task.name for task in tasks], fingerprint([task.fingerprint for task in tasks]))
    return issues


def mean_rgb(store: CropStore, person_ids: NDArray[np.int64]) -> tuple[float, float, float]:
    """Mean colour, 0..1, over the real pixels of these persons' crops (padding does not count).

    Raises:
        DataError: if none of them has a crop.
    """
    wanted = set(person_ids.tolist())
    sums, count = np.zeros(3), 0
    for record in store.records():
        rows = [row for row, person in enumerate(record.person_ids) if person in wanted]
        sums += np.array([record.rgb_sums[row] for row in rows], dtype=np.float64).reshape(-1, 3).sum(axis=0)
        count += sum(record.pixel_counts[row] for row in rows)
    if count == 0:
        raise DataError("No training person has a crop: the mean colour cannot be measured. See the table of issues.")
    red, green, blue = sums / count / 255.0
    return float(red), float(green), float(blue)


def _plan_shards(
    folder: CocoFolder, source: SourceOptions, persons: pd.DataFrame, crop_boxes: pd.DataFrame, options: CropOptions
) -> Iterator[_ShardTask]:
    """Whole images, in the order of the table, until a shard has enough people."""
    table = persons.merge(crop_boxes, on="person_id", validate="one_to_one")
    folders = {split: folder.image_folder(source, split) for split in table["source_split"].unique()}
    images: list[_ImageTask] = []
    number = 0
    for (split, name), rows in table.groupby(["source_split", "file_name"], sort=False):
        first = rows.iloc[0]
        squares = tuple(
            _Square(*map(int, values)) for values in rows[["person_id", "left", "top", "side"]].itertuples(index=False, name=None)
        )
        images.append(_ImageTask(folders[split] / str(name), (int(first["image_h"]), int(first["image_w"])), squares))
        if sum(len(image.squares) for image in images) >= options.shard_persons:
            yield _shard_task(number, images, options)
            images, number = [], number + 1
    if images:
        yield _shard_task(number, images, options)


def _shard_task(number: int, images: list[_ImageTask], options: CropOptions) -> _ShardTask:
    # The number of workers and the shards' size are no part of the pixels; the images' time and size stand for their content.
    content = {
        "options": options.model_dump(mode="json", exclude={"workers", "shard_persons"}),
        "images": [
            [image.path.name, *_stamp(image.path), image.size, [[s.person_id, s.left, s.top, s.side] for s in image.squares]]
            for image in images
        ],
    }
    return _ShardTask(name=f"shard-{number:05d}", fingerprint=fingerprint(content), images=tuple(images))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return -1, -1  # reading it will fail and say so; if it comes back, the shard is made again
    return stat.st_size, stat.st_mtime_ns


def _cut_shard(task: _ShardTask, store: CropStore, options: CropOptions) -> str:
    cv2.setNumThreads(1)  # the processes share the cores already
    crops: list[NDArray[np.uint8]] = []
    people: list[_Square] = []
    sizes: list[tuple[int, int]] = []
    failures: list[tuple[int, str]] = []
    for image_task in task.images:
        try:
            image = read_image(image_task.path, image_task.size)
        except DataError as error:
            failures.extend((square.person_id, str(error)) for square in image_task.squares)
            continue
        for square in image_task.squares:
            crops.append(cut_square(image, square.left, square.top, square.side, options.size_px, options.padding_rgb))
            people.append(square)
            sizes.append(image_task.size)
    pixels = np.stack(crops) if crops else np.empty((0, options.size_px, options.size_px, 3), dtype=np.uint8)
    colours = [_real_colour(crop, square, size) for crop, square, size in zip(crops, people, sizes, strict=True)]
    store.write_shard(
        pixels,
        ShardRecord(
            name=task.name,
            fingerprint=task.fingerprint,
            person_ids=tuple(square.person_id for square in people),
            rgb_sums=tuple((c[0], c[1], c[2]) for c in colours),
            pixel_counts=tuple(c[3] for c in colours),
            failures=tuple(failures),
        ),
    )
    return task.name


def _real_colour(crop: NDArray[np.uint8], square: _Square, image_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Sums of R, G, B over the crop's pixels that show nothing but the image, and their number."""
    x0, x1 = _real_span(square.left, square.side, image_size[1], len(crop))
    y0, y1 = _real_span(square.top, square.side, image_size[0], len(crop))
    real = crop[y0 : max(y1, y0), x0 : max(x1, x0)]
    red, green, blue = real.sum(axis=(0, 1), dtype=np.int64).tolist()
    return red, green, blue, real.shape[0] * real.shape[1]


def _real_span(first: int, side: int, image_side: int, size_px: int) -> tuple[int, int]:
    """First crop px, and the one after the last, into which no padding has been mixed; whole numbers, so nothing is rounded."""
    start, stop = max(-first, 0), min(image_side - first, side)  # the part of the square that the image fills
    if side >= size_px:
        return -(-start * size_px // side), stop * size_px // side
    # Enlarging is bilinear: a crop px is pure only if its centre lies between the centres of two px of the image.
    low = -(-((2 * start + 1) * size_px - side) // (2 * side)) if start else 0
    high = ((2 * stop - 1) * size_px - side) // (2 * side) + 1 if stop < side else size_px
    return low, high


def _failures(records: Sequence[ShardRecord], persons: pd.DataFrame) -> pd.DataFrame:
    failed = dict(failure for record in records for failure in record.failures)
    if failed and len(failed) == len(persons):
        raise DataError(f"Not a single image could be read; the first: {next(iter(failed.values()))}")
    rows = persons[persons["person_id"].isin(failed)]
    if failed:
        logger.warning("%d persons have no crop, because their image could not be read; see the table of issues", len(failed))
    return issues_of(rows, "cut", [failed[person] for person in rows["person_id"]])
