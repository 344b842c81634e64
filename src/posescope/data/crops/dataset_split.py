"""Draw the test set from the training set by whole image, and count the images and persons of each split."""

import logging

import numpy as np
import pandas as pd

from posescope.core.errors import DataError
from posescope.core.origin import Origin, add_origin
from posescope.core.tables import SPLITS, Distribution, Persons
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.options import SplitOptions

__all__ = ["count_distribution", "sample_test_set"]

logger = logging.getLogger(__name__)


def sample_test_set(persons: pd.DataFrame, options: SplitOptions) -> pd.DataFrame:
    """Move whole images from train to test in a seeded random order until the test set is complete.

    The test set gets as many persons as the validation set, at most `max_test_fraction` of the training persons. An image with
    more persons than are still needed is skipped, so the number is met exactly if enough images with one person are left.

    Args:
        persons: a `Persons` table with the splits train and val.
        options: options of the draw.

    Returns:
        The same `Persons` table with the final splits.

    Raises:
        DataError: if train or val has no person.
    """
    counts = persons["split"].value_counts()
    for split in ("train", "val"):
        if counts.get(split, 0) == 0:
            raise DataError(f"The split '{split}' has no person after filtering and cropping; see issues.csv for the reasons.")
    wanted = int(counts["val"])
    limit = int(options.max_test_fraction * counts["train"])
    if limit < wanted:
        logger.warning(
            "The test set is limited to %d persons; the validation set has %d (max_test_fraction = %g of %d training persons)",
            limit, wanted, options.max_test_fraction, counts["train"],
        )  # fmt: skip
    train = persons["split"] == "train"
    drawn = _sample_images(persons[train], min(wanted, limit), options.seed)
    result = persons.assign(split=np.where(train & persons["file_name"].isin(drawn), "test", persons["split"]))
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
            split: those drawn for the test set in `test`.
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
    """Return `persons_read` with the final splits: all persons of an image drawn for the test set belong to it."""
    drawn = persons.loc[persons["split"] == "test", "file_name"]
    of_test = (persons_read["split"] == "train") & persons_read["file_name"].isin(drawn)
    return persons_read.assign(split=persons_read["split"].mask(of_test, "test"))


def _count_images(persons: pd.DataFrame) -> dict[str, int]:
    """Count the images of each split and of all, as `source_split` and `image_id` name them."""
    images = persons[["source_split", "image_id", "split"]].drop_duplicates()
    counts = images["split"].value_counts()
    return {**{split: int(counts.get(split, 0)) for split in SPLITS}, "all": len(images)}


def _sample_images(train: pd.DataFrame, wanted: int, seed: int) -> list[str]:
    """Return file names, not image ids: two records may name the same file, which must not be in both splits."""
    images = train.groupby("file_name").agg(image_id=("image_id", "min"), persons=("image_id", "size")).sort_values("image_id")
    names, sizes = images.index.tolist(), images["persons"].tolist()
    drawn: list[str] = []
    left = wanted
    for place in np.random.default_rng(seed).permutation(len(images)).tolist():
        if sizes[place] <= left:
            drawn.append(names[place])
            left -= sizes[place]
        if left == 0:
            break
    return drawn


def _check_disjoint(persons: pd.DataFrame) -> None:
    for key in ("image_id", "file_name"):
        splits_of_image = persons.groupby(["source_split", key])["split"].nunique()
        shared = splits_of_image[splits_of_image > 1]
        if len(shared):
            source_split, image = shared.index[0]
            raise DataError(
                f"Image {image} ({key}) of '{source_split}' is in more than one split; expected splits that share no image."
            )
