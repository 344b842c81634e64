"""Draw test and calibration set from the training set by whole image or group, and count the images and persons of each split."""

import logging

import numpy as np
import pandas as pd

from posescope.core.errors import DataError
from posescope.core.origin import Origin, add_origin
from posescope.core.tables import DRAWN_SPLITS, SPLITS, Distribution, Persons
from posescope.data.coco.folder import SourceOptions
from posescope.data.coco.sources import NamedSource, SourceList, naming_source
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.options import SplitOptions
from posescope.data.whole_units import draw_units

__all__ = ["count_distribution", "sample_splits"]

logger = logging.getLogger(__name__)

_CALIBRATION_STREAM = 1


def sample_splits(
    persons: pd.DataFrame,
    options: SplitOptions,
    source: SourceOptions | None = None,
    sources: SourceList | None = None,
) -> pd.DataFrame:
    """Move whole images from train to test and to calibration, each in a seeded random order, until both sets are complete.

    Both sets get as many persons as the validation set, at most `max_test_fraction` and `max_calibration_fraction` of the
    training persons. If the project splits the data set (`source.split`), the test set gets its own fraction of all persons, and
    with `by: group` whole groups are moved. An image or group with more persons than are still needed is skipped, so the number
    is met exactly if enough images with one person are left. The calibration set is drawn after the test set, by its own random
    numbers: its size has no effect on the test set. Of several data sets each is split as if it were alone.

    Args:
        persons: a `Persons` table with the splits train and val.
        options: options of the draw.
        source: options of a single data set. None: it has official splits.
        sources: the data sets, if there are several; `persons` then has the column `source`.

    Returns:
        The same `Persons` table with the final splits.

    Raises:
        DataError: if train or val has no person; with several data sets the message names the one.
    """
    if not sources:
        return _sample_splits(persons, options, source)
    parts = []
    for own in sources.root:
        part = persons[persons["source"] == own.name]
        ungrouped = "group" in part and not part["group"].any()
        with naming_source(own.name):
            parts.append(_sample_splits(part.drop(columns="group") if ungrouped else part, options, own))
    splits = pd.concat([part.set_index("person_id")["split"] for part in parts])
    return pd.DataFrame(Persons.validate(persons.assign(split=splits.loc[persons["person_id"]].to_numpy())))


def _sample_splits(persons: pd.DataFrame, options: SplitOptions, source: SourceOptions | None) -> pd.DataFrame:
    """Split the persons of one data set; see `sample_splits`."""
    counts = persons["split"].value_counts()
    for split in ("train", "val"):
        if counts.get(split, 0) == 0:
            raise DataError(f"The split '{split}' has no person after filtering and cropping; see issues.csv for the reasons.")
    wanted, available = int(counts["val"]), int(counts["train"])
    test_count = _count_test_persons(wanted, available, options, source)
    calibration_count = min(wanted, int(options.max_calibration_fraction * available))
    result = _move_units(persons, "test", test_count, np.random.default_rng(options.seed))
    own_numbers = np.random.default_rng([options.seed, _CALIBRATION_STREAM])
    result = _move_units(result, "calibration", calibration_count, own_numbers)
    _check_disjoint(result)
    return pd.DataFrame(Persons.validate(result))


def count_distribution(
    persons: pd.DataFrame, store: CropStore, persons_read: pd.DataFrame, statistics: CropStatistics
) -> pd.DataFrame:
    """Count the images and persons of each split that have a crop.

    Args:
        persons: a `Persons` table with the final splits.
        store: the finished crops of at least one person.
        persons_read: the `Persons` table of all valid records, before any person was rejected. Its images count in their final
            split: those drawn for the test set in `test`, those drawn for calibration in `calibration`.
        statistics: statistics of the data, whose fingerprint is the origin of the table.

    Returns:
        A `Distribution` table.
    """
    cropped = persons[persons["person_id"].isin(store.person_ids())]
    with_persons = _count_images(_assign_final_splits(persons_read, persons))
    images, counts = _count_images(cropped), cropped["split"].value_counts()
    rows = []
    for split in (*SPLITS, "all"):
        count = len(cropped) if split == "all" else int(counts.get(split, 0))
        fractions = (images[split] / images["all"], count / len(cropped))
        rows.append((split, with_persons[split], images[split], count, *fractions))
    columns = ["split", "images_with_persons", "images", "persons", "images_fraction", "persons_fraction"]
    table = add_origin(pd.DataFrame(rows, columns=columns), Origin(data=statistics.data_fingerprint))
    return pd.DataFrame(Distribution.validate(table))


def _assign_final_splits(persons_read: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """Return `persons_read` with the final splits: all persons of a drawn image belong to the split that it was drawn for."""
    final, files = persons_read["split"], _files_of(persons_read)
    for split in DRAWN_SPLITS:
        drawn = _files_of(persons[persons["split"] == split])
        final = final.mask((persons_read["split"] == "train") & files.isin(drawn), split)
    return persons_read.assign(split=final)


def _files_of(persons: pd.DataFrame) -> pd.Series:
    """Return the image file of each person, unique over all data sets."""
    return persons["source_split"] + "/" + persons["file_name"]


def _count_images(persons: pd.DataFrame) -> dict[str, int]:
    """Count the images of each split and of all, as `source_split` and `image_id` name them."""
    images = persons[["source_split", "image_id", "split"]].drop_duplicates()
    counts = images["split"].value_counts()
    return {**{split: int(counts.get(split, 0)) for split in SPLITS}, "all": len(images)}


def _count_test_persons(wanted: int, available: int, options: SplitOptions, source: SourceOptions | None) -> int:
    """Return the number of test persons; see `sample_splits`.

    Args:
        wanted, available: numbers of validation and of training persons.
        options, source: options of the draw and of the data set.
    """
    if source is not None and source.split is not None:
        return min(round(source.split.test * (wanted + available)), available - 1)
    limit = int(options.max_test_fraction * available)
    if limit < wanted:
        logger.warning(
            "%sThe test set is limited to %d persons; the validation set has %d (max_test_fraction = %g of %d training persons)",
            f"Source '{source.name}': " if isinstance(source, NamedSource) else "", limit, wanted, options.max_test_fraction,
            available,
        )  # fmt: skip
    return min(wanted, limit)


def _move_units(persons: pd.DataFrame, split: str, wanted: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table with whole images or groups of `wanted` training persons in another split.

    File names, not image ids: two records may name the same file, which must not be in both splits.
    """
    train, unit = persons["split"] == "train", "group" if "group" in persons else "file_name"
    drawn = draw_units(persons.loc[train, unit], persons.loc[train, "image_id"], wanted, rng)
    if wanted and not drawn and unit == "group":
        logger.warning(
            "The %s set is empty: it needs %d persons, and the smallest of %d groups has %d. Increase its fraction, or set "
            "data_engineering.source.split.by to image",
            split, wanted, persons.loc[train, unit].nunique(), persons.loc[train, unit].value_counts().min(),
        )  # fmt: skip
    return persons.assign(split=np.where(train & persons[unit].isin(drawn), split, persons["split"]))


def _check_disjoint(persons: pd.DataFrame) -> None:
    for key in ("image_id", "file_name", *({"group"} & set(persons))):
        splits_of_image = persons.groupby(["source_split", key])["split"].nunique()
        shared = splits_of_image[splits_of_image > 1]
        if len(shared):
            source_split, image = shared.index[0]
            raise DataError(
                f"{'Group' if key == 'group' else 'Image'} {image} ({key}) of '{source_split}' is in more than one split; "
                "expected splits that share no image and no group."
            )
