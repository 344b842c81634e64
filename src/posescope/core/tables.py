"""Schemas of the tables that pass between stages; the catalog validates a table whenever it is saved or loaded.

An integer coordinate is the centre of a pixel. Only the reader and the writer of COCO files use COCO's convention for boxes.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray
from pandera.typing.pandas import Series

from posescope.core.keypoint_arrays import values_by_joint

__all__ = [
    "CropBoxes", "DataQuality", "Distribution", "History", "Issues", "Keypoints", "Persons", "Predictions", "Trials",
    "box_sizes_of", "crop_boxes_fingerprint", "ids_of", "images_of", "join_joints", "joints_of", "matrices_of",
    "required_columns", "split_fingerprint", "table_of", "weights_of",
]  # fmt: skip

DRAWN_SPLITS = ("test", "calibration")  # drawn from the training set
SPLITS = ("train", "val", *DRAWN_SPLITS)


class _Table(pa.DataFrameModel):
    class Config:
        strict = True
        coerce = True

    @classmethod
    def validate(cls, check_obj: pd.DataFrame, *arguments: Any, **options: Any) -> Any:
        """Return the table with the types of the schema; `check_obj` stays unchanged.

        The base class copies the table first. A shallow copy does: pandas copies a column when it is changed.

        Args:
            check_obj: the table.
            *arguments, **options: those of `pandera.pandas.DataFrameModel.validate`, except `inplace`.
        """
        return super().validate(check_obj.copy(deep=False), *arguments, **{**options, "inplace": True})


class Persons(_Table):
    """One row per person.

    `person_id` is assigned and unique over all splits; an `annotation_id` may occur in train and in val. `area` is COCO's area of
    the segment, px^2. `split` is train, val, test or calibration. `group` is the group of the image; only data that the project
    splits by groups has it. `source` is the name of the data set, which `source_split` then begins with; only data of several
    sources has it, and its ids are unique over all sources (`posescope.data.coco.sources`).
    """

    person_id: Series[np.int64] = pa.Field(unique=True, ge=0)
    source_split: Series[str]
    annotation_id: Series[np.int64]
    image_id: Series[np.int64]
    file_name: Series[str]
    split: Series[str] = pa.Field(isin=SPLITS)
    image_h: Series[np.int32] = pa.Field(gt=0)
    image_w: Series[np.int32] = pa.Field(gt=0)
    bbox_x: Series[np.float32]
    bbox_y: Series[np.float32]
    bbox_w: Series[np.float32] = pa.Field(ge=0)
    bbox_h: Series[np.float32] = pa.Field(ge=0)
    area: Series[np.float32] = pa.Field(ge=0)
    is_crowd: Series[bool]
    group: Series[str] | None
    source: Series[str] | None


class Keypoints(_Table):
    """One row per person and joint; x, y in image px, NaN if visibility is 0.

    `joint_name` is the name of joint number `joint`. Tables of older versions lack it and cannot be matched to a model. `weight`
    is the factor of the joint in the loss, 0 where the source of the person does not annotate it; only data of several sources
    has it.
    """

    person_id: Series[np.int64]
    joint: Series[np.uint8]
    x: Series[np.float32] = pa.Field(nullable=True)
    y: Series[np.float32] = pa.Field(nullable=True)
    visibility: Series[np.uint8] = pa.Field(le=2)
    joint_name: Series[pd.CategoricalDtype] | None
    weight: Series[np.float32] | None = pa.Field(ge=0)


class Issues(_Table):
    """One row per record that was rejected, repaired or warned about: its source and the reason.

    `annotation_id` is -1 for an image. Records with the outcome `repaired` or `warned` are used.
    """

    source_split: Series[str]
    image_id: Series[np.int64]
    annotation_id: Series[np.int64]
    file_name: Series[str]
    step: Series[str]
    outcome: Series[str] = pa.Field(isin=("rejected", "repaired", "warned"))
    reason: Series[str]
    detail: Series[str]


class DataQuality(_Table):
    """One row per check and split with a finding in the files of the data set; see `data.coco.data_quality.QualityFinding`.

    `data` is the fingerprint of the data (`posescope.core.origin`), in the table that has the findings of all steps.
    """

    severity: Series[str] = pa.Field(isin=("repaired", "warned", "refused"))
    split: Series[str]
    check: Series[str]
    records: Series[np.int64] = pa.Field(ge=0)
    fraction: Series[np.float64] = pa.Field(ge=0, le=1)
    detail: Series[str]
    remedy: Series[str]
    data: Series[str] | None


class CropBoxes(_Table):
    """One row per accepted person: the crop box in whole image px, and `crop_from_image` by rows (a b c; d e f).

    `side` is the longer side of the box. Tables of crops that are not square have `width` and `height` as well.
    """

    person_id: Series[np.int64] = pa.Field(unique=True)
    left: Series[np.int64]
    top: Series[np.int64]
    side: Series[np.int64] = pa.Field(ge=1)
    width: Series[np.int64] | None = pa.Field(ge=1)
    height: Series[np.int64] | None = pa.Field(ge=1)
    a: Series[np.float64]
    b: Series[np.float64]
    c: Series[np.float64]
    d: Series[np.float64]
    e: Series[np.float64]
    f: Series[np.float64]


class Predictions(_Table):
    """One row per person and joint: the prediction of a network, or the matched result of another system.

    `x` and `y` are image px. `crop_x` and `crop_y` are crop px as the network's decoder returned them; they are missing from
    another system's results and from tables of older versions. `person_score`, the same in all rows of a person, is the score of
    another system's result; the score of a network's person is the mean of its joint scores. `model`, `data` and `results` are
    fingerprints (`posescope.core.origin`).
    """

    person_id: Series[np.int64]
    joint: Series[np.uint8]
    x: Series[np.float32]
    y: Series[np.float32]
    crop_x: Series[np.float32] | None = pa.Field(nullable=True)
    crop_y: Series[np.float32] | None = pa.Field(nullable=True)
    score: Series[np.float32]
    person_score: Series[np.float32] | None
    model: Series[str] | None
    data: Series[str] | None
    results: Series[str] | None


class Distribution(_Table):
    """Images and persons of each split, with their fractions (0..1).

    `images` and `persons` count those with a crop. `images_with_persons` counts the images with at least one well-formed person
    record before any person was rejected, crowds and persons without labelled joints included; tables of older runs lack it.
    `data` is the fingerprint of the data (`posescope.core.origin`).
    """

    split: Series[str] = pa.Field(isin=(*SPLITS, "all"))
    images_with_persons: Series[np.int64] | None = pa.Field(ge=0)
    images: Series[np.int64]
    persons: Series[np.int64]
    images_fraction: Series[np.float64]
    persons_fraction: Series[np.float64]
    data: Series[str] | None


class History(_Table):
    """One row per epoch of training.

    `model` and `data` are fingerprints of the trained model and of its data (`posescope.core.origin`).
    """

    epoch: Series[np.int64]
    train_loss: Series[np.float64]
    val_loss: Series[np.float64]
    val_pck_thesis: Series[np.float64] = pa.Field(nullable=True)
    learning_rate: Series[np.float64]
    seconds: Series[np.float64]
    model: Series[str] | None
    data: Series[str] | None


class Trials(_Table):
    """One row per trial of a search; each searched parameter has a column, named by its dotted path.

    `number` is 1-based; `value` is the best validation PCK of its epochs, 0..1, NaN if there was none; `reason` is that of
    a failure.
    """

    number: Series[np.int64] = pa.Field(unique=True, ge=1)
    state: Series[str] = pa.Field(isin=("completed", "pruned", "failed"))
    value: Series[np.float64] = pa.Field(nullable=True, ge=0, le=1)
    epochs: Series[np.int64] = pa.Field(ge=0)
    seconds: Series[np.float64] = pa.Field(ge=0)
    reason: Series[str]

    class Config:  # noqa: D106
        strict = False
        coerce = True


TableModel = TypeVar("TableModel", bound=pa.DataFrameModel)


def required_columns(schema: type[TableModel]) -> list[str]:
    """Return the names of the required columns of a schema, in order."""
    return [str(name) for name, column in schema.to_schema().columns.items() if column.required]


def table_of(schema: type[TableModel], records: Sequence[Any]) -> pd.DataFrame:
    """Return a table with the required columns of a schema, one row per record.

    Args:
        schema: The schema.
        records: Objects with an attribute per column.
    """
    columns = required_columns(schema)
    frame = pd.DataFrame([[getattr(record, name) for name in columns] for record in records], columns=columns)
    return pd.DataFrame(schema.validate(frame))


def ids_of(persons: pd.DataFrame, split: str) -> NDArray[np.int64]:
    """Return the ids of the persons of a split, (N,), ascending.

    Args:
        persons: A `Persons` table.
        split: train, val, test or calibration.
    """
    return np.sort(persons.loc[persons["split"] == split, "person_id"].to_numpy(dtype=np.int64))


def images_of(persons: pd.DataFrame, split: str) -> NDArray[np.int64]:
    """Return the ids of the images with persons of a split, (M,), ascending, each once.

    Args:
        persons: A `Persons` table.
        split: train, val, test or calibration.
    """
    return np.unique(persons.loc[persons["split"] == split, "image_id"].to_numpy(dtype=np.int64))


def joints_of(keypoints: pd.DataFrame, person_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the rows of a long keypoint table as an array.

    Args:
        keypoints: A `Keypoints` or `Predictions` table; each person has all K joints.
        person_ids: (N,) persons, in the order of the result.

    Returns:
        (N, K, 3) float64: x, y (image px, NaN if missing) and visibility (or score).

    Raises:
        DataError: if a person is not in the table.
    """
    return values_by_joint(keypoints, person_ids, ["x", "y", "visibility" if "visibility" in keypoints else "score"])


