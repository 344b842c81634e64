"""Replace what is missing or wrong in a record and can be known: each replacement is named, and nothing else changes.

The scores read the same mended records as the training does, so a person counts in all figures or in none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.data.coco.record_validation import MAX_NUMBER, MIN_BOX_SIDE_PX, is_finite, is_int64, lacks_box, show_value

__all__ = [
    "AREA_OF_BOX",
    "BOX_MARGIN",
    "Repair",
    "repair_areas",
    "repair_ids",
    "repair_record",
    "repair_sizes",
    "parse_int64",
    "stale_keypoint_counts",
]

# A person's segment covers this share of its box: in COCO 0.52 to 0.53 (577 official records); mmpose takes it too.
AREA_OF_BOX = 0.53
# COCO's boxes reach beyond the outermost keypoints by this share of the keypoints' longer side (median of 156,000 persons: 0.09).
BOX_MARGIN = 0.1
# A labelled person's area below this share of the box is none: the smallest of 371 official ones is 0.16 (crowds: 0.02).
LEAST_AREA_OF_BOX = 0.01
MOST_AREA_OF_BOX = 1.05  # a segment lies in its box; a little more is rounding


@dataclass(frozen=True)
class Repair:
    """One replaced value.

    Attributes:
        check: short identifier, for the table `DataQuality`.
        reason: what was found and what it became, in a few words without the value, so that records can be counted by it.
        value: what was found, as it stands in the file.
    """

    check: str
    reason: str
    value: str


def parse_int64(value: Any) -> int | None:
    """The whole number that a value states: 7, 7.0, "7" and "007" are 7; None for anything else (true, 7.5, "7a", too large)."""
    is_text = isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit() and len(value) <= 20
    is_float = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    number = int(value) if is_text or is_float else value
    return number if is_int64(number) else None


def repair_ids(record: dict[str, Any], fields: Sequence[str]) -> tuple[dict[str, Any], list[Repair]]:
    """Ids that are written as text or as a float with nothing behind the point become whole numbers."""
    changes, repairs = {}, []
    for field in fields:
        value = record.get(field)
        number = None if is_int64(value) else parse_int64(value)
        if number is not None:
            changes[field] = number
            repairs.append(
                Repair("numeric_ids", f"{field} is {_kind_of(value)}, read as a whole id", f"{field} {show_value(value)}")
            )
    return ({**record, **changes} if changes else record), repairs


def repair_sizes(image: dict[str, Any], size: tuple[int, int] | None) -> tuple[dict[str, Any], list[Repair]]:
    """Height and width that are no whole numbers > 0 become whole, or those of the file's header.

    Args:
        image: as it stands in the file.
        size: (height, width) px of the image file; None if it is not known.
    """
    stated = {side: parse_int64(image.get(side)) for side in ("height", "width")}
    if all(is_int64(image.get(side)) and 0 < image[side] < 2**31 for side in stated):
        return image, []
    value = ", ".join(f"{side} {show_value(image.get(side))}" for side in stated)
    if all(number is not None and 0 < number < 2**31 for number in stated.values()):
        return {**image, **stated}, [Repair("image_sizes", "image height or width is not written as a whole number", value)]
    if size is None:
        return image, []
    found = dict(zip(stated, size, strict=True))
    return {**image, **found}, [Repair("image_sizes", "image height or width is missing, taken from the file", value)]


def repair_record(record: Any, joint_count: int) -> tuple[Any, list[Repair]]:
    """Mend one annotation: ids, crowd flag, keypoints and box, in this order (the box comes from the keypoints).

    Args:
        record: as it stands in the file; what is no dict is returned as it is.
        joint_count: K.
    """
    if not isinstance(record, dict):
        return record, []
    record, repairs = repair_ids(record, ("id", "image_id", "category_id"))
    if record.get("category_id", 0) is None:
        record = {field: value for field, value in record.items() if field != "category_id"}
    crowd = record.get("iscrowd", 0)
    if crowd is None or crowd in ("0", "1"):
        repairs.append(Repair("crowd_flags", "iscrowd is null or text, read as a number", f"iscrowd {show_value(crowd)}"))
        record = {**record, "iscrowd": int(crowd or 0)}
    keypoints, found = _mend_keypoints(record.get("keypoints"), joint_count)
    if found is not None:
        repairs.append(found)
        record = {**record, "keypoints": keypoints}
    box = _box_of_keypoints(record.get("keypoints"), joint_count) if lacks_box(record.get("bbox")) else None
    if box is not None:
        reason = f"bbox is missing or empty, taken from the keypoints with a margin of {BOX_MARGIN:g}"
        repairs.append(Repair("boxes_from_keypoints", reason, f"bbox {show_value(record.get('bbox'))}"))
        record = {**record, "bbox": box}
    return record, repairs


def repair_areas(
    areas: NDArray[np.float64], boxes: NDArray[np.float64], labelled: NDArray[np.int64], is_crowd: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Areas that cannot be a person's become `AREA_OF_BOX` of the box.

    Args:
        areas: (N,) px^2; NaN where the file states no finite number.
        boxes: (N, 4) x, y, w, h px.
        labelled: (N,) numbers of labelled joints.
        is_crowd: (N,) whether the record is a crowd, whose parts may fill little of their box.

    Returns:
        (N,) areas and (N,) which were replaced: those that are not > 0, that are larger than the box, and those of persons with
        labelled joints that are smaller than 1 % of the box or than a pixel for each labelled joint.
    """
    of_box = boxes[:, 2] * boxes[:, 3]
    least = np.maximum(LEAST_AREA_OF_BOX * of_box, np.minimum(labelled, 0.1 * of_box))
    too_small = (areas < least) & (labelled > 0) & ~is_crowd
    wrong = ~(areas > 0) | ~(areas <= MOST_AREA_OF_BOX * of_box) | too_small
    return np.where(wrong, AREA_OF_BOX * of_box, areas), wrong


