"""Validate many annotation records at once by their columns.

A record is regular if each of its fields has the type and range that COCO prescribes, so that nothing is rejected or repaired.
Columns show that for thousands of records at once. Every other record is examined by itself (`annotation_validation`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.data.coco.record_validation import MAX_NUMBER, MIN_BOX_SIDE_PX, is_finite, is_int64
from posescope.data.coco.repair import MAX_AREA_OF_BOX, MIN_AREA_OF_BOX

__all__ = ["RecordColumns", "read_columns"]

_EXACT = 2**53  # smaller integers are exact as float64
_NUMBERS = frozenset({int, float})


@dataclass(frozen=True, eq=False)
class RecordColumns:
    """The fields of N records, in COCO's convention of pixels; arbitrary values where a record is not regular.

    Attributes:
        annotation_ids, image_ids: (N,) int64.
        boxes: (N, 4) float64 x, y, w, h, px.
        areas: (N,) float64 px^2.
        points: (N, K, 2) float64 x, y, px, as the records have them.
        visibility: (N, K) uint8.
        is_crowd: (N,) bool.
        is_regular: (N,) bool: neither its id is known to be new nor its image to exist.
        is_other: (N,) bool: has another integer category.
        is_uncategorised: (N,) bool: has no category.
    """

    annotation_ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    points: NDArray[np.float64]
    visibility: NDArray[np.uint8]
    is_crowd: NDArray[np.bool_]
    is_regular: NDArray[np.bool_]
    is_other: NDArray[np.bool_]
    is_uncategorised: NDArray[np.bool_]


def read_columns(records: Sequence[Any], joint_count: int, category_id: Any) -> RecordColumns:
    """Return the columns of records, and which of the records are regular.

    Args:
        records: the records of the file, of any type.
        joint_count: K.
        category_id: id of the wanted category; None: every category.
    """
    are_objects = np.fromiter((type(record) is dict for record in records), dtype=np.bool_, count=len(records))
    objects: Sequence[dict[str, Any]] = records if are_objects.all() else [r if type(r) is dict else {} for r in records]
    ids, has_id = _integers([record.get("id") for record in objects])
    image_ids, has_image = _integers([record.get("image_id") for record in objects])
    boxes, has_box = _numbers([record.get("bbox") for record in objects], 4)
    keypoints, has_keypoints = _numbers(_filled([record.get("keypoints") for record in objects], joint_count), 3 * joint_count)
    triples = keypoints.reshape(-1, joint_count, 3)
    crowds, has_crowd = _integers([record.get("iscrowd", 0) for record in objects])
    categories, has_category = _categories(objects, category_id)
    states = triples[..., 2]
    has_states = (states == 0) | (states == 1) | (states == 2)
    labelled = (states > 0).sum(axis=1)
    areas, has_area = _areas(objects, boxes, np.where(crowds == 1, 0, labelled))
    regular = [
        are_objects, has_id, has_image, has_box, has_keypoints, has_crowd, has_category, has_area,
        (crowds == 0) | (crowds == 1),
        boxes[:, 2:].min(axis=1, initial=np.inf) >= MIN_BOX_SIDE_PX,
        has_states.all(axis=1),
        _have_count(objects, labelled),
    ]  # fmt: skip
    is_wanted = np.full(len(objects), True) if category_id is None else categories == category_id
    return RecordColumns(
        annotation_ids=ids,
        image_ids=image_ids,
        boxes=boxes,
        areas=areas,
        points=triples[..., :2],
        visibility=np.where(has_states, states, 0).astype(np.uint8),
        is_crowd=crowds == 1,
        is_regular=np.logical_and.reduce([*regular, is_wanted]),
        is_other=are_objects & has_category & ~is_wanted,
        is_uncategorised=np.fromiter(("category_id" not in record for record in objects), dtype=np.bool_, count=len(objects)),
    )


def _integers(values: list[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return values as (N,) int64 and which of them are integers of 64 bits; 0 stands for the others."""
    if set(map(type, values)) <= {int} and (not values or (min(values) >= -(2**63) and max(values) < 2**63)):
        return np.array(values, dtype=np.int64), np.full(len(values), True)
    valid = np.fromiter(map(is_int64, values), dtype=np.bool_, count=len(values))
    return np.array([value if fits else 0 for value, fits in zip(values, valid.tolist(), strict=True)], dtype=np.int64), valid


def _numbers(rows: list[Any], count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return lists of `count` numbers as (N, count) float64 and which rows are such lists; 0 stands for the other rows."""
    if set(map(type, rows)) <= {list} and set(map(len, rows)) <= {count}:
        flat = list(chain.from_iterable(rows))
        types = set(map(type, flat))
        integers = flat if types == {int} else [number for number in flat if type(number) is int]
        # An integer beyond float64 would raise an error.
        if types <= _NUMBERS and (not integers or (min(integers) > -_EXACT and max(integers) < _EXACT)):
            values = np.array(flat, dtype=np.float64).reshape(len(rows), count)
            are_finite = np.asarray((np.abs(values) < MAX_NUMBER).all(axis=1))
            values[~are_finite] = 0
            return values, are_finite
    valid = [type(row) is list and len(row) == count and all(map(is_finite, row)) for row in rows]
    filled = [row if fits else [0.0] * count for row, fits in zip(rows, valid, strict=True)]
    return np.array(filled, dtype=np.float64).reshape(len(rows), count), np.array(valid, dtype=np.bool_)


def _filled(keypoints: list[Any], joint_count: int) -> list[Any]:
    """Return the keypoints, zeros in place of none: a person without labels is valid, and filtered later."""
    if set(map(type, keypoints)) <= {list} and all(keypoints):
        return keypoints
    unlabelled = [0] * (3 * joint_count)
    return [unlabelled if found is None or found == [] else found for found in keypoints]


def _categories(objects: Sequence[dict[str, Any]], category_id: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the category of each record, and whether it is an integer; every category is if none is wanted."""
    if category_id is None:
        return np.zeros(len(objects), dtype=np.int64), np.full(len(objects), True)
    return _integers([record.get("category_id", category_id) for record in objects])


def _areas(
    objects: Sequence[dict[str, Any]], boxes: NDArray[np.float64], labelled: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the areas, and whether each fits its box and the number of labelled joints as `repair.repair_measures` demands."""
    values = [record.get("area") for record in objects]
    if not set(map(type, values)) <= {float}:
        values = [v if type(v) is float or (type(v) is int and abs(v) < _EXACT) else 0.0 for v in values]
    areas, of_box = np.array(values, dtype=np.float64), boxes[:, 2] * boxes[:, 3]
    smallest = np.maximum(MIN_AREA_OF_BOX * of_box, np.minimum(labelled, 0.1 * of_box))
    return areas, (areas > 0) & (areas <= MAX_AREA_OF_BOX * of_box) & ((labelled == 0) | (areas >= smallest))


def _have_count(objects: Sequence[dict[str, Any]], labelled: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether the number of keypoints of each record is right, or missing."""
    stated = [record.get("num_keypoints") for record in objects]
    if set(map(type, stated)) <= {int}:
        pairs = zip(stated, labelled.tolist(), strict=True)
        return np.fromiter((count == own for count, own in pairs), dtype=np.bool_, count=len(stated))
    right = [count is None or (type(count) is int and count == own) for count, own in zip(stated, labelled.tolist(), strict=True)]
    return np.array(right, dtype=np.bool_)
