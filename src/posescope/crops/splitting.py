"""The test set: as many persons as the validation set, drawn from the training set by whole image."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from posescope.crops.options import SplitOptions
from posescope.errors import DataError
from posescope.tables import SPLITS, Distribution, Persons

__all__ = ["SplitPersons", "draw_test_set"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitPersons:
    """Attributes: persons: a `Persons` table with the final splits; distribution: a `Distribution` table."""

    persons: pd.DataFrame
    distribution: pd.DataFrame


def draw_test_set(persons: pd.DataFrame, options: SplitOptions) -> SplitPersons:
    """Move whole images from train to test, in a seeded random order, until the test set is full.

    Full: as many persons as the validation set has, at most `test_share_max` of the training persons. An image that would
    overfill it is passed over, so the number is met exactly whenever single-person images are left.

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
    drawn = _draw_images(persons[persons["split"] == "train"], min(wanted, limit), options.seed)
    result = persons.assign(
        split=np.where((persons["split"] == "train") & persons["image_id"].isin(drawn), "test", persons["split"])
    )
    _check_disjoint(result)
    return SplitPersons(persons=pd.DataFrame(Persons.validate(result)), distribution=_distribution(result))


def _draw_images(train: pd.DataFrame, wanted: int, seed: int) -> list[int]:
    per_image = train.groupby("image_id").size().sort_index()
    order = np.random.default_rng(seed).permutation(len(per_image))
    drawn: list[int] = []
    left = wanted
    for place in order:
        size = int(per_image.iloc[place])
        if size <= left:
            drawn.append(int(per_image.index[place]))
            left -= size
        if left == 0:
            break
    return drawn


def _check_disjoint(persons: pd.DataFrame) -> None:
    splits_of_image = persons.groupby(["source_split", "image_id"])["split"].nunique()
    torn = splits_of_image[splits_of_image > 1]
    if len(torn):
        raise DataError(f"Image {torn.index[0]} stands in more than one split: the splits must be disjoint by image.")


def _distribution(persons: pd.DataFrame) -> pd.DataFrame:
    rows = []
    all_images = len(persons.groupby(["source_split", "image_id"]))
    for split in (*SPLITS, "all"):
        part = persons if split == "all" else persons[persons["split"] == split]
        images = len(part.groupby(["source_split", "image_id"]))
        rows.append((split, images, len(part), images / all_images, len(part) / len(persons)))
    return pd.DataFrame(Distribution.validate(pd.DataFrame(rows, columns=list(Distribution.to_schema().columns))))
