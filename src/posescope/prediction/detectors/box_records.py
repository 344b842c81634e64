"""The records of a file of boxes: read, validated one by one, and grouped by the image that they name."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from posescope.core.errors import DataError, pluralise
from posescope.core.files import read_json
from posescope.core.plugins import Options
from posescope.data.coco.record_validation import MAX_NUMBER, format_value, is_finite, is_int64, is_whole

__all__ = ["SHOWN_ERRORS", "Box", "BoxRecords", "BoxesFileOptions", "read_box_records"]

SHOWN_ERRORS = 10


class BoxesFileOptions(Options):
    """Options of the detector `boxes_file`."""

    min_score: float = Field(0.0, ge=0, le=1, description="boxes with a lower score are ignored")
    category_id: int | None = Field(1, description="only boxes of this category; null: all")
    max_invalid_fraction: float = Field(
        0.01, ge=0, le=1, description="largest fraction of invalid records (NaN, text, no width); they are reported and ignored"
    )


@dataclass(frozen=True)
class Box:
    """A valid box.

    Attributes:
        index: index of the record in the file.
        box: (x, y, w, h) px in the project's convention.
        score: 0..1.
        image_size: (height, width) px of the image as the file states it, if it does.
    """

    index: int
    box: tuple[float, float, float, float]
    score: float
    image_size: tuple[int, int] | None


@dataclass(frozen=True)
class BoxRecords:
    """The valid boxes of a file.

    Attributes:
        path: path of the file.
        by_name: boxes by the file name that their record states.
        by_id: boxes of records without a file name, by their image_id.
        ids: every image_id that is stated together with a file name, of all file names.
        ignored: number of ignored records by reason.
        errors: one sentence per invalid record.
        count: number of all records.
    """

    path: Path
    by_name: Mapping[str, list[Box]]
    by_id: Mapping[int, list[Box]]
    ids: Mapping[str, frozenset[int]]
    ignored: Mapping[str, int]
    errors: Sequence[str]
    count: int


def read_box_records(path: Path, options: BoxesFileOptions) -> BoxRecords:
    """Read and validate a file of boxes: COCO results (a list) or annotations.

    Args:
        path: path of the file.
        options: which records are taken.

    Raises:
        DataError: if the file is missing or holds no list of records, if two of its images have the same id, or if more records
            are invalid than the options allow; it names the first ten.
    """
    records, images = _read_content(path)
    by_name: defaultdict[str, list[Box]] = defaultdict(list)
    by_id: defaultdict[int, list[Box]] = defaultdict(list)
    ids: defaultdict[str, frozenset[int]] = defaultdict(frozenset)
    ignored: Counter[str] = Counter()
    errors: list[str] = []
    for image_id, image in images.items():
        if isinstance(image.get("file_name"), str):
            ids[image["file_name"]] |= {image_id}
    for index, record in enumerate(records):
        reason = _ignore_reason(record, options)
        if reason:
            ignored[reason] += 1
            continue
        error = _find_error(record)
        if error:
            errors.append(f"record {index}: {error}")
            continue
        name, number, size = _image_of(record, images)
        x, y, width, height = map(float, record["bbox"])
        # COCO's edges lose 0.5.
        box = Box(index, (x - 0.5, y - 0.5, width, height), float(record.get("score", 1.0)), size)
        if box.score < options.min_score:
            ignored[f"with a score below min_score {options.min_score:g}"] += 1
            continue
        if name is None:
            by_id[number].append(box)  # type: ignore[index]
        else:
            by_name[name].append(box)
            ids[name] |= frozenset() if number is None else {number}
    _check_invalid_fraction(path, errors, len(records), options.max_invalid_fraction)
    return BoxRecords(path, by_name, by_id, ids, ignored, errors, len(records))


def _read_content(path: Path) -> tuple[Sequence[Any], Mapping[int, Mapping[str, Any]]]:
    """Return the records, and the images of an annotation file by id."""
    content = read_json(path, strict=False)
    records = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(records, list):
        raise DataError(f"{path}: expected COCO results (a list) or annotations, found {type(content).__name__}.")
    images = content.get("images") if isinstance(content, dict) else None
    known = (
        [image for image in images if isinstance(image, dict) and is_int64(image.get("id"))] if isinstance(images, list) else []
    )
    # A box of a repeated id would go to the last of its images.
    repeated = next((number for number, times in Counter(image["id"] for image in known).items() if times > 1), None)
    if repeated is not None:
        names = [image.get("file_name") for image in known if image["id"] == repeated]
        raise DataError(f"{path}: images: expected unique ids, found id {repeated} more than once ({format_value(names)}).")
    return records, {image["id"]: image for image in known}


def _ignore_reason(record: Any, options: BoxesFileOptions) -> str:
    """Return why a record does not concern the detector, or ''."""
    if not isinstance(record, dict):
        return ""
    category = record.get("category_id", options.category_id)
    if options.category_id is not None and is_int64(category) and category != options.category_id:
        return f"of category_id {category}, not {options.category_id} (option category_id of boxes_file)"
    return "crowds" if record.get("iscrowd") in (1, True) else ""


def _find_error(record: Any) -> str:
    """Return what is wrong with a record, or ''."""
    if not isinstance(record, dict):
        return f"expected image_id and bbox [x, y, w, h], found {format_value(record)[:60]}"
    if "bbox" not in record or not {"image_id", "file_name"} & record.keys():
        return f"expected image_id and bbox [x, y, w, h], found {', '.join(map(str, record))[:60] or 'nothing'}"
    box = record["bbox"]
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_finite, box)):
        return f"bbox: expected four finite numbers [x, y, w, h] below {MAX_NUMBER:g}, found {format_value(box)[:60]}"
    if min(box[2:]) <= 0:
        return f"bbox: expected w and h above 0, found {format_value(box)[:60]}"
    if not is_finite(record.get("score", 1.0)):
        return f"score: expected a finite number below {MAX_NUMBER:g}, found {format_value(record['score'])[:60]}"
    name, number = record.get("file_name"), record.get("image_id")
    if not isinstance(name, str | None) or (not name and not (is_whole(number) or isinstance(number, str))):
        return f"expected image_id or file_name, found {format_value(number)[:60]} and {format_value(name)[:60]}"
    if not is_int64(record.get("category_id", 0)):
        return f"category_id: expected a whole number, found {format_value(record['category_id'])[:60]}"
    return ""


def _image_of(
    record: Mapping[str, Any], images: Mapping[int, Mapping[str, Any]]
) -> tuple[str | None, int | None, tuple[int, int] | None]:
    """Return file name, id, and (height, width) px of a record's image, as far as the file states them."""
    number = int(record["image_id"]) if is_whole(record.get("image_id")) else None
    image = {} if number is None else images.get(number, {})
    name = record.get("file_name") or image.get("file_name")
    if not isinstance(name, str):
        name = record["image_id"] if isinstance(record.get("image_id"), str) else None
    height, width = image.get("height"), image.get("width")
    size = (int(height), int(width)) if isinstance(height, int) and isinstance(width, int) else None
    return name if isinstance(name, str) else None, number, size


def _check_invalid_fraction(path: Path, errors: Sequence[str], count: int, max_fraction: float) -> None:
    if len(errors) > max_fraction * count:
        more = f"\n  and {len(errors) - SHOWN_ERRORS} more" if len(errors) > SHOWN_ERRORS else ""
        raise DataError(
            f"{path}: {len(errors)} of {pluralise(count, 'record')} invalid (counted from 0), expected at most a fraction of "
            f"{max_fraction:g} (option max_invalid_fraction of boxes_file):\n  " + "\n  ".join(errors[:SHOWN_ERRORS]) + more
        )
