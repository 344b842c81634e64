"""Images -> shards of crops: by several processes, resumable, with everybody who failed named."""

import logging
from collections.abc import Sequence

import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from posescope.coco.failures import FailureOptions, check_failures
from posescope.coco.filters import issues_of
from posescope.coco.folder import CocoFolder, SourceOptions
from posescope.coco.quality import report_findings
from posescope.cpus import available_cpus
from posescope.crops.options import CropOptions
from posescope.crops.picture_checks import check_pictures
from posescope.crops.plan import ShardTask, plan_shards
from posescope.crops.shard_file import ShardRecord
from posescope.crops.shards import cut_shard
from posescope.crops.store import CropStore
from posescope.errors import DataError
from posescope.files import fingerprint
from posescope.tables import squares_fingerprint

__all__ = ["cut_all"]

logger = logging.getLogger(__name__)


def cut_all(
    folder: CocoFolder,
    source: SourceOptions,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    store: CropStore,
    options: CropOptions,
    failures: FailureOptions | None = None,
) -> pd.DataFrame:
    """Fill the store with everybody's crop.

    Shards that are done already, from the same inputs and options, are kept if their pixels fit their checksums; damaged shards,
    and those with images that could not be read, are cut again. What the pictures say about the data set's quality
    (`picture_checks`) is logged.

    Args:
        folder: the data set.
        source: how its files are called.
        persons: a `Persons` table.
        crop_boxes: a `CropBoxes` table of the same persons.
        store: to be filled; finished when this returns.
        options: of the crop step.
        failures: how many may fail; none: any number, but not all.

    Returns:
        An `Issues` table of the people whose image could not be read.

    Raises:
        DataError: if more people than allowed, or all, have no crop; the store is not finished then, but what was cut stays.
    """
    tasks = plan_shards(folder, source, persons, crop_boxes, options)
    looked = tqdm(tasks, desc="checking shards", unit="shard", disable=not store.holds_shards())
    store.begin()
    todo = [task for task in looked if store.done_shard(task.name, task.fingerprint) is None]
    logger.info("%d persons in %d shards, %d of them done already", len(persons), len(tasks), len(tasks) - len(todo))
    _cut(todo, store, options)
    issues = _failed_persons([store.record(task.name) for task in tasks], persons)
    if failures is not None:
        check_failures(issues, len(persons), failures, step="cut")
    if len(persons) and len(issues) == len(persons):
        raise DataError(f"Not a single image could be read; the first: {issues['detail'].iloc[0]}")
    names, whole = [task.name for task in tasks], fingerprint([task.fingerprint for task in tasks])
    store.finish(names, whole, squares_fingerprint(crop_boxes), options.recipe)
    report_findings(check_pictures(store.records(), persons, source))
    return issues


def _cut(tasks: Sequence[ShardTask], store: CropStore, options: CropOptions) -> None:
    workers = min(options.workers or available_cpus(), max(len(tasks), 1))
    # One shard at a time to each process: the last of a larger batch would keep one busy while the others have nothing left.
    pool = Parallel(n_jobs=workers, batch_size=1, return_as="generator_unordered")
    jobs = pool(delayed(cut_shard)(task, store, options) for task in tasks)
    with tqdm(total=sum(task.person_count for task in tasks), desc="crops", unit="person") as progress:
        for person_count in jobs:
            progress.update(person_count)


def _failed_persons(records: Sequence[ShardRecord], persons: pd.DataFrame) -> pd.DataFrame:
    failed = {person: (kind, detail) for record in records for person, kind, detail in record.failures}
    rows = persons[persons["person_id"].isin(failed)]
    kinds, details = ([failed[person][part] for person in rows["person_id"]] for part in (0, 1))
    if failed:
        logger.warning("%d persons have no crop, because their image could not be read; see the table of issues", len(failed))
    return issues_of(rows, "cut", kinds, details)