def stale_keypoint_counts(values: NDArray[np.object_], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) whether `num_keypoints` is written and is another number than that of the labelled joints."""
    stated = np.fromiter((value is not None for value in values), dtype=np.bool_, count=len(values))
    equal = np.asarray(values == counts.astype(object), dtype=np.bool_)
    return stated & ~equal


def _mend_keypoints(keypoints: Any, joint_count: int) -> tuple[Any, Repair | None]:
    """Keypoints without visibilities get them, and places of unlabelled joints that are no numbers become 0."""
    if not isinstance(keypoints, list):
        return keypoints, None
    if len(keypoints) == 2 * joint_count and all(map(is_finite, keypoints)):
        pairs = list(zip(keypoints[::2], keypoints[1::2], strict=True))
        triples = [number for x, y in pairs for number in (x, y, 2 if (x, y) != (0, 0) else 0)]
        reason = "keypoints have no visibility: labelled, but for those at (0, 0)"
        return triples, Repair("visibilities", reason, f"keypoints {show_value(keypoints)}")
    if len(keypoints) != 3 * joint_count:
        return keypoints, None
    unlabelled = [is_finite(v) and v == 0 for v in keypoints[2::3]]
    bad = [i for i, value in enumerate(keypoints) if i % 3 < 2 and unlabelled[i // 3] and not is_finite(value)]
    if not bad or any(isinstance(keypoints[i], list | dict) for i in bad):
        return keypoints, None
    repaired = [0 if i in bad else value for i, value in enumerate(keypoints)]
    return repaired, Repair("unlabelled_coordinates", "keypoints of unlabelled joints are no numbers, read as 0",
                        f"keypoints {show_value(keypoints)}")  # fmt: skip


def _box_of_keypoints(keypoints: Any, joint_count: int) -> list[float] | None:
    """COCO box (x, y, w, h by the pixels' edges) around the labelled keypoints, or None if they span none."""
    if not isinstance(keypoints, list) or len(keypoints) != 3 * joint_count or not all(map(is_finite, keypoints)):
        return None
    triples = np.array(keypoints, dtype=np.float64).reshape(-1, 3)
    places = triples[triples[:, 2] > 0, :2]
    if len(places) < 2:
        return None
    low, high = places.min(axis=0), places.max(axis=0)
    margin = BOX_MARGIN * (high - low).max()
    # A keypoint is the number of a pixel, whose middle is half a pixel from its edge.
    corner, size = low + 0.5 - margin, high - low + 2 * margin
    usable = bool((size >= MIN_BOX_SIDE_PX).all() and (size < MAX_NUMBER).all())
    return [float(value) for value in (*corner, *size)] if usable else None


def _kind_of(value: Any) -> str:
    return "text" if isinstance(value, str) else "a float"
