"""Validate the image and annotation records of a file: repair, reject with a reason, and convert to arrays.

Records are examined in the order of the file. `record_validation` finds the reason of a rejection. Only a record with a reason is
repaired by `repair`, and then examined again.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
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
    has_other_category,
)
from posescope.data.coco.repair import Repair, parse_int64, repair_ids, repair_measures, repair_record, repair_sizes
from posescope.data.images.orientation import PixelFrame

__all__ = ["ValidAnnotations", "ValidImages", "validate_annotations", "validate_images"]


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
        records: N objects.
        annotation_ids, image_ids: (N,) int64.
        boxes: (N, 4) float64 x, y, w, h, by the pixels' edges.
        areas: (N,) float64 px^2.
        keypoints: (N, K, 3) float64 x, y, v.
        is_crowd: (N,) bool.
        issues: the rejected records.
        repaired: the replaced values, with the `check` of their `Repair`.
        other_count: number of records of another category.
    """

    records: tuple[dict[str, Any], ...]
    annotation_ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    is_crowd: NDArray[np.bool_]
    issues: tuple[Issue, ...]
    repaired: tuple[Issue, ...]
    other_count: int


def validate_images(images: Sequence[Any], folder: Path | None, frame: PixelFrame = "stored") -> ValidImages:
    """Validate and repair image records: integer ids, sizes, names inside the folder, existing files.

    Args:
        images: the records of the file.
        folder: folder of the images; None: files are not checked.
        frame: pixel frame of sizes that are read from image files.
    """
    root = None if folder is None else folder.resolve()
    files, ambiguous = ImageLookup(root, frame), _find_ambiguous_ids(images)
    valid: dict[int, dict[str, Any]] = {}
    issues: list[Issue] = []
    repaired: list[Issue] = []
    for found in images:
        image = found
        repairs: list[Repair] = []
        reason = find_image_error(image, root, valid)
        if reason:
            image, repairs = _repair_image(found, files)
            reason = _find_ambiguity(image, ambiguous) or find_image_error(image, root, valid)
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
    records: list[dict[str, Any]] = []
    issues: list[Issue] = []
    repaired: list[Issue] = []
    known, seen, other_count = set(image_ids), set[int](), 0
    for found in annotations:
        record = found
        repairs: list[Repair] = []
        reason = find_annotation_error(record, joint_count, category_id, known, seen)
        if reason:
            record, repairs = repair_record(found, joint_count)
            if has_other_category(record, category_id):
                other_count += 1
                continue
            reason = find_annotation_error(record, joint_count, category_id, known, seen)
        if reason:
            issues.append(describe_issue(found, "image_id", "id", reason))
            continue
        seen.add(record["id"])
        records.append(record)
        repaired += [_describe_repair(repair, record, "image_id", "id") for repair in repairs]
    measured = [repair_measures(record) for record in records]
    repaired += [_describe_repair(repair, record, "image_id", "id") for record, repairs in measured for repair in repairs]
    return _as_arrays([record for record, _ in measured], joint_count, issues, repaired, other_count)


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


def _as_arrays(
    records: list[dict[str, Any]], joint_count: int, issues: list[Issue], repaired: list[Issue], other_count: int
) -> ValidAnnotations:
    unlabelled = [0] * (3 * joint_count)
    keypoints = [record.get("keypoints") or unlabelled for record in records]
    return ValidAnnotations(
        records=tuple(records),
        annotation_ids=np.array([record["id"] for record in records], dtype=np.int64),
        image_ids=np.array([record["image_id"] for record in records], dtype=np.int64),
        boxes=np.array([record["bbox"] for record in records], dtype=np.float64).reshape(-1, 4),
        areas=np.array([record["area"] for record in records], dtype=np.float64),
        keypoints=np.array(keypoints, dtype=np.float64).reshape(-1, joint_count, 3),
        is_crowd=np.array([record.get("iscrowd", 0) for record in records], dtype=np.bool_),
        issues=tuple(issues),
        repaired=tuple(repaired),
        other_count=other_count,
    )
