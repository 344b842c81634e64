"""The test set (as many persons as the validation set, drawn from the training set by whole image), and the splits' sizes."""

import logging

import numpy as np
import pandas as pd

from posescope.core.errors import DataError
from posescope.core.tables import SPLITS, Distribution, Persons
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.options import SplitOptions

__all__ = ["count_distribution", "draw_test_set"]

logger = logging.getLogger(__name__)


def draw_test_set(persons: pd.DataFrame, options: SplitOptions) -> pd.DataFrame:
    """Move whole images from train to test, in a seeded random order, until the test set is full.

    Full: as many persons as the validation set has, at most `max_test_fraction` of the training persons. An image that would
    overfill it is passed over, so the number is met exactly whenever single-person images are left.

    Returns:
        A `Persons` table: the same people in the same order, with their final splits.

    Raises:
        DataError: if nobody is left to train or to validate on.
    """
    counts = persons["split"].value_counts()
    for split in ("train", "val"):
        if counts.get(split, 0) == 0:
            raise DataError(f"No person of the split '{split}' is left after filtering and cropping; see the table of issues.")
    wanted = int(counts["val"])
    limit = int(options.max_test_fraction * counts["train"])
    if limit < wanted:
        logger.warning(
            "The test set is capped: %d persons, not the %d of the validation set (test_share_max = %g of %d training persons)",
            limit, wanted, options.max_test_fraction, counts["train"],
        )  # fmt: skip
    train = persons["split"] == "train"
    drawn = _draw_images(persons[train], min(wanted, limit), options.seed)
    result = persons.assign(split=np.where(train & persons["file_name"].isin(drawn), "test", persons["split"]))
    _check_disjoint(result)
    return pd.DataFrame(Persons.validate(result))


def count_distribution(persons: pd.DataFrame, store: CropStore, persons_read: pd.DataFrame) -> pd.DataFrame:
    """Count the images and persons of each split; persons without a crop, because the image could not be read, do not count.

    Args:
        persons: a `Persons` table with the final splits.
        store: the finished crops, of at least one person.
        persons_read: the `Persons` table of all well-formed records, before any person was rejected. Its images with persons
            count in the split that they belong to: a training image of which persons were drawn for the test set, to that.

    Returns:
        A `Distribution` table.
    """
    cut = persons[persons["person_id"].isin(store.person_ids())]
    with_persons = _count_images(_put_into_splits(persons_read, persons))
    images, people = _count_images(cut), cut["split"].value_counts()
    rows = []
    for split in (*SPLITS, "all"):
        count = len(cut) if split == "all" else int(people.get(split, 0))
        shares = (images[split] / images["all"], count / len(cut))
        rows.append((split, with_persons[split], images[split], count, *shares))
    columns = ["split", "images_with_persons", "images", "persons", "images_fraction", "persons_fraction"]
    return pd.DataFrame(Distribution.validate(pd.DataFrame(rows, columns=columns)))


def _put_into_splits(persons_read: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """Return `persons_read` with the final splits: everybody on an image that was drawn for the test set belongs to it."""
    drawn = persons.loc[persons["split"] == "test", "file_name"]
    of_test = (persons_read["split"] == "train") & persons_read["file_name"].isin(drawn)
    return persons_read.assign(split=persons_read["split"].mask(of_test, "test"))


def _count_images(persons: pd.DataFrame) -> dict[str, int]:
    """Count the images of each split and of all, as `source_split` and `image_id` name them."""
    images = persons[["source_split", "image_id", "split"]].drop_duplicates()
    counts = images["split"].value_counts()
    return {**{split: int(counts.get(split, 0)) for split in SPLITS}, "all": len(images)}


def _draw_images(train: pd.DataFrame, wanted: int, seed: int) -> list[str]:
    """File names: two records may name the same picture, and it must not stand on both sides."""
    images = train.groupby("file_name").agg(image_id=("image_id", "min"), people=("image_id", "size")).sort_values("image_id")
    names, sizes = images.index.tolist(), images["people"].tolist()
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
        torn = splits_of_image[splits_of_image > 1]
        if len(torn):
            source_split, image = torn.index[0]
            raise DataError(
                f"Image {image} ({key}) of '{source_split}' stands in more than one split: the splits must be disjoint by image."
            )
