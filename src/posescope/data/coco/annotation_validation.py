"""Validate the image and annotation records of a file: repair, reject with a reason, and convert to arrays.

Records are examined in the order of the file: annotations by their columns, many at once (`record_columns`), and those that are
not regular one by one. `record_validation` finds the reason of a rejection. Only a record with a reason is repaired by `repair`,
and then examined again.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.growing_columns import GrowingColumns
from posescope.data.coco.image_lookup import ImageLookup
from posescope.data.coco.record_columns import RecordColumns, read_columns
from posescope.data.coco.record_validation import (
    Issue,
    describe_issue,
    find_annotation_error,
    find_image_error,
    has_other_category,
    is_int64,
)
from posescope.data.coco.repair import Repair, parse_int64, repair_ids, repair_measures, repair_record, repair_sizes
from posescope.data.images.orientation import PixelFrame

__all__ = ["AnnotationValidator", "ValidAnnotations", "ValidImages", "validate_annotations", "validate_images"]


@dataclass(frozen=True)
class ValidImages:
    """The image records of a file.

    Attributes:
        rows: the valid images: index image_id; columns file_name, height, width (px).
        issues: the rejected images.
        repaired: the replaced values, with the `check` of their `Repair`.
    """

    rows: pd.DataFrame
    issues: tuple[Issue, ...]
    repaired: tuple[Issue, ...] = ()


@dataclass(frozen=True, eq=False)
class ValidAnnotations:
    """The valid annotations of the wanted category as repaired records and as arrays, in COCO's convention of pixels.

    Attributes:
        records: N objects; empty if they were not kept.
        annotation_ids, image_ids: (N,) int64.
        boxes: (N, 4) float64 x, y, w, h, by the pixels' edges.
        areas: (N,) float64 px^2.
        points: (N, K, 2) float64 x, y, px, as the records have them.
        visibility: (N, K) uint8.
        is_crowd: (N,) bool.
        issues: the rejected records.
        repaired: the replaced values, with the `check` of their `Repair`.
        other_count: number of records of another category.
        uncategorised: number of the N records without a category.
    """

    records: tuple[dict[str, Any], ...]
    annotation_ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    points: NDArray[np.floating]
    visibility: NDArray[np.uint8]
    is_crowd: NDArray[np.bool_]
    issues: tuple[Issue, ...]
    repaired: tuple[Issue, ...]
    other_count: int
    uncategorised: int

    def __len__(self) -> int:
        return len(self.annotation_ids)

    @property
    def keypoints(self) -> NDArray[np.float64]:
        """(N, K, 3) float64 x, y, v; a new array."""
        return np.concatenate([self.points, self.visibility[..., None]], axis=2)


def validate_images(images: Sequence[Any], folder: Path | None, frame: PixelFrame = "stored") -> ValidImages:
    """Validate and repair image records: integer ids, sizes, names inside the folder, existing files.

    Args:
        images: the records of the file.
        folder: folder of the images; None: files are not checked.
        frame: pixel frame of sizes that are read from image files.
    """
    files, ambiguous = ImageLookup(None if folder is None else folder.resolve(), frame), _find_ambiguous_ids(images)
    valid: dict[int, dict[str, Any]] = {}
    issues: list[Issue] = []
    repaired: list[Issue] = []
    for found in images:
        image = found
        repairs: list[Repair] = []
        reason = find_image_error(image, files.local_root, valid) or files.find_missing(image)
        if reason:
            image, repairs = _repair_image(found, files)
            reason = _find_ambiguity(image, ambiguous) or find_image_error(image, files.local_root, valid)
            reason = reason or files.find_missing(image)
        if reason:
            issues.append(describe_issue(found, "id", "", reason))
            continue
        valid[image["id"]] = image
        repaired += [_describe_repair(repair, image, "id", "") for repair in repairs]
    rows = pd.DataFrame(
        {field: [image[field] for image in valid.values()] for field in ("file_name", "height", "width")},
        index=pd.Index(list(valid), dtype=np.int64),
    )
    return ValidImages(rows.astype({"height": np.int64, "width": np.int64}), tuple(issues), tuple(repaired))


def validate_annotations(
    annotations: Sequence[Any], image_ids: Collection[int], joint_count: int, category_id: Any
) -> ValidAnnotations:
    """Validate and repair annotation records; those of other categories are only counted.

    Args:
        annotations: the records of the file.
        image_ids: ids of the valid images.
        joint_count: K.
        category_id: id of the wanted category; None: every category.
    """
    validator = AnnotationValidator(np.array(list(image_ids), dtype=np.int64), joint_count, category_id)
    validator.add(annotations)
    return validator.finish()


class AnnotationValidator:
    """Validates and repairs the annotation records of a file piece by piece, in the order of the file.

    Args:
        image_ids: (M,) ids of the valid images.
        joint_count: K.
        category_id: id of the wanted category; None: every category.
        keep_records: whether the result has the records; without them it takes a fifth of the memory.
    """

    def __init__(self, image_ids: NDArray[np.int64], joint_count: int, category_id: Any, *, keep_records: bool = True) -> None:
        self._images = _SortedIds(image_ids)
        self._joint_count, self._category_id, self._keep_records = joint_count, category_id, keep_records
        self._seen: set[int] = set()
        self._records: list[dict[str, Any]] = []
        self._issues: list[Issue] = []
        self._repaired: list[Issue] = []
        self._measured: list[Issue] = []
        self._other_count = self._uncategorised = 0
        self._columns = GrowingColumns(
            annotation_ids=np.empty(0, dtype=np.int64),
            image_ids=np.empty(0, dtype=np.int64),
            boxes=np.empty((0, 4)),
            areas=np.empty(0),
            points=np.empty((0, joint_count, 2)),
            visibility=np.empty((0, joint_count), dtype=np.uint8),
            is_crowd=np.empty(0, dtype=np.bool_),
        )

    def add(self, annotations: Sequence[Any]) -> None:
        """Validate the next records of the file.

        Args:
            annotations: records, of any type.
        """
        found = read_columns(annotations, self._joint_count, self._category_id)
        keep = found.is_regular & self._images.contain(found.image_ids)
        keep &= ~self._are_repeated(annotations, found.annotation_ids, keep, ~keep & ~found.is_other)
        records: dict[int, dict[str, Any]] = {}
        for row in np.flatnonzero(~keep & ~found.is_other).tolist():
            record = self._examine(annotations[row])
            if record is not None:
                records[row] = record
                _fill_row(found, row, record)
        self._seen.update(found.annotation_ids[keep].tolist())
        keep[list(records)] = True
        rows = np.flatnonzero(keep)
        self._other_count += int(found.is_other.sum())
        self._uncategorised += int(found.is_uncategorised[rows].sum())
        self._columns.append({name: getattr(found, name)[rows] for name in self._columns.names})
        if self._keep_records:
            self._records += [records.get(row) or annotations[row] for row in rows.tolist()]

    def finish(self) -> ValidAnnotations:
        """Return the records that were added."""
        return ValidAnnotations(
            records=tuple(self._records),
            **self._columns.finish(),
            issues=tuple(self._issues),
            repaired=(*self._repaired, *self._measured),
            other_count=self._other_count,
            uncategorised=self._uncategorised,
        )

    def _are_repeated(
        self, annotations: Sequence[Any], ids: NDArray[np.int64], regular: NDArray[np.bool_], examined: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return which regular records share their id with any other record: which of them is first is found one by one."""
        found = ids[regular].tolist()
        others = {_id_of(annotations[row]) for row in np.flatnonzero(examined).tolist()}
        if len(set(found)) == len(found) and self._seen.isdisjoint(found) and others.isdisjoint(found):
            return np.zeros(len(ids), dtype=np.bool_)
        counts = Counter(found)
        repeated = [counts[number] > 1 or number in self._seen or number in others for number in ids.tolist()]
        return np.array(repeated, dtype=np.bool_)

    def _examine(self, found: Any) -> dict[str, Any] | None:
        """Return a record, repaired if needed; None if it is rejected or of another category."""
        record, repairs = found, list[Repair]()
        arguments = (self._joint_count, self._category_id, self._images, self._seen)
        reason = find_annotation_error(record, *arguments)
        if reason:
            record, repairs = repair_record(found, self._joint_count)
            if has_other_category(record, self._category_id):
                self._other_count += 1
                return None
            reason = find_annotation_error(record, *arguments)
        if reason:
            self._issues.append(describe_issue(found, "image_id", "id", reason))
            return None
        self._seen.add(record["id"])
        self._repaired += [_describe_repair(repair, record, "image_id", "id") for repair in repairs]
        measured, repairs = repair_measures(record)
        self._measured += [_describe_repair(repair, measured, "image_id", "id") for repair in repairs]
        return measured


