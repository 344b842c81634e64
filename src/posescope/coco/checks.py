"""The checks of single records: what is malformed is set aside with its reason, the rest comes out as arrays."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["ImageChecks", "RecordChecks", "SortedRecords", "find_bad_images", "find_bad_records", "sort_records"]

Issue = dict[str, Any]  # a row of the Issues table without source_split and step


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
    """

    annotation_ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]
    issues: tuple[Issue, ...]


@dataclass(frozen=True)
class SortedRecords:
    """Attributes: good: the well-formed annotations of the wanted category, as they stand in the file; issues: the others."""

    good: tuple[dict[str, Any], ...]
    issues: tuple[Issue, ...]


def find_bad_images(images: Sequence[Any], folder: Path) -> ImageChecks:
    """Check the list of images: whole ids, sizes, names that stay inside the folder, files that are there."""
    good: dict[int, tuple[str, int, int]] = {}
    issues: list[Issue] = []
    root = folder.resolve()
    for image in images:
        reason = _image_fault(image, root, good)
        if reason:
            issues.append(_issue(image, "id", -1, reason))
        else:
            good[image["id"]] = (image["file_name"], image["height"], image["width"])
    rows = pd.DataFrame.from_dict(good, orient="index", columns=["file_name", "height", "width"])
    rows.index = rows.index.astype(np.int64)
    return ImageChecks(rows=rows, issues=tuple(issues))


def find_bad_records(annotations: Sequence[Any], images: ImageChecks, joint_count: int, category_id: Any) -> RecordChecks:
    """Check the annotations; those of other categories are none of ours and are left out without a word."""
    records = sort_records(annotations, images.rows.index.tolist(), joint_count, category_id)
    return _as_arrays(records.good, joint_count, records.issues)


def sort_records(annotations: Sequence[Any], image_ids: Collection[int], joint_count: int, category_id: Any) -> SortedRecords:
    """Part the well-formed annotations from the malformed.

    Args:
        annotations: as they stand in the file.
        image_ids: of the images that a record may name.
        joint_count: K.
        category_id: of the records wanted; those of other categories are left out without a word. None: every category.
    """
    seen: set[int] = set()
    known = set(image_ids)
    good: list[dict[str, Any]] = []
    issues: list[Issue] = []
    for record in annotations:
        if isinstance(record, dict) and category_id not in (None, record.get("category_id", category_id)):
            continue
        reason = _record_fault(record, joint_count, known, seen)
        if reason:
            issues.append(_issue(record, "image_id", record.get("id", -1) if isinstance(record, dict) else -1, reason))
        else:
            seen.add(record["id"])
            good.append(record)
    return SortedRecords(tuple(good), tuple(issues))


def _as_arrays(records: Sequence[dict[str, Any]], joint_count: int, issues: tuple[Issue, ...]) -> RecordChecks:
    boxes = np.array([record["bbox"] for record in records], dtype=np.float64).reshape(-1, 4)
    # A file without areas (other people's data) still has a scale for OKS: the box's area.
    areas = [record.get("area", record["bbox"][2] * record["bbox"][3]) for record in records]
    return RecordChecks(
        annotation_ids=np.array([record["id"] for record in records], dtype=np.int64),
        image_ids=np.array([record["image_id"] for record in records], dtype=np.int64),
        boxes=boxes,
        areas=np.array(areas, dtype=np.float64),
        keypoints=_keypoint_array(records, joint_count),
        is_crowd=np.array([bool(record.get("iscrowd", 0)) for record in records], dtype=np.bool_),
        issues=issues,
    )


def _keypoint_array(records: Sequence[dict[str, Any]], joint_count: int) -> NDArray[np.float64]:
    nobody = [0] * (3 * joint_count)
    rows = [record.get("keypoints") or nobody for record in records]
    return np.array(rows, dtype=np.float64).reshape(-1, joint_count, 3)


def _image_fault(image: Any, root: Path, known: dict[int, tuple[str, int, int]]) -> str:
    if not isinstance(image, dict) or not _is_whole(image.get("id")):
        return "image record without a whole id"
    if image["id"] in known:
        return "image id stands twice"
    if not all(_is_whole(image.get(side)) and 0 < image[side] < 2**31 for side in ("height", "width")):
        return "image height and width are not whole numbers > 0"
    name = image.get("file_name")
    if not isinstance(name, str) or not name:
        return "image without file_name"
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
        return "file_name leaves the image folder"
    path = root / name
    try:
        found = path.is_file()
    except OSError:  # a name that no file system takes, for its length
        found = False
    if not found:
        return "image file is missing"
    # A link may point anywhere: where it ends is what counts.
    return "" if path.resolve().is_relative_to(root) else "file_name leaves the image folder"


def _record_fault(record: Any, joint_count: int, images: set[int], seen: set[int]) -> str:
    if not isinstance(record, dict) or not _is_whole(record.get("id")):
        return "annotation without a whole id"
    if record["id"] in seen:
        return "annotation id stands twice"
    if not _is_whole(record.get("image_id")) or record["image_id"] not in images:
        return "its image is not in the file or was set aside"
    box: Any = record.get("bbox")
    if not _are_numbers(box, 4) or box[2] <= 0 or box[3] <= 0:
        return "bbox is not four finite numbers with width and height > 0"
    if not _is_finite(record.get("area", 0.0)) or record.get("area", 0.0) < 0:
        return "area is not a finite number >= 0"
    return _keypoints_fault(record.get("keypoints"), joint_count)


def _keypoints_fault(keypoints: Any, joint_count: int) -> str:
    if keypoints is None or keypoints == []:
        return ""  # a person whom nobody annotated: well-formed, and filtered later
    if not _are_numbers(keypoints, 3 * joint_count):
        return f"keypoints are not {3 * joint_count} finite numbers"
    if any(visibility not in (0, 1, 2) for visibility in keypoints[2::3]):
        return "a keypoint's visibility is not 0, 1 or 2"
    return ""


def _are_numbers(values: Any, count: int) -> bool:
    return isinstance(values, list) and len(values) == count and all(map(_is_finite, values))


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(abs(value) < 1e9)


def _is_whole(value: Any) -> bool:
    # What does not fit in 64 bits is no id that any table could hold.
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _issue(record: Any, image_field: str, annotation_id: Any, reason: str) -> Issue:
    fields = record if isinstance(record, dict) else {}
    image_id = fields.get(image_field, -1)
    name = fields.get("file_name", "")
    return {
        "image_id": image_id if _is_whole(image_id) else -1,
        "annotation_id": annotation_id if _is_whole(annotation_id) else -1,
        "file_name": name if isinstance(name, str) else repr(name),
        "reason": reason,
        "detail": repr(record)[:200],
    }
