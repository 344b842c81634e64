"""What is wrong with one record, in words: the only place that knows the reasons.

Nobody asks it about every record of a large file: `screening` finds those that may have a fault, column by column, and only these
come here.
"""

import re
from collections.abc import Container
from pathlib import Path, PurePosixPath
from typing import Any

__all__ = [
    "MAX_NUMBER",
    "MIN_BOX_SIDE_PX",
    "EMPTY_ANNOTATION",
    "EXPECTED_REASONS",
    "IMAGE_WITHOUT_PERSONS",
    "Issue",
    "describe_issue",
    "find_image_fault",
    "find_record_fault",
    "is_finite",
    "is_of_other_category",
    "is_storable",
    "is_int64",
    "lacks_box",
    "show_value",
]

Issue = dict[str, Any]  # a row of the Issues table without source_split and step

MAX_NUMBER = 1e9  # what is not smaller is no place and no size in an image
MIN_BOX_SIDE_PX = 1e-30  # the tables' float32 can just tell it from zero
EMPTY_ANNOTATION = (
    "no annotation: no box and no labelled keypoints"  # tools that track people write one for each image without them
)
IMAGE_WITHOUT_PERSONS = "image without people"  # COCO has 60,000 of them
EXPECTED_REASONS = frozenset({EMPTY_ANNOTATION, IMAGE_WITHOUT_PERSONS})  # set aside, though nothing is wrong with them
_DETAIL_LENGTH = 200
# JSON can spell half a character (a lone surrogate); no table can hold it. And no file system takes NUL.
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


def find_image_fault(image: Any, folder: Path | None, known: Container[int]) -> str:
    """Why an image record cannot be used, or ''.

    Args:
        image: as it stands in the file.
        folder: of the images; None: nobody looks for the files.
        known: ids of the good records before this one.
    """
    if not isinstance(image, dict) or not is_int64(image.get("id")):
        return "image record without a whole id"
    if image["id"] in known:
        return "image id stands twice"
    if not all(is_int64(image.get(side)) and 0 < image[side] < 2**31 for side in ("height", "width")):
        return "image height and width are not whole numbers > 0"
    name = image.get("file_name")
    if not isinstance(name, str) or not PurePosixPath(name).parts:
        return "image without file_name"
    if not is_storable(name):
        return "file_name has characters that no file's name can have"
    if "\\" in name and ".." not in re.split(r"[\\/]", name):
        return "file_name has a backslash as separator, expected '/', and there is no such file"
    if PurePosixPath(name).is_absolute() or ".." in re.split(r"[\\/]", name):
        return "file_name leaves the image folder"
    if str(PurePosixPath(name)) != name:  # `./a.jpg`, `a.jpg/`: one picture under two names could stand on two sides of a split
        return "file_name is not written in the plainest way"
    return "" if folder is None else _find_file_fault(folder, name)


def find_record_fault(record: Any, joint_count: int, category_id: Any, images: Container[int], seen: Container[int]) -> str:
    """Why an annotation cannot be used, or ''.

    Args:
        record: as it stands in the file; none that `is_of_other_category`.
        joint_count: K.
        category_id: of the records wanted; None: every category.
        images: ids of the good images.
        seen: ids of the good annotations before this one.
    """
    if not isinstance(record, dict) or not is_int64(record.get("id")):
        return "annotation without a whole id"
    category = record.get("category_id", category_id)
    if category_id is not None and (isinstance(category, bool) or category != category_id):
        return "category_id is not a whole number"
    if record["id"] in seen:
        return "annotation id stands twice"
    if not is_int64(record.get("image_id")) or record["image_id"] not in images:
        return "its image is not in the file or was set aside"
    box: Any = record.get("bbox")
    keypoints_fault = _find_keypoints_fault(record.get("keypoints"), joint_count)
    if lacks_box(box) and not keypoints_fault and not any((record.get("keypoints") or [])[2::3]):
        return EMPTY_ANNOTATION
    if not _are_numbers(box, 4) or min(box[2:]) < MIN_BOX_SIDE_PX:
        return "bbox is not four finite numbers with width and height > 0"
    if record.get("iscrowd", 0) not in (0, 1):  # true and false are as good
        return "iscrowd is not 0 or 1"
    return keypoints_fault


def is_of_other_category(record: Any, category_id: Any) -> bool:
    """True if a record states, in a whole number, another category than `category_id` (None: all are wanted).

    One that states no category is ours.
    """
    if category_id is None or not isinstance(record, dict):
        return False
    found = record.get("category_id", category_id)
    return is_int64(found) and bool(found != category_id)


def describe_issue(record: Any, image_field: str, annotation_field: str, reason: str) -> Issue:
    """An issue of a record that may be anything; the fields name where its ids stand ('' for none)."""
    fields = record if isinstance(record, dict) else {}
    image_id, annotation_id = fields.get(image_field), fields.get(annotation_field)
    name = fields.get("file_name", "")
    return {
        "image_id": image_id if is_int64(image_id) else -1,
        "annotation_id": annotation_id if is_int64(annotation_id) else -1,
        "file_name": name if isinstance(name, str) and is_storable(name) else show_value(name),
        "reason": reason,
        "detail": show_value(record),
    }


def is_int64(value: Any) -> bool:
    """True for whole numbers that fit in 64 bits: no table could hold another as an id."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def lacks_box(box: Any) -> bool:
    """True for a box that says nothing: missing, null, empty, four nulls or NaN, or without width or height."""
    if box is None or box == []:
        return True
    if not isinstance(box, list) or len(box) != 4:
        return False
    if all(value is None or value != value for value in box):  # noqa: PLR0124 - NaN
        return True
    return all(map(is_finite, box)) and min(box[2:]) >= 0 and min(box[2:]) < MIN_BOX_SIDE_PX


def is_storable(name: str) -> bool:
    """True if a table and a file system can hold this text."""
    return _NOT_STORABLE.search(name) is None


def show_value(value: Any) -> str:
    """What stands in the file, as Python writes it, cut off where it is long."""
    try:
        return repr(value)[:_DETAIL_LENGTH]
    except RecursionError:  # Python reads a little deeper than it can write
        return "(nested too deeply to be shown)"


def _find_file_fault(folder: Path, name: str) -> str:
    path = folder / name
    try:
        # A link may point anywhere: whoever owns the folder made it. What an annotation file says cannot make one.
        if path.is_file():
            return ""
        is_link = path.is_symlink()
    except OSError:  # a name that no file system takes, for its length
        is_link = False
    return "image file is a link to a file that is missing" if is_link else "image file is missing"


def _find_keypoints_fault(keypoints: Any, joint_count: int) -> str:
    if keypoints is None or keypoints == []:
        return ""  # a person whom nobody annotated: well-formed, and filtered later
    if not _are_numbers(keypoints, 3 * joint_count):
        return f"keypoints are not {3 * joint_count} finite numbers"
    if any(visibility not in (0, 1, 2) for visibility in keypoints[2::3]):
        return "a keypoint's visibility is not 0, 1 or 2"
    return ""


def _are_numbers(values: Any, count: int) -> bool:
    return isinstance(values, list) and len(values) == count and all(map(is_finite, values))


def is_finite(value: Any) -> bool:
    """True for numbers that can be a place or a size in an image: no text, no true, no NaN, nothing beyond `MAX_NUMBER`."""
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(abs(value) < MAX_NUMBER)
