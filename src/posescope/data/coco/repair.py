"""Repair records: replace missing or wrong values that can be derived, and name each replacement.

Training and metrics read the same repaired records, so a person counts in both or in neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from posescope.data.coco.record_validation import MAX_NUMBER, MIN_BOX_SIDE_PX, format_value, is_finite, is_int64, lacks_box

__all__ = ["AREA_OF_BOX", "BOX_MARGIN", "Repair", "parse_int64", "repair_ids", "repair_measures", "repair_record", "repair_sizes"]

# Fraction of its box that a person's segment covers: in COCO 0.52 to 0.53 (577 official records); mmpose uses it too.
AREA_OF_BOX = 0.53
# COCO's boxes exceed the outermost keypoints by this fraction of their longer side (median of 156,000 persons: 0.09).
BOX_MARGIN = 0.1
# A labelled person's area is at least this fraction of the box: the smallest of 371 official ones is 0.16 (crowds: 0.02).
MIN_AREA_OF_BOX = 0.01
MAX_AREA_OF_BOX = 1.05  # a segment is inside its box; more is rounding


@dataclass(frozen=True)
class Repair:
    """One replaced value.

    Attributes:
        check: short identifier, for the table `DataQuality`.
        reason: the error and the replacement, without the value, so that records can be counted by it.
        value: the value of the file.
    """

    check: str
    reason: str
    value: str


def parse_int64(value: Any) -> int | None:
    """Return the integer that a value states, or None.

    Example:
        >>> [parse_int64(value) for value in (7, 7.0, "007", 7.5, "7a", True)]
        [7, 7, 7, None, None, None]
    """
    is_text = isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and len(value) <= 20
    is_float = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    number = int(value) if is_text or is_float else value
    return number if is_int64(number) else None


def repair_ids(record: dict[str, Any], fields: Sequence[str]) -> tuple[dict[str, Any], list[Repair]]:
    """Replace ids that are written as text or as a float by integers.

    Args:
        record: the record of the file.
        fields: names of the fields with ids.
    """
    changes, repairs = {}, []
    for field in fields:
        value = record.get(field)
        number = None if is_int64(value) else parse_int64(value)
        if number is not None:
            changes[field] = number
            reason = f"{field} is {'text' if isinstance(value, str) else 'a float'}, read as an integer id"
            repairs.append(Repair("numeric_ids", reason, f"{field} {format_value(value)}"))
    return ({**record, **changes} if changes else record), repairs


def repair_sizes(image: dict[str, Any], size: tuple[int, int] | None) -> tuple[dict[str, Any], list[Repair]]:
    """Convert a height or width that is text or a whole float to an integer, or take it from the image file.

    Args:
        image: the record of the file.
        size: (height, width) px of the image file; None if unknown.
    """
    stated = {side: parse_int64(image.get(side)) for side in ("height", "width")}
    if all(is_int64(image.get(side)) and 0 < image[side] < 2**31 for side in stated):
        return image, []
    value = ", ".join(f"{side} {format_value(image.get(side))}" for side in stated)
    if all(number is not None and 0 < number < 2**31 for number in stated.values()):
        return {**image, **stated}, [Repair("image_sizes", "image height or width is not written as an integer", value)]
    if size is None:
        return image, []
    found = dict(zip(stated, size, strict=True))
    return {**image, **found}, [Repair("image_sizes", "image height or width is missing, taken from the image file", value)]


def repair_record(record: Any, joint_count: int) -> tuple[Any, list[Repair]]:
    """Repair one annotation: ids, crowd flag, keypoints and box, in this order (the box is derived from the keypoints).

    Args:
        record: the record of the file; returned unchanged if it is no dict.
        joint_count: K.
    """
    if not isinstance(record, dict):
        return record, []
    record, repairs = repair_ids(record, ("id", "image_id", "category_id"))
    if record.get("category_id", 0) is None:
        record = {field: value for field, value in record.items() if field != "category_id"}
    crowd = record.get("iscrowd", 0)
    if crowd is None or crowd in ("0", "1"):
        repairs.append(Repair("crowd_flags", "iscrowd is null or text, read as a number", f"iscrowd {format_value(crowd)}"))
        record = {**record, "iscrowd": int(crowd or 0)}
    keypoints, found = _mend_keypoints(record.get("keypoints"), joint_count)
    if found is not None:
        repairs.append(found)
        record = {**record, "keypoints": keypoints}
    box = _box_of_keypoints(record.get("keypoints"), joint_count) if lacks_box(record.get("bbox")) else None
    if box is not None:
        reason = f"bbox is missing or empty, taken from the keypoints with a margin of {BOX_MARGIN:g}"
        repairs.append(Repair("boxes_from_keypoints", reason, f"bbox {format_value(record.get('bbox'))}"))
        record = {**record, "bbox": box}
    return record, repairs


def repair_measures(record: dict[str, Any]) -> tuple[dict[str, Any], list[Repair]]:
    """Replace an area that cannot be the person's by `AREA_OF_BOX` of the box, and recount a wrong `num_keypoints`.

    An area is wrong if it is no number > 0, larger than the box, or, for a person with labelled joints, smaller than 1 % of the
    box or than one px per labelled joint. A crowd may fill little of its box.

    Args:
        record: a valid annotation.
    """
    labelled = sum(visibility > 0 for visibility in (record.get("keypoints") or [])[2::3])
    of_box = float(record["bbox"][2]) * float(record["bbox"][3])
    area: Any = record.get("area")
    count = record.get("num_keypoints")
    repairs = []
    if not _is_area(area, of_box, 0 if record.get("iscrowd", 0) else labelled):
        reason = f"area is missing or does not fit the box, replaced by {AREA_OF_BOX:g} of the box"
        repairs.append(Repair("areas_from_boxes", reason, f"area {format_value(record.get('area', 'missing'))}"))
        area = AREA_OF_BOX * of_box
    if count is not None and count != labelled:
        reason = "num_keypoints is not the number of labelled keypoints, recounted"
        repairs.append(Repair("keypoint_counts", reason, f"num_keypoints {format_value(count)}"))
    return ({**record, "area": float(area), "num_keypoints": labelled} if repairs else record), repairs


def _is_area(area: Any, of_box: float, labelled: int) -> bool:
    """Return whether an area (px^2) fits its box (px^2) and the number of labelled joints; 0 joints: as small as may be."""
    if not isinstance(area, int | float) or isinstance(area, bool) or not 0 < area <= MAX_AREA_OF_BOX * of_box:
        return False
    return labelled == 0 or area >= max(MIN_AREA_OF_BOX * of_box, min(labelled, 0.1 * of_box))


def _mend_keypoints(keypoints: Any, joint_count: int) -> tuple[Any, Repair | None]:
    """Add missing visibilities, and replace coordinates of unlabelled joints that are no numbers by 0."""
    if not isinstance(keypoints, list):
        return keypoints, None
    if len(keypoints) == 2 * joint_count and all(map(is_finite, keypoints)):
        pairs = list(zip(keypoints[::2], keypoints[1::2], strict=True))
        triples = [number for x, y in pairs for number in (x, y, 2 if (x, y) != (0, 0) else 0)]
        reason = "keypoints without visibility: read as labelled, except at (0, 0)"
        return triples, Repair("visibilities", reason, f"keypoints {format_value(keypoints)}")
    if len(keypoints) != 3 * joint_count:
        return keypoints, None
    unlabelled = [is_finite(v) and v == 0 for v in keypoints[2::3]]
    bad = [i for i, value in enumerate(keypoints) if i % 3 < 2 and unlabelled[i // 3] and not is_finite(value)]
    if not bad or any(isinstance(keypoints[i], list | dict) for i in bad):
        return keypoints, None
    repaired = [0 if i in bad else value for i, value in enumerate(keypoints)]
    return repaired, Repair("unlabelled_coordinates", "coordinates of unlabelled joints are no numbers, read as 0",
                        f"keypoints {format_value(keypoints)}")  # fmt: skip


def _box_of_keypoints(keypoints: Any, joint_count: int) -> list[float] | None:
    """Return the COCO box (x, y, w, h by the pixels' edges) around the labelled keypoints, or None if they span none."""
    if not isinstance(keypoints, list) or len(keypoints) != 3 * joint_count or not all(map(is_finite, keypoints)):
        return None
    triples = np.array(keypoints, dtype=np.float64).reshape(-1, 3)
    points = triples[triples[:, 2] > 0, :2]
    if len(points) < 2:
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    margin = BOX_MARGIN * (high - low).max()
    # A keypoint is the index of a pixel, whose centre is half a pixel from its edge.
    corner, size = low + 0.5 - margin, high - low + 2 * margin
    usable = bool((size >= MIN_BOX_SIDE_PX).all() and (size < MAX_NUMBER).all())
    return [float(value) for value in (*corner, *size)] if usable else None
