"""Validate one record: the reasons for which an image or annotation record is rejected."""

import re
from collections.abc import Container
from pathlib import Path, PurePosixPath
from typing import Any

__all__ = [
    "EMPTY_ANNOTATION", "EXPECTED_REASONS", "IMAGE_WITHOUT_PERSONS", "MAX_NUMBER", "MIN_BOX_SIDE_PX", "Issue", "describe_issue",
    "find_annotation_error", "find_image_error", "format_value", "has_other_category", "is_finite", "is_int64", "is_storable",
    "is_whole", "lacks_box",
]  # fmt: skip

Issue = dict[str, Any]  # a row of the Issues table without source_split and step

MAX_NUMBER = 1e9  # coordinates and sizes in an image are smaller
MIN_BOX_SIDE_PX = 1e-30  # distinguishable from 0 in the tables' float32
# Tracking tools write an empty annotation for each image without persons.
EMPTY_ANNOTATION = "empty annotation: no box and no labelled keypoints"
IMAGE_WITHOUT_PERSONS = "image without persons"  # COCO has 60,000 of them
EXPECTED_REASONS = frozenset({EMPTY_ANNOTATION, IMAGE_WITHOUT_PERSONS})  # rejected, but not failures
_DETAIL_LENGTH = 200
# JSON can hold a lone surrogate, which no table can; no file system accepts NUL.
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
# Normalised, relative and storable on every system: most names are, and the other checks cost ten times as much.
_PLAIN_NAME = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")


def find_image_error(image: Any, folder: Path | None, known: Container[int]) -> str:
    """Return the reason for which an image record is rejected, or ''.

    Args:
        image: the record of the file.
        folder: folder of the images; None: files are not checked.
        known: ids of the valid images before this one.
    """
    if not isinstance(image, dict) or not is_int64(image.get("id")):
        return "image record without an integer id"
    if image["id"] in known:
        return "image id is repeated"
    if not all(is_int64(image.get(side)) and 0 < image[side] < 2**31 for side in ("height", "width")):
        return "image height or width is not an integer > 0"
    name = image.get("file_name")
    if not isinstance(name, str) or not _PLAIN_NAME.fullmatch(name):
        reason = _find_name_error(name)
        if reason:
            return reason
    return "" if folder is None else _find_file_error(folder, str(name))


def find_annotation_error(record: Any, joint_count: int, category_id: Any, images: Container[int], seen: Container[int]) -> str:
    """Return the reason for which an annotation is rejected, or ''.

    Args:
        record: the record of the file, not of another category.
        joint_count: K.
        category_id: id of the wanted category; None: every category.
        images: ids of the valid images.
        seen: ids of the valid annotations before this one.
    """
    if not isinstance(record, dict) or not is_int64(record.get("id")):
        return "annotation without an integer id"
    category = record.get("category_id", category_id)
    if category_id is not None and (not is_int64(category) or category != category_id):
        return "category_id is not an integer"
    if record["id"] in seen:
        return "annotation id is repeated"
    if not is_int64(record.get("image_id")) or record["image_id"] not in images:
        return "its image is missing in the file or was rejected"
    box: Any = record.get("bbox")
    keypoints_error = _find_keypoints_error(record.get("keypoints"), joint_count)
    if lacks_box(box) and not keypoints_error and not any((record.get("keypoints") or [])[2::3]):
        return EMPTY_ANNOTATION
    if not _are_numbers(box, 4) or min(box[2:]) < MIN_BOX_SIDE_PX:
        return "bbox is not four finite numbers with width and height > 0"
    if record.get("iscrowd", 0) not in (0, 1):  # also true and false
        return "iscrowd is not 0 or 1"
    return keypoints_error


def has_other_category(record: Any, category_id: Any) -> bool:
    """Return whether a record states another integer category than `category_id`.

    Args:
        record: the record of the file; one without a category belongs to the wanted one.
        category_id: id of the wanted category; None: every category.
    """
    if category_id is None or not isinstance(record, dict):
        return False
    found = record.get("category_id", category_id)
    return is_int64(found) and bool(found != category_id)


