"""Splits that the project makes of a data set with one annotation file and one folder of images.

The validation set is drawn when the annotations are read, so that all later steps see a training and a validation set as in an
official data set. The test and the calibration set are drawn later, from the persons with a crop box
(`posescope.data.crops.dataset_split`), by the same images or groups.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from posescope.core.errors import DataError
from posescope.core.plugins import Options
from posescope.data.coco.record_validation import format_value
from posescope.data.coco.repair import parse_int64
from posescope.data.whole_units import draw_units

__all__ = ["ProjectSplit", "assign_validation", "groups_of_images"]

logger = logging.getLogger(__name__)

_VALIDATION_STREAM = 2


class ProjectSplit(Options):
    """How the project splits one annotation file into training, validation and test set."""

    val: float = Field(0.1, gt=0, lt=1, description="fraction of the persons that goes to the validation set")
    test: float = Field(0.1, ge=0, lt=1, description="fraction of the persons that goes to the test set; 0: no test set")
    by: Literal["image", "group"] = Field(
        "image", description="image: whole images are drawn; group: all images with one value of the field `group`"
    )
    group: str | None = Field(
        None, min_length=1, description="field of the image records with the group, such as a video or a subject"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the draw of the validation set")

    @model_validator(mode="after")
    def _is_complete(self) -> "ProjectSplit":
        if self.val + self.test >= 1:
            raise ValueError(f"val and test: expected a sum below 1, found {self.val:g} + {self.test:g}")
        if self.by == "group" and self.group is None:
            raise ValueError("group: expected the name of a field of the image records, as by: group needs it, found null")
        if self.by == "image" and self.group is not None:
            raise ValueError(f"group: expected null with by: image, found '{self.group}'; set by: group to split by this field")
        return self


def groups_of_images(images: Sequence[Any], options: ProjectSplit, path: Path) -> dict[int, str]:
    """Return the group of each image by its id.

    Args:
        images: image records of the annotation file.
        options: names the field, whose values are texts or integers.
        path: the annotation file, for error messages.

    Raises:
        DataError: if an image record has no such field, or another value.
    """
    records = [(parse_int64(image.get("id")), image) for image in images if isinstance(image, dict)]
    known = [(number, image.get(options.group or "")) for number, image in records if number is not None]
    wrong = [(number, value) for number, value in known if not _is_group(value)]
    if wrong:
        number, value = wrong[0]
        raise DataError(
            f"{path}: images: expected a text or an integer in the field '{options.group}' of every image record "
            f"(data_engineering.source.split.group), found {len(wrong)} of {len(known)} without it, such as image {number} with "
            f"{format_value(value)}. Add the field, name another one, or set data_engineering.source.split.by to image."
        )
    return {number: str(value) for number, value in known}


def assign_validation(persons: pd.DataFrame, options: ProjectSplit, path: Path) -> pd.DataFrame:
    """Move whole images or groups from train to val.

    Args:
        persons: a `Persons` table of the annotation file, all of the split train; with the column `group` if the option `by` is
            group.
        options: fractions and seed.
        path: the annotation file, for error messages.

    Returns:
        The same table with the splits train and val.

    Raises:
        DataError: if no image or group is small enough for the validation set.
    """
    unit = "group" if options.by == "group" else "file_name"
    wanted = round(options.val * len(persons))
    rng = np.random.default_rng([options.seed, _VALIDATION_STREAM])
    drawn = draw_units(persons[unit], persons["image_id"], wanted, rng)
    result = persons.assign(split=np.where(persons[unit].isin(drawn), "val", "train"))
    count = int((result["split"] == "val").sum())
    if count == 0:
        sizes = persons[unit].value_counts()
        raise DataError(
            f"{path}: no {options.by} is small enough for a validation set of {options.val:g} of {len(persons)} persons: the "
            f"smallest of {len(sizes)} has {sizes.min() if len(sizes) else 0}. Increase data_engineering.source.split.val"
            f"{', or set split.by to image' if options.by == 'group' else ''}."
        )
    logger.info(
        "%s: %d of %d persons drawn for the validation set, in %d of %d %ss",
        path.name, count, len(persons), len(drawn), persons[unit].nunique(), options.by,
    )  # fmt: skip
    return result


def _is_group(value: Any) -> bool:
    return (isinstance(value, str) and value != "") or (isinstance(value, int) and not isinstance(value, bool))
