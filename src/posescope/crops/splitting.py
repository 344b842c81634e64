"""The test set (as many persons as the validation set, drawn from the training set by whole image), and the splits' sizes."""

import logging

import numpy as np
import pandas as pd

from posescope.crops.options import SplitOptions
from posescope.crops.store import CropStore
from posescope.errors import DataError
from posescope.tables import SPLITS, Distribution, Persons

__all__ = ["count_distribution", "draw_test_set"]

logger = logging.getLogger(__name__)


def draw_test_set(persons: pd.DataFrame, options: SplitOptions) -> pd.DataFrame:
    """Move whole images from train to test, in a seeded random order, until the test set is full.

    Full: as many persons as the validation set has, at most `test_share_max` of the training persons. An image that would
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
    limit = int(options.test_share_max * counts["train"])
    if limit < wanted:
        logger.warning(
            "The test set is capped: %d persons, not the %d of the validation set (test_share_max = %g of %d training persons)",
            limit, wanted, options.test_share_max, counts["train"],
        )  # fmt: skip
    train = persons["split"] == "train"
    drawn = _draw_images(persons[train], min(wanted, limit), options.seed)
    result = persons.assign(split=np.where(train & persons["file_name"].isin(drawn), "test", persons["split"]))
    _check_disjoint(result)
    return pd.DataFrame(Persons.validate(result))


def count_distribution(persons: pd.DataFrame, store: CropStore) -> pd.DataFrame:
    """Images and persons of each split; who has no crop, because the image could not be read, does not count.

    Args:
        persons: a `Persons` table with the final splits.
        store: the finished crops, of at least one person.

    Returns:
        A `Distribution` table.
    """
    cut = persons[persons["person_id"].isin(store.person_ids())]
    rows = []
    all_images = len(cut.groupby(["source_split", "image_id"]))
    for split in (*SPLITS, "all"):
        part = cut if split == "all" else cut[cut["split"] == split]
        images = len(part.groupby(["source_split", "image_id"]))
        rows.append((split, images, len(part), images / all_images, len(part) / len(cut)))
    return pd.DataFrame(Distribution.validate(pd.DataFrame(rows, columns=list(Distribution.to_schema().columns))))


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