def weights_of(keypoints: pd.DataFrame, person_ids: NDArray[np.int64]) -> NDArray[np.float32] | None:
    """Return the factors of the joints in the loss, (N, K) float32; None if the table has none, so that all are 1.

    Args:
        keypoints: A `Keypoints` table; each person has all K joints.
        person_ids: (N,) persons, in the order of the result.

    Raises:
        DataError: if a person is not in the table.
    """
    return values_by_joint(keypoints, person_ids, ["weight"])[..., 0].astype(np.float32) if "weight" in keypoints else None


def join_joints(
    person_ids: NDArray[np.int64],
    joints: NDArray[np.floating],
    third: NDArray[np.generic],
    name: str,
    crop_joints: NDArray[np.floating] | None = None,
) -> pd.DataFrame:
    """Return arrays of joints as a long table with the columns person_id, joint, x, y, crop_x and crop_y (if given) and `name`.

    Args:
        person_ids: (N,).
        joints: (N, K, 2) image px.
        third: (N, K) values of the column `name`.
        name: visibility or score.
        crop_joints: (N, K, 2) crop px.
    """
    count, joint_count = third.shape
    coordinates = {"x": joints[..., 0], "y": joints[..., 1]}
    if crop_joints is not None:
        coordinates |= {"crop_x": crop_joints[..., 0], "crop_y": crop_joints[..., 1]}
    return pd.DataFrame(
        {
            "person_id": np.repeat(person_ids, joint_count),
            "joint": np.tile(np.arange(joint_count, dtype=np.uint8), count),
            **{column: values.ravel().astype(np.float32) for column, values in coordinates.items()},
            name: third.ravel(),
        },
        copy=False,  # the columns are new arrays, of hundreds of MB for a million persons
    )


