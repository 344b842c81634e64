"""Validate the image and annotation records of a file: repair, reject with a reason, and convert to arrays.

`vectorised_validation` accepts records that are certainly valid, column by column. The others are examined one by one:
`repair` replaces known values, and `record_validation` finds the reason of a rejection.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.data.coco.image_lookup import ImageLookup
from posescope.data.coco.record_validation import (
    Issue,
    describe_issue,
    find_annotation_error,
    find_image_error,
    format_value,
    has_other_category,
    is_int64,
)
from posescope.data.coco.repair import (
    AREA_OF_BOX,
    Repair,
    parse_int64,
    repair_areas,
    repair_ids,
    repair_record,
    repair_sizes,
    stale_keypoint_counts,
)
from posescope.data.coco.vectorised_validation import pick_column, screen_categories, screen_images, screen_records, to_floats
from posescope.data.images.orientation import PixelFrame

__all__ = [
    "PartitionedRecords", "RecordRepair", "ValidAnnotations", "ValidImages", "partition_records", "validate_annotations",
    "validate_images",
]  # fmt: skip


@dataclass(frozen=True)
class RecordRepair:
    """Attributes: repair: a replaced value; issue: the row of the `Issues` table about its record."""

    repair: Repair
    issue: Issue


@dataclass(frozen=True)
class ValidImages:
    """The image records of a file.

    Attributes:
        rows: the valid images: index image_id; columns file_name, height, width (px).
        issues: the rejected images.
        repaired: the replaced values.
    """

    rows: pd.DataFrame
    issues: tuple[Issue, ...]
    repaired: tuple[RecordRepair, ...] = ()


@dataclass(frozen=True)
class ValidAnnotations:
    """The valid annotations of the wanted category as arrays, in COCO's convention of pixels.

    Attributes:
        annotation_ids, image_ids: (N,) int64.
        boxes: (N, 4) float64 x, y, w, h, by the pixels' edges.
        areas: (N,) float64 px^2.
        keypoints: (N, K, 3) float64 x, y, v.
        is_crowd: (N,) bool.
        issues: the rejected records.
        other_count: number of records of another category.
        repaired: the replaced values.
        uncategorised_count: number of records without a category.
    """

    annotation_ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]
    issues: tuple[Issue, ...]
    other_count: int
    repaired: tuple[RecordRepair, ...] = ()
    uncategorised_count: int = 0


@dataclass(frozen=True, eq=False)
class PartitionedRecords:
    """The annotations of a file, divided into valid and rejected ones.

    Attributes:
        valid: the N valid annotations of the wanted category, with repaired values.
        keypoints: (N, K, 3) float64 x, y, v of these.
        issues: the rejected ones.
        repaired: the replaced values.
        other_count: number of records of another category.
    """

    valid: tuple[dict[str, Any], ...]
    keypoints: NDArray[np.float64]
    issues: tuple[Issue, ...]
    repaired: tuple[RecordRepair, ...]
    other_count: int


def validate_images(images: Sequence[Any], folder: Path | None, frame: PixelFrame = "stored") -> ValidImages:
    """Validate and repair image records: integer ids, sizes, names inside the folder, existing files.

    Args:
        images: the records of the file.
        folder: folder of the images; None: files are not checked.
        frame: pixel frame of sizes that are read from image files.
    """
    valid = screen_images(images, folder)
    records = np.fromiter(images, dtype=object, count=len(images))
    known = set(pick_column(compress(images, valid), "id"))
    ambiguous = _find_ambiguous_ids(compress(images, ~valid))
    root = None if folder is None else folder.resolve()
    files, issues, repaired = ImageLookup(root, frame), [], []
    for row in np.flatnonzero(~valid).tolist():
        image, repairs = _repair_image(images[row], files)
        number = image.get("id") if isinstance(image, dict) else None
        reason = "image id is repeated in two spellings" if is_int64(number) and number in ambiguous else ""
        reason = reason or find_image_error(image, root, known)
        if reason:
            issues.append(describe_issue(images[row], "id", "", reason))
            continue
        valid[row], records[row] = True, image
        known.add(image["id"])
        repaired += [_record_repair(repair, image, "id", "") for repair in repairs]
    accepted = list(records[valid])
    rows = pd.DataFrame(
        {field: pick_column(accepted, field) for field in ("file_name", "height", "width")},
        index=pd.Index(pick_column(accepted, "id").astype(np.int64)),
    )
    return ValidImages(rows.astype({"height": np.int64, "width": np.int64}), tuple(issues), tuple(repaired))


def validate_annotations(annotations: Sequence[Any], images: ValidImages, joint_count: int, category_id: Any) -> ValidAnnotations:
    """Validate and repair annotation records; those of other categories are only counted.

    Args:
        annotations: the records of the file.
        images: the valid images of the same file.
        joint_count: K.
        category_id: id of the wanted category; None: every category.
    """
    return _as_arrays(partition_records(annotations, images.rows.index.tolist(), joint_count, category_id))


def partition_records(
    annotations: Sequence[Any], image_ids: Collection[int], joint_count: int, category_id: Any
) -> PartitionedRecords:
    """Repair annotation records, and divide them into valid and rejected ones.

    Args:
        annotations: the records of the file.
        image_ids: ids of the valid images.
        joint_count: K.
        category_id: id of the wanted category; records of others are only counted. None: every category.
    """
    ours, others = screen_categories(annotations, category_id)
    valid = ours & screen_records(annotations, image_ids, joint_count)
    records = np.fromiter(annotations, dtype=object, count=len(annotations))
    known = set(image_ids)
    # Ids that are unique as numbers were accepted; a text that becomes a number may still equal one of them.
    seen: set[int] = set() if valid.all() else set(pick_column(records[valid], "id"))
    issues: list[Issue] = []
    repaired: list[RecordRepair] = []
    for row in np.flatnonzero(~(valid | others)).tolist():
        record, repairs = repair_record(annotations[row], joint_count)
        if has_other_category(record, category_id):
            others[row] = True
            continue
        reason = find_annotation_error(record, joint_count, category_id, known, seen)
        if reason:
            issues.append(describe_issue(annotations[row], "image_id", "id", reason))
            continue
        valid[row], records[row] = True, record
        seen.add(record["id"])
        repaired += [_record_repair(repair, record, "image_id", "id") for repair in repairs]
    return _repair_columns(list(records[valid]), joint_count, issues, repaired, int(others.sum()))


def _repair_image(image: Any, files: ImageLookup) -> tuple[Any, list[Repair]]:
    if not isinstance(image, dict):
        return image, []
    image, of_id = repair_ids(image, ("id",))
    image, of_name = files.repair_name(image)
    sizes = (image.get("height"), image.get("width"))
    lacks_size = not all((parse_int64(size) or 0) > 0 for size in sizes)
    image, of_size = repair_sizes(image, files.read_size(image.get("file_name")) if lacks_size else None)
    return image, [*of_id, *of_name, *of_size]


def _find_ambiguous_ids(images: Iterable[Any]) -> set[int]:
    """Return the ids that are written as different texts ("1" and "01"): the image that an annotation means is ambiguous."""
    texts = {image["id"] for image in images if isinstance(image, dict) and isinstance(image.get("id"), str)}
    counts = Counter(parse_int64(text) for text in texts)
    return {number for number, count in counts.items() if number is not None and count > 1}


def _repair_columns(
    valid: list[dict[str, Any]], joint_count: int, issues: list[Issue], repaired: list[RecordRepair], other_count: int
) -> PartitionedRecords:
    """Repair the values that depend on several fields: areas and numbers of keypoints."""
    keypoints = _keypoint_array(valid, joint_count)
    counts = (keypoints[..., 2] > 0).sum(axis=1)
    boxes = _box_array(valid)
    crowd = pick_column(valid, "iscrowd", 0).astype(np.bool_)
    areas, wrong = repair_areas(to_floats(pick_column(valid, "area")), boxes, counts, crowd)
    stale = stale_keypoint_counts(pick_column(valid, "num_keypoints"), counts)
    for row in np.flatnonzero(wrong | stale).tolist():
        record, repairs = valid[row], []
        if wrong[row]:
            reason = f"area is missing or does not fit the box, replaced by {AREA_OF_BOX:g} of the box"
            repairs.append(Repair("areas_from_boxes", reason, f"area {format_value(record.get('area', 'missing'))}"))
        if stale[row]:
            reason = "num_keypoints is not the number of labelled keypoints, recounted"
            repairs.append(Repair("keypoint_counts", reason, f"num_keypoints {format_value(record['num_keypoints'])}"))
        repaired += [_record_repair(repair, record, "image_id", "id") for repair in repairs]
        valid[row] = {**record, "area": float(areas[row]), "num_keypoints": int(counts[row])}
    return PartitionedRecords(tuple(valid), keypoints, tuple(issues), tuple(repaired), other_count)


def _record_repair(repair: Repair, record: dict[str, Any], image_field: str, annotation_field: str) -> RecordRepair:
    issue = describe_issue(record, image_field, annotation_field, repair.reason)
    return RecordRepair(repair, {**issue, "detail": repair.value})


def _as_arrays(records: PartitionedRecords) -> ValidAnnotations:
    valid = records.valid
    return ValidAnnotations(
        annotation_ids=pick_column(valid, "id").astype(np.int64),
        image_ids=pick_column(valid, "image_id").astype(np.int64),
        boxes=_box_array(valid),
        areas=to_floats(pick_column(valid, "area")),
        keypoints=records.keypoints,
        is_crowd=pick_column(valid, "iscrowd", 0).astype(np.bool_),
        issues=records.issues,
        other_count=records.other_count,
        repaired=records.repaired,
        uncategorised_count=sum("category_id" not in record for record in valid),
    )


def _box_array(records: Sequence[dict[str, Any]]) -> NDArray[np.float64]:
    return np.array(pick_column(records, "bbox").tolist(), dtype=np.float64).reshape(-1, 4)


def _keypoint_array(records: Sequence[dict[str, Any]], joint_count: int) -> NDArray[np.float64]:
    lists = pick_column(records, "keypoints")
    annotated = lists.astype(np.bool_)  # neither null nor empty
    result = np.zeros((len(lists), joint_count, 3))
    result[annotated] = np.array(lists[annotated].tolist(), dtype=np.float64).reshape(-1, joint_count, 3)
    return result
