"""Accept valid records column by column, so that large files need no Python code per record.

    records  --columns-->  types, numbers  --mask-->  certainly valid
                                                      all others: examined one by one by `record_validation`

A mask may leave out a valid record, but never accepts an invalid one; the tests compare both on damaged files.
"""

import os
import re
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.data.coco.record_validation import MAX_NUMBER, MIN_BOX_SIDE_PX, is_int64

__all__ = ["pick_column", "screen_categories", "screen_images", "screen_records", "to_floats"]

Mask = NDArray[np.bool_]
Objects = NDArray[np.object_]

# The name of a file in the folder itself; `record_validation` examines the others.
_PLAIN_NAME = re.compile(r"(?!\.{1,2}\Z)[^/\\\0\ud800-\udfff]+")


def pick_column(records: Iterable[dict[str, Any]], field: str, default: Any = None) -> Objects:
    """Return the values of a field as (N,) objects.

    Args:
        records: N objects.
        field: name of the field.
        default: value if it is absent.
    """
    return np.fromiter(map(methodcaller("get", field, default), records), dtype=object)


def to_floats(values: Objects) -> NDArray[np.float64]:
    """Return float64; NaN for values that are no numbers (text, booleans, null, lists) and integers beyond floats."""
    if not set(map(type, values)) <= {int, float}:
        types = _types_of(values)
        values = np.where((types == int) | (types == float), values, np.nan)  # noqa: E721
    try:
        return values.astype(np.float64)
    except OverflowError:
        with np.errstate(invalid="ignore"):  # NaN is neither smaller nor larger
            return np.where((values > -MAX_NUMBER) & (values < MAX_NUMBER), values, np.nan).astype(np.float64)


def screen_images(images: Sequence[Any], folder: Path | None) -> Mask:
    """Return (N,) True for the image records that are certainly valid.

    Args:
        images: the records of the file.
        folder: folder of the images; None: files are not checked.
    """
    passed = _are_dicts(images)
    records = _select(images, passed)
    ids, names = pick_column(records, "id"), pick_column(records, "file_name")
    valid = _are_unique(ids) & _are_file_names(names, folder)
    for side in ("height", "width"):
        values = pick_column(records, side)
        valid &= _are_int64(values) & _is_between(to_floats(values), 1, 2**31 - 1)
    passed[passed] = valid
    return passed


def screen_categories(annotations: Sequence[Any], category_id: Any) -> tuple[Mask, Mask]:
    """Return (N,) True for the annotations certainly of the wanted category, and (N,) True for those of another one.

    Args:
        annotations: the records of the file.
        category_id: id of the wanted category; None: every category.
    """
    dicts = _are_dicts(annotations)
    if category_id is None:
        return dicts, np.zeros_like(dicts)
    values = pick_column(_select(annotations, dicts), "category_id", category_id)
    whole = _are_int64(values)
    equal = np.asarray(values == category_id, dtype=np.bool_)
    ours, others = dicts.copy(), dicts.copy()
    ours[dicts], others[dicts] = whole & equal, whole & ~equal
    return ours, others


def screen_records(annotations: Sequence[Any], image_ids: Collection[Any], joint_count: int) -> Mask:
    """Return (N,) True for the annotations that are certainly valid, of any category.

    Args:
        annotations: the records of the file.
        image_ids: ids of the valid images.
        joint_count: K.
    """
    passed = _are_dicts(annotations)
    records = _select(annotations, passed)
    crowds = pick_column(records, "iscrowd", 0)
    valid = _are_unique(pick_column(records, "id"))
    valid &= _are_known(pick_column(records, "image_id"), image_ids)
    valid &= _are_boxes(pick_column(records, "bbox"))
    valid &= np.asarray((crowds == 0) | (crowds == 1), dtype=np.bool_)
    valid &= _are_keypoints(pick_column(records, "keypoints"), joint_count)
    passed[passed] = valid
    return passed


def _are_dicts(records: Sequence[Any]) -> Mask:
    return _equals(_types_of(records), dict)


def _select(records: Sequence[Any], mask: Mask) -> Objects:
    return np.fromiter(records, dtype=object, count=len(records))[mask]


def _are_int64(values: Objects) -> Mask:
    mask = _equals(_types_of(values), int)
    mask[mask] = (values[mask] >= -(2**63)) & (values[mask] < 2**63)
    return mask


def _are_unique(ids: Objects) -> Mask:
    """Return True for unique integer ids; of repeated ones the first valid record stays, so all are examined one by one."""
    mask = _are_int64(ids)
    mask[mask] = ~pd.Series(ids[mask].astype(np.int64)).duplicated(keep=False).to_numpy()
    return mask


def _are_known(ids: Objects, known: Collection[Any]) -> Mask:
    mask = _are_int64(ids)
    mask[mask] = np.isin(ids[mask].astype(np.int64), np.array([item for item in known if is_int64(item)], dtype=np.int64))
    return mask


def _are_file_names(names: Objects, folder: Path | None) -> Mask:
    mask = _equals(_types_of(names), str)
    mask[mask] = [match is not None for match in map(_PLAIN_NAME.fullmatch, names[mask])]
    if folder is not None:
        files = _regular_files(folder)
        mask[mask] = np.fromiter(map(files.__contains__, names[mask]), dtype=np.bool_)
    return mask


def _regular_files(folder: Path) -> frozenset[str]:
    """Return the names of the files and of the links to files in a folder, from one listing."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    except PermissionError:  # not listable: each file is checked by its name
        return frozenset()


def _are_boxes(values: Objects) -> Mask:
    mask, numbers = _lists_of(values, 4)
    mask[mask] = (np.abs(numbers) < MAX_NUMBER).all(axis=1) & (numbers[:, 2:] >= MIN_BOX_SIDE_PX).all(axis=1)
    return mask


def _are_keypoints(values: Objects, joint_count: int) -> Mask:
    unlabelled = _equals(_types_of(values), type(None)) | _lists_of(values, 0)[0]
    mask, numbers = _lists_of(values, 3 * joint_count)
    known = np.isin(numbers[:, 2::3], (0, 1, 2)).all(axis=1)
    mask[mask] = (np.abs(numbers) < MAX_NUMBER).all(axis=1) & known
    return mask | unlabelled


def _lists_of(values: Objects, count: int) -> tuple[Mask, NDArray[np.float64]]:
    """Return which values are lists of this length, and these lists as floats, NaN for values that are no numbers."""
    mask = _equals(_types_of(values), list)
    mask[mask] = np.fromiter(map(len, values[mask]), dtype=np.int64) == count
    lists = values[mask]
    flat = np.fromiter(chain.from_iterable(lists), dtype=object, count=count * len(lists))
    return mask, to_floats(flat).reshape(len(lists), count)


def _types_of(values: Iterable[Any]) -> Objects:
    return np.fromiter(map(type, values), dtype=object)


def _equals(values: Objects, value: Any) -> Mask:
    return np.asarray(values == value, dtype=np.bool_)


def _is_between(values: NDArray[np.float64], low: float, high: float) -> Mask:
    return np.asarray((values >= low) & (values <= high), dtype=np.bool_)