class _SortedIds:
    """A set of ids in an array, which takes a tenth of the memory of a set of Python integers.

    Args:
        ids: (M,), in any order.
    """

    def __init__(self, ids: NDArray[np.int64]) -> None:
        self._ids = np.sort(ids)

    def __contains__(self, number: object) -> bool:
        return is_int64(number) and bool(self.contain(np.array([number], dtype=np.int64))[0])

    def contain(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of the numbers (N,) are in the set."""
        if not len(self._ids):
            return np.zeros(len(numbers), dtype=np.bool_)
        places = np.minimum(np.searchsorted(self._ids, numbers), len(self._ids) - 1)
        return np.asarray(self._ids[places] == numbers)


def _id_of(record: Any) -> int | None:
    return parse_int64(record.get("id")) if isinstance(record, dict) else None


def _fill_row(columns: RecordColumns, row: int, record: dict[str, Any]) -> None:
    """Write a valid record into a row of the columns."""
    joint_count = columns.visibility.shape[1]
    keypoints = np.array(record.get("keypoints") or [0] * (3 * joint_count), dtype=np.float64).reshape(joint_count, 3)
    columns.annotation_ids[row], columns.image_ids[row] = record["id"], record["image_id"]
    columns.boxes[row], columns.areas[row] = record["bbox"], record["area"]
    columns.points[row], columns.visibility[row] = keypoints[:, :2], keypoints[:, 2]
    columns.is_crowd[row] = bool(record.get("iscrowd", 0))
    columns.is_uncategorised[row] = "category_id" not in record


def _repair_image(image: Any, files: ImageLookup) -> tuple[Any, list[Repair]]:
    if not isinstance(image, dict):
        return image, []
    image, of_id = repair_ids(image, ("id",))
    image, of_name = files.repair_name(image)
    sizes = (image.get("height"), image.get("width"))
    lacks_size = not all((parse_int64(size) or 0) > 0 for size in sizes)
    image, of_size = repair_sizes(image, files.read_size(image.get("file_name")) if lacks_size else None)
    return image, [*of_id, *of_name, *of_size]


def _find_ambiguous_ids(images: Sequence[Any]) -> set[int]:
    """Return the ids that are written as different texts ("1" and "01"): the image that an annotation means is ambiguous."""
    texts = {image["id"] for image in images if isinstance(image, dict) and isinstance(image.get("id"), str)}
    counts = Counter(parse_int64(text) for text in texts)
    return {number for number, count in counts.items() if number is not None and count > 1}


def _find_ambiguity(image: Any, ambiguous: set[int]) -> str:
    number = parse_int64(image.get("id")) if isinstance(image, dict) else None
    return "image id is repeated in two spellings" if number in ambiguous else ""


def _describe_repair(repair: Repair, record: dict[str, Any], image_field: str, annotation_field: str) -> Issue:
    issue = describe_issue(record, image_field, annotation_field, repair.reason)
    return {**issue, "detail": repair.value, "check": repair.check}
