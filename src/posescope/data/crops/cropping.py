"""Crop all persons into the shards of a store, by several processes or a cluster; an interrupted run resumes."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.core.compute import run_in_processes
from posescope.core.data_folder import share_folder_lock
from posescope.core.errors import DataError
from posescope.core.hardware import available_cpus
from posescope.core.mirrors import fetch, place_of
from posescope.core.tables import crop_boxes_fingerprint
from posescope.data.coco.failure_limits import FailureLimits, check_failures
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import issues_of
from posescope.data.crops.crop_resampling import crop_box
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.options import CropOptions
from posescope.data.crops.shard_plan import PersonBox, ShardTask, plan_shards
from posescope.data.crops.shard_writer import ImageFacts, ShardRecord, digest_of
from posescope.data.images.decoding import decode_image
from posescope.data.images.headers import read_header
from posescope.data.images.limits import ImageError
from posescope.data.images.stored_images import read_images_ahead
from posescope.geometry.valid_region import valid_windows

__all__ = ["write_crops"]

logger = logging.getLogger(__name__)


def write_crops(
    folder: CocoFolder,
    source: SourceOptions,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    store: CropStore,
    options: CropOptions,
    failures: FailureLimits | None = None,
) -> pd.DataFrame:
    """Write the crops of all persons into a store.

    Existing shards of the same inputs and options are kept if their pixels match their checksums. Damaged shards, and those with
    unreadable images, are written again.

    Args:
        folder: folder of the data set.
        source: names and conventions of the data set.
        persons: a `Persons` table.
        crop_boxes: a `CropBoxes` table of the same persons.
        store: receives the crops; it is finished when the function returns.
        options: options of the crop step.
        failures: maximum fraction of failures; None: any but all.

    Returns:
        An `Issues` table of the persons whose image could not be read.

    Raises:
        DataError: if too many persons, or all, have no crop, or another process has replaced a shard. The store is not finished
            then; complete shards stay.
    """
    tasks = plan_shards(folder, source, persons, crop_boxes, options)
    checked = tqdm(tasks, desc="checking shards", unit="shard", disable=not store.has_shards())
    store.begin()
    todo = [task for task in checked if store.finished_shard(task.name, task.fingerprint) is None]
    logger.info("%d persons in %d shards, %d of them already complete", len(persons), len(tasks), len(tasks) - len(todo))
    _write_shards(todo, store, options)
    fetch(store.root)  # records that workers on other machines wrote to an object store
    issues = _failed_persons(_records_of(tasks, store), persons)
    if failures is not None:
        check_failures(issues, len(persons), failures, step="crop")
    if len(persons) and len(issues) == len(persons):
        raise DataError(f"None of the images could be read; the first: {issues['detail'].iloc[0]}")
    store.finish([task.name for task in tasks], crop_boxes_fingerprint(crop_boxes), options.recipe)
    return issues


def _write_shards(tasks: Sequence[ShardTask], store: CropStore, options: CropOptions) -> None:
    workers = min(options.workers or available_cpus(), max(len(tasks), 1))
    # One shard at a time per process: with larger batches the last one would keep a single process busy.
    counts = run_in_processes(_write_shard, tasks, shared=(store, options), workers=workers, ordered=False)
    with tqdm(total=sum(task.person_count for task in tasks), desc="crops", unit="person") as progress:
        for person_count in counts:
            progress.update(person_count)


def _write_shard(task: ShardTask, store: CropStore, options: CropOptions) -> int:
    """Write one shard in a process of its own; return the number of its persons, those without a crop included.

    Each image is read and decoded once for all its persons. Persons of an unreadable image have no row; the shard's record names
    them with the reason.
    """
    cv2.setNumThreads(1)  # the processes use all cores already
    crop = np.empty((*options.crop_size, 3), dtype=np.uint8)
    with (
        share_folder_lock(store.root),
        store.shard_writer(task.name, task.fingerprint, task.person_count, options.crop_size) as writer,
    ):
        contents = read_images_ahead([image_task.file for image_task in task.images], options.reads_in_flight)
        for image_task, raw, windows in zip(task.images, contents, _valid_windows(task, options), strict=True):
            frame, limits = image_task.source.orientation, image_task.source.image_limits
            try:
                if isinstance(raw, ImageError):
                    raise raw
                header = read_header(raw, image_task.path)
                image = decode_image(raw, image_task.path, image_task.size, frame=frame, limits=limits, header=header)
            except ImageError as error:
                writer.add_failure(image_task.person_ids, error.kind, str(error))
                continue
            writer.add_image(ImageFacts(image_task.name, digest_of(raw), header.orientation, *header.stored_size))
            for box, window in zip(image_task.boxes, windows, strict=True):
                crop_box(image, box.left, box.top, box.size, options.crop_size, options.padding_rgb, out=crop)
                writer.append(box.person_id, crop, *_sum_colours(crop, *window))
    return task.person_count


def _records_of(tasks: Iterable[ShardTask], store: CropStore) -> Iterator[ShardRecord]:
    """Yield the records of all shards; a late worker of an earlier run may have written one after this run did.

    Raises:
        DataError: if a shard was made from other inputs or options.
    """
    for task in tasks:
        record = store.record(task.name)
        if record.fingerprint != task.fingerprint:
            raise DataError(
                f"{place_of(store.root / task.name)}.npy: expected the fingerprint {task.fingerprint}, found "
                f"{record.fingerprint}: a process of an earlier run has replaced the shard. End "
                "that process, and run the same command again."
            )
        yield record


def _failed_persons(records: Iterable[ShardRecord], persons: pd.DataFrame) -> pd.DataFrame:
    failed = {person: (kind, detail) for record in records for person, kind, detail in record.failures}
    rows = persons[persons["person_id"].isin(failed)]
    kinds, details = ([failed[person][part] for person in rows["person_id"]] for part in (0, 1))
    if failed:
        logger.warning("%d persons have no crop because their image could not be read; see issues.csv", len(failed))
    return issues_of(rows, "crop", kinds, details)


def _valid_windows(task: ShardTask, options: CropOptions) -> Iterator[list[list[int]]]:
    """Yield for each image the windows of its crops: first column, first row, column after the last, row after the last.

    One call for all persons of the shard: the arrays of a single person would cost more than its sums of colours.
    """
    boxes = np.array([box for image in task.images for box in image.boxes], dtype=np.int64).reshape(-1, len(PersonBox._fields))
    counts = [len(image.boxes) for image in task.images]
    image_sizes = np.repeat(np.array([image.size for image in task.images], dtype=np.int64).reshape(-1, 2), counts, axis=0)
    windows = valid_windows(boxes[:, 1], boxes[:, 2], boxes[:, 3:], image_sizes, options.crop_size).tolist()
    ends = accumulate(counts)
    yield from (windows[end - count : end] for end, count in zip(ends, counts, strict=True))


def _sum_colours(crop: NDArray[np.uint8], left: int, top: int, right: int, bottom: int) -> tuple[tuple[int, int, int], int]:
    """Return the sums of R, G and B over the valid (not padded) px of a crop, and the number of these px."""
    if right <= left or bottom <= top:
        return (0, 0, 0), 0
    # Whole numbers far below 2^53: the float sums are exact.
    red, green, blue, _ = cv2.sumElems(crop[top:bottom, left:right])
    return (int(red), int(green), int(blue)), (right - left) * (bottom - top)
