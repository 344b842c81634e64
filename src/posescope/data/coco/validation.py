"""The checks of the records: what can be mended is, what is malformed is set aside with its reason, the rest comes out as arrays.

`screening` passes what is well-formed for certain, column by column; `mending` and `faults` look at the others one by one.
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
    find_image_fault,
    find_record_fault,
    is_int64,
    is_of_other_category,
    show_value,
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
    "ValidImages",
    "RecordRepair",
    "ValidAnnotations",
    "PartitionedRecords",
    "validate_images",
    "validate_annotations",
    "partition_records",
]


@dataclass(frozen=True)
class RecordRepair:
    """A replaced value and the record that it stood in: `issue` is its row of the Issues table."""

    repair: Repair
    issue: Issue


@dataclass(frozen=True)
class ValidImages:
    """The image records of a file.

    Attributes:
        rows: index image_id; columns file_name, height, width of the usable images.
        issues: the others.
        repaired: the values that were replaced.
    """

    rows: pd.DataFrame
    issues: tuple[Issue, ...]
    repaired: tuple[RecordRepair, ...] = ()


@dataclass(frozen=True)
class ValidAnnotations:
    """The usable annotations of the wanted category, as arrays in COCO's own convention.

    Attributes:
        annotation_ids, image_ids: (N,) int64.
        boxes: (N, 4) float64 x, y, w, h, COCO edges.
        areas: (N,) float64 px^2.
        keypoints: (N, K, 3) float64 x, y, v.
        is_crowd: (N,) bool.
        issues: the records that were set aside.
        other_count: how many records are of another category.
        repaired: the values that were replaced.
        uncategorised_count: how many of the records state no category.
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
    """The annotations of a file, parted.

    Attributes:
        good: the usable annotations of the wanted category: as they stand in the file, but for what was mended.
        keypoints: (N, K, 3) float64 x, y, v of these.
        issues: the malformed ones.
        repaired: the values that were replaced.
        other_count: how many are of another category.
    """

    good: tuple[dict[str, Any], ...]
    keypoints: NDArray[np.float64]
    issues: tuple[Issue, ...]
    repaired: tuple[RecordRepair, ...]
    other_count: int


def validate_images(images: Sequence[Any], folder: Path | None, frame: PixelFrame = "stored") -> ValidImages:
    """Check the list of images: whole ids, sizes, names that stay inside the folder, files that are there.

    Args:
        images: as they stand in the file.
        folder: of the images; None: nobody looks for the files.
        frame: of the sizes that are taken from files.
    """
    good = screen_images(images, folder)
    records = np.fromiter(images, dtype=object, count=len(images))
    known = set(pick_column(compress(images, good), "id"))
    unclear = _find_unclear_ids(compress(images, ~good))
    root = None if folder is None else folder.resolve()
    files, issues, repaired = ImageLookup(root, frame), [], []
    for place in np.flatnonzero(~good).tolist():
        image, repairs = _mend_image(images[place], files)
        number = image.get("id") if isinstance(image, dict) else None
        reason = "image id stands twice, written in two ways" if is_int64(number) and number in unclear else ""
        reason = reason or find_image_fault(image, root, known)
        if reason:
            issues.append(describe_issue(images[place], "id", "", reason))
            continue
        good[place], records[place] = True, image
        known.add(image["id"])
        repaired += [_mended(repair, image, "id", "") for repair in repairs]
    usable = list(records[good])
    rows = pd.DataFrame(
        {field: pick_column(usable, field) for field in ("file_name", "height", "width")},
        index=pd.Index(pick_column(usable, "id").astype(np.int64)),
    )
    return ValidImages(rows.astype({"height": np.int64, "width": np.int64}), tuple(issues), tuple(repaired))


def validate_annotations(annotations: Sequence[Any], images: ValidImages, joint_count: int, category_id: Any) -> ValidAnnotations:
    """Check the annotations; those of other categories are none of ours, and are counted only."""
    return _as_arrays(partition_records(annotations, images.rows.index.tolist(), joint_count, category_id))


