"""The checks of the records: what is malformed is set aside with its reason, the rest comes out as arrays.

`screening` passes what is well-formed for certain, column by column; `faults` looks at the others one by one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.coco.faults import Issue, describe_issue, find_image_fault, find_record_fault, is_of_other_category
from posescope.coco.screening import pick_column, screen_categories, screen_images, screen_records, to_floats

__all__ = ["ImageChecks", "RecordChecks", "SortedRecords", "find_bad_images", "find_bad_records", "sort_records"]


@dataclass(frozen=True)
class ImageChecks:
    """Attributes: rows: index image_id, columns file_name, height, width of the well-formed images; issues: the others."""

    rows: pd.DataFrame
    issues: tuple[Issue, ...]


@dataclass(frozen=True)
class RecordChecks:
    """The well-formed annotations of the wanted category, as arrays in COCO's own convention.

    Attributes:
        annotation_ids, image_ids: (N,) int64.
        boxes: (N, 4) float64 x, y, w, h, COCO edges.
        areas: (N,) float64 px^2.
        keypoints: (N, K, 3) float64 x, y, v as they stand in the file.
        is_crowd: (N,) bool.
        issues: the records that were set aside.
        other_count: how many records are of another category.
    """

    annotation_ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]
    issues: tuple[Issue, ...]
    other_count: int


@dataclass(frozen=True)
class SortedRecords:
    """The annotations of a file, parted.

    Attributes:
        good: the well-formed annotations of the wanted category, as they stand in the file.
        issues: the malformed ones.
        other_count: how many are of another category.
    """

    good: tuple[dict[str, Any], ...]
    issues: tuple[Issue, ...]
    other_count: int


def find_bad_images(images: Sequence[Any], folder: Path | None) -> ImageChecks:
    """Check the list of images: whole ids, sizes, names that stay inside the folder, files that are there.

    Args:
        images: as they stand in the file.
        folder: of the images; None: nobody looks for the files.
    """
    good = screen_images(images, folder)
    known = set(pick_column(compress(images, good), "id"))
    root = None if folder is None else folder.resolve()
    issues: list[Issue] = []
    for place in np.flatnonzero(~good).tolist():
        reason = find_image_fault(images[place], root, known)
        if reason:
            issues.append(describe_issue(images[place], "id", "", reason))
        else:
            good[place] = True
            known.add(images[place]["id"])
    records = list(compress(images, good))
    rows = pd.DataFrame(
        {field: pick_column(records, field) for field in ("file_name", "height", "width")},
        index=pd.Index(pick_column(records, "id").astype(np.int64)),
    )
    return ImageChecks(rows=rows.astype({"height": np.int64, "width": np.int64}), issues=tuple(issues))


def find_bad_records(annotations: Sequence[Any], images: ImageChecks, joint_count: int, category_id: Any) -> RecordChecks:
    """Check the annotations; those of other categories are none of ours, and are counted only."""
    return _as_arrays(sort_records(annotations, images.rows.index.tolist(), joint_count, category_id), joint_count)


def sort_records(annotations: Sequence[Any], image_ids: Collection[int], joint_count: int, category_id: Any) -> SortedRecords:
    """Part the well-formed annotations from the malformed.

    Args:
        annotations: as they stand in the file.
        image_ids: of the images that a record may name.
        joint_count: K.
        category_id: of the records wanted; those of other categories are left out. None: every category.
    """
    ours, others = screen_categories(annotations, category_id)
    good = ours & screen_records(annotations, image_ids, joint_count)
    known = set(image_ids)
    seen: set[int] = set()  # ids that the screening passed stand once, so only those of doubtful records can meet
    issues: list[Issue] = []
    for place in np.flatnonzero(~(good | others)).tolist():
        record = annotations[place]
        if is_of_other_category(record, category_id):
            others[place] = True
            continue
        reason = find_record_fault(record, joint_count, category_id, known, seen)
        if reason:
            issues.append(describe_issue(record, "image_id", "id", reason))
        else:
            good[place] = True
            seen.add(record["id"])
    return SortedRecords(tuple(compress(annotations, good)), tuple(issues), int(others.sum()))


def _as_arrays(records: SortedRecords, joint_count: int) -> RecordChecks:
    good = records.good
    boxes = np.array(pick_column(good, "bbox").tolist(), dtype=np.float64).reshape(-1, 4)
    areas = to_floats(pick_column(good, "area"))
    return RecordChecks(
        annotation_ids=pick_column(good, "id").astype(np.int64),
        image_ids=pick_column(good, "image_id").astype(np.int64),
        boxes=boxes,
        # A file without areas (other people's data) still has a scale for OKS: the box's area.
        areas=np.where(np.isnan(areas), boxes[:, 2] * boxes[:, 3], areas),
        keypoints=_keypoint_array(good, joint_count),
        is_crowd=pick_column(good, "iscrowd", 0).astype(np.bool_),
        issues=records.issues,
        other_count=records.other_count,
    )


def _keypoint_array(records: Sequence[dict[str, Any]], joint_count: int) -> NDArray[np.float64]:
    lists = pick_column(records, "keypoints")
    annotated = lists.astype(np.bool_)  # neither null nor empty
    result = np.zeros((len(lists), joint_count, 3))
    result[annotated] = np.array(lists[annotated].tolist(), dtype=np.float64).reshape(-1, joint_count, 3)
    return result