def matrices_of(crop_boxes: pd.DataFrame) -> NDArray[np.float64]:
    """Return `crop_from_image` of each row, (N, 2, 3) float64."""
    return crop_boxes[["a", "b", "c", "d", "e", "f"]].to_numpy(dtype=np.float64).reshape(-1, 2, 3)


def box_sizes_of(crop_boxes: pd.DataFrame) -> NDArray[np.int64]:
    """Return the (height, width) px of the crop box of each row of a `CropBoxes` table, (N, 2)."""
    columns = ["height", "width"] if "height" in crop_boxes else ["side", "side"]
    return crop_boxes[columns].to_numpy(dtype=np.int64)


def crop_boxes_fingerprint(crop_boxes: pd.DataFrame) -> str:
    """Return a fingerprint of the persons and boxes of a `CropBoxes` table, 16 hex digits, independent of the row order."""
    columns = ["person_id", "left", "top", *(name for name in ("side", "width", "height") if name in crop_boxes)]
    boxes = crop_boxes.sort_values("person_id")[columns].to_numpy(dtype=np.int64)
    return hashlib.sha256(np.ascontiguousarray(boxes).tobytes()).hexdigest()[:16]


def split_fingerprint(persons: pd.DataFrame, split: str) -> str:
    """Return a fingerprint of the annotations of a split, 16 hex digits, independent of the row order.

    Args:
        persons: A `Persons` table.
        split: train, val, test or calibration.
    """
    people = persons.loc[persons["split"] == split, ["source_split", "image_id", "annotation_id"]]
    rows = people.sort_values(["source_split", "image_id", "annotation_id"]).itertuples(index=False)
    return hashlib.sha256("\n".join(f"{row[0]} {row[1]} {row[2]}" for row in rows).encode()).hexdigest()[:16]