def partition_records(
    annotations: Sequence[Any], image_ids: Collection[int], joint_count: int, category_id: Any
) -> PartitionedRecords:
    """Mend the annotations and part the usable from the malformed.

    Args:
        annotations: as they stand in the file.
        image_ids: of the images that a record may name.
        joint_count: K.
        category_id: of the records wanted; those of other categories are left out. None: every category.
    """
    ours, others = screen_categories(annotations, category_id)
    good = ours & screen_records(annotations, image_ids, joint_count)
    records = np.fromiter(annotations, dtype=object, count=len(annotations))
    known = set(image_ids)
    # The screening passed ids that stand once as numbers; a text that becomes a number may still meet one of them.
    seen: set[int] = set() if good.all() else set(pick_column(records[good], "id"))
    issues: list[Issue] = []
    repaired: list[RecordRepair] = []
    for place in np.flatnonzero(~(good | others)).tolist():
        record, repairs = repair_record(annotations[place], joint_count)
        if is_of_other_category(record, category_id):
            others[place] = True
            continue
        reason = find_record_fault(record, joint_count, category_id, known, seen)
        if reason:
            issues.append(describe_issue(annotations[place], "image_id", "id", reason))
            continue
        good[place], records[place] = True, record
        seen.add(record["id"])
        repaired += [_mended(repair, record, "image_id", "id") for repair in repairs]
    return _mend_columns(list(records[good]), joint_count, issues, repaired, int(others.sum()))


def _mend_image(image: Any, files: ImageLookup) -> tuple[Any, list[Repair]]:
    if not isinstance(image, dict):
        return image, []
    image, of_id = repair_ids(image, ("id",))
    image, of_name = files.repair_name(image)
    sizes = (image.get("height"), image.get("width"))
    lacks_size = not all((parse_int64(size) or 0) > 0 for size in sizes)
    image, of_size = repair_sizes(image, files.read_size(image.get("file_name")) if lacks_size else None)
    return image, [*of_id, *of_name, *of_size]


def _find_unclear_ids(images: Iterable[Any]) -> set[int]:
    """Numbers that several different texts state ("1" and "01"): whose image a record means cannot be known."""
    texts = {image["id"] for image in images if isinstance(image, dict) and isinstance(image.get("id"), str)}
    counts = Counter(parse_int64(text) for text in texts)
    return {number for number, count in counts.items() if number is not None and count > 1}


def _mend_columns(
    good: list[dict[str, Any]], joint_count: int, issues: list[Issue], repaired: list[RecordRepair], other_count: int
) -> PartitionedRecords:
    """Mend what depends on several fields at once: areas and numbers of keypoints, of all usable records."""
    keypoints = _keypoint_array(good, joint_count)
    counts = (keypoints[..., 2] > 0).sum(axis=1)
    boxes = _box_array(good)
    crowd = pick_column(good, "iscrowd", 0).astype(np.bool_)
    areas, wrong = repair_areas(to_floats(pick_column(good, "area")), boxes, counts, crowd)
    stale = stale_keypoint_counts(pick_column(good, "num_keypoints"), counts)
    for place in np.flatnonzero(wrong | stale).tolist():
        record, repairs = good[place], []
        if wrong[place]:
            reason = f"area is missing or cannot be its box's, taken as {AREA_OF_BOX:g} of the box"
            repairs.append(Repair("areas_from_boxes", reason, f"area {show_value(record.get('area', 'missing'))}"))
        if stale[place]:
            reason = "num_keypoints is not the number of labelled keypoints, counted again"
            repairs.append(Repair("keypoint_counts", reason, f"num_keypoints {show_value(record['num_keypoints'])}"))
        repaired += [_mended(repair, record, "image_id", "id") for repair in repairs]
        good[place] = {**record, "area": float(areas[place]), "num_keypoints": int(counts[place])}
    return PartitionedRecords(tuple(good), keypoints, tuple(issues), tuple(repaired), other_count)


def _mended(repair: Repair, record: dict[str, Any], image_field: str, annotation_field: str) -> RecordRepair:
    issue = describe_issue(record, image_field, annotation_field, repair.reason)
    return RecordRepair(repair, {**issue, "detail": repair.value})


def _as_arrays(records: PartitionedRecords) -> ValidAnnotations:
    good = records.good
    return ValidAnnotations(
        annotation_ids=pick_column(good, "id").astype(np.int64),
        image_ids=pick_column(good, "image_id").astype(np.int64),
        boxes=_box_array(good),
        areas=to_floats(pick_column(good, "area")),
        keypoints=records.keypoints,
        is_crowd=pick_column(good, "iscrowd", 0).astype(np.bool_),
        issues=records.issues,
        other_count=records.other_count,
        repaired=records.repaired,
        uncategorised_count=sum("category_id" not in record for record in good),
    )


def _box_array(records: Sequence[dict[str, Any]]) -> NDArray[np.float64]:
    return np.array(pick_column(records, "bbox").tolist(), dtype=np.float64).reshape(-1, 4)


def _keypoint_array(records: Sequence[dict[str, Any]], joint_count: int) -> NDArray[np.float64]:
    lists = pick_column(records, "keypoints")
    annotated = lists.astype(np.bool_)  # neither null nor empty
    result = np.zeros((len(lists), joint_count, 3))
    result[annotated] = np.array(lists[annotated].tolist(), dtype=np.float64).reshape(-1, joint_count, 3)
    return result