def describe_issue(record: Any, image_field: str, annotation_field: str, reason: str) -> Issue:
    """Return the issue of a record, whatever its type.

    Args:
        record: the record of the file.
        image_field, annotation_field: names of the fields with its ids; '' for none.
        reason: reason of the rejection or repair.
    """
    fields = record if isinstance(record, dict) else {}
    image_id, annotation_id = fields.get(image_field), fields.get(annotation_field)
    name = fields.get("file_name", "")
    return {
        "image_id": image_id if is_int64(image_id) else -1,
        "annotation_id": annotation_id if is_int64(annotation_id) else -1,
        "file_name": name if isinstance(name, str) and is_storable(name) else format_value(name),
        "reason": reason,
        "detail": format_value(record),
    }


def is_int64(value: Any) -> bool:
    """Return whether a value is an integer of at most 64 bits, as the tables hold ids."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def is_whole(value: Any) -> bool:
    """Return whether a value is an id of 64 bits, also as a float (139.0), as some programs write it."""
    return is_int64(value) or (isinstance(value, float) and value.is_integer() and abs(value) < 2**53)


def lacks_box(box: Any) -> bool:
    """Return whether a box is missing, null, empty, four nulls or NaN, or without width or height."""
    if box is None or box == []:
        return True
    if not isinstance(box, list) or len(box) != 4:
        return False
    if all(value is None or value != value for value in box):  # noqa: PLR0124 - NaN
        return True
    return all(map(is_finite, box)) and min(box[2:]) >= 0 and min(box[2:]) < MIN_BOX_SIDE_PX


def is_storable(name: str) -> bool:
    """Return whether tables and file systems can hold a text."""
    return _NOT_STORABLE.search(name) is None


def format_value(value: Any) -> str:
    """Return a value of the file as Python writes it, truncated to 200 characters."""
    try:
        return repr(value)[:_DETAIL_LENGTH]
    except RecursionError:  # Python parses deeper nesting than it can print
        return "(nested too deeply to be shown)"


def _find_name_error(name: Any) -> str:
    if not isinstance(name, str) or not (path := PurePosixPath(name)).parts:
        return "image without file_name"
    if not is_storable(name):
        return "file_name has characters that file names cannot have"
    climbs = ".." in re.split(r"[\\/]", name)
    if "\\" in name and not climbs:
        return "file_name has a backslash as separator, expected '/', and the file does not exist"
    if path.is_absolute() or climbs:
        return "file_name leaves the image folder"
    if str(path) != name:  # `./a.jpg`: one image with two names could be in two splits
        return "file_name is not a normalised path"
    return ""


def _find_file_error(folder: Path, name: str) -> str:
    path = folder / name
    try:
        # A link may point anywhere: the owner of the folder made it, and an annotation file cannot make one.
        if path.is_file():
            return ""
        is_link = path.is_symlink()
    except OSError:  # a name that is too long for the file system
        is_link = False
    return "image file is a link to a missing file" if is_link else "image file is missing"


def _find_keypoints_error(keypoints: Any, joint_count: int) -> str:
    if keypoints is None or keypoints == []:
        return ""  # a person without labels: valid, and filtered later
    if not _are_numbers(keypoints, 3 * joint_count):
        return f"keypoints are not {3 * joint_count} finite numbers"
    if not set(keypoints[2::3]) <= {0, 1, 2}:
        return "a keypoint's visibility is not 0, 1 or 2"
    return ""


def _are_numbers(values: Any, count: int) -> bool:
    return isinstance(values, list) and len(values) == count and all(map(is_finite, values))


def is_finite(value: Any) -> bool:
    """Return whether a value is a number below `MAX_NUMBER`, as a coordinate or size: no text, no boolean, no NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(abs(value) < MAX_NUMBER)
