"""Validation of another system's COCO keypoint results, record by record.

A file with an invalid record is refused as a whole: without that record there would be one false alarm less, which could raise
the average precision.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from posescope.core.errors import pluralise
from posescope.data.coco.file_name_matching import FileNameMatcher, NameMatches
from posescope.data.coco.record_validation import MAX_NUMBER, format_value, is_int64
from posescope.evaluation.metrics.base import MetricError

__all__ = ["MAX_AREA_PX2", "check_results"]

logger = logging.getLogger(__name__)

# The largest area range of pycocotools ends here: a larger false alarm would not count.
MAX_AREA_PX2 = 1e10
_SHOWN_FAULTS = 10
_FIELDS = ("image_id", "category_id", "keypoints", "score")


def check_results(
    results: Sequence[Any],
    joint_count: int,
    category_id: int | None = None,
    images: Sequence[Mapping[str, Any]] | None = None,
    other_images: bool = False,
    source: str = "COCO results",
) -> list[dict[str, Any]]:
    """Return the results of one category with the four fields that are scored; raise if any record is invalid.

    Args:
        results: the records of the file. Fields other than image_id, category_id, keypoints, score and file_name (`bbox`,
            `caption`) are ignored: OKS does not use them, and pycocotools would infer another kind of results from them.
        joint_count: K.
        category_id: of the persons. Results of other categories are left out, and their number is logged. None: all categories.
        images: records with `id` and optionally `file_name` of all images of the annotation file. A result with a `file_name`, or
            with text as `image_id`, is of the image with this name, whatever its number (`FileNameMatcher`). None: names are
            ignored, and image_id must be a whole number.
        other_images: leave out results of other images. False: they are invalid.
        source: name of the results in messages, for example their path.

    Returns:
        Records with image_id (int), category_id (int), keypoints (3 K numbers) and score, in the order of the file.

    Raises:
        MetricError: if a record is invalid, with one line for each of the first ten; if there are results, but none of the
            category.
    """
    resolver = None if images is None else _ImageResolver(results, images, other_images)
    checked: list[dict[str, Any]] = []
    faults: list[str] = []
    others: defaultdict[Any, int] = defaultdict(int)
    for place, record in enumerate(results):
        fault = _find_fault(record, joint_count, category_id)
        if not fault and category_id is not None and record["category_id"] != category_id:
            others[record["category_id"]] += 1
            continue
        fault, image_id = (fault, 0) if fault else _find_image(record, resolver)
        if fault:
            faults.append(f"record {place}: {fault}")
        elif image_id is not None:
            checked.append(_plain(record, image_id))
    if faults:
        raise MetricError(_describe(faults, len(results), source))
    if others and sum(others.values()) == len(results):
        raise MetricError(
            f"{source}: expected records of category {category_id} among {pluralise(len(results), 'record')}, found "
            f"{', '.join(f'{number} of {name}' for name, number in others.items())}. Correct category_id."
        )
    _log_changes(resolver, sum(others.values()), len(results), source)
    return checked


def _find_fault(record: Any, joint_count: int, category_id: int | None) -> str:
    """Return the fault of a record, '' if it is valid. Of a record of another category only the category is checked."""
    if not isinstance(record, Mapping):
        return f"expected an object, found {format_value(record)[:60]}"
    missing = [name for name in _FIELDS if name not in record]
    if missing:
        return f"expected {', '.join(_FIELDS)}; {', '.join(missing)} missing ({_about(record)})"
    if not _is_id(record["category_id"]):
        return f"category_id: expected a whole number, found {_show(record['category_id'])} ({_about(record)})"
    if category_id is not None and record["category_id"] != category_id:
        return ""
    if not _is_number(record["score"]):
        return f"score: expected a finite number below {MAX_NUMBER:g}, found {_show(record['score'])} ({_about(record)})"
    fault = _find_keypoints_fault(record["keypoints"], 3 * joint_count)
    if fault:
        return f"keypoints: {fault} ({_about(record)})"
    if not _is_id(record["image_id"]) and not isinstance(record["image_id"], str):
        return f"image_id: expected a whole number, found {_show(record['image_id'])}"
    return ""


def _find_keypoints_fault(keypoints: Any, numbers: int) -> str:
    if not isinstance(keypoints, list | tuple):
        return f"expected a list of {numbers} numbers, found {_show(keypoints)}"
    if len(keypoints) != numbers:
        return f"expected {numbers} numbers, found {len(keypoints)} numbers"
    if not _are_plain_numbers(keypoints):
        wrong = next((place for place, value in enumerate(keypoints) if not _is_number(value)), None)
    else:
        wrong = None
    if wrong is not None:
        return f"expected {numbers} finite numbers below {MAX_NUMBER:g}, found {_show(keypoints[wrong])} at place {wrong}"
    x, y = keypoints[0::3], keypoints[1::3]
    if (max(x) - min(x)) * (max(y) - min(y)) > MAX_AREA_PX2:
        return f"the pose covers more than {MAX_AREA_PX2:g} px^2"
    return ""


def _find_image(record: Mapping[str, Any], resolver: "_ImageResolver | None") -> tuple[str, int | None]:
    """Return the fault ('' if none) and the id of the image; None for a result that is left out."""
    if resolver is not None:
        return resolver.find(record)
    number = record["image_id"]
    return ("", int(number)) if _is_id(number) else (f"image_id: expected a whole number, found {_show(number)}", None)


class _ImageResolver:
    """Resolves the image of each result."""

    def __init__(self, results: Sequence[Any], images: Sequence[Mapping[str, Any]], other_images: bool) -> None:
        self._other_images = other_images
        self._ids = {image["id"] for image in images}
        self._ids_of_name: defaultdict[str, list[int]] = defaultdict(list)
        for image in images:
            if isinstance(image.get("file_name"), str):
                self._ids_of_name[image["file_name"]].append(image["id"])
        names = FileNameMatcher(self._ids_of_name)
        records = [record for record in results if isinstance(record, Mapping)]
        self._names = names.match(name for record in records if isinstance(name := record.get("file_name"), str))
        texts = [name for record in records if isinstance(name := record.get("image_id"), str)]
        self._texts = names.match(texts, stems=True)
        self.renumbered: list[str] = []

    def find(self, record: Mapping[str, Any]) -> tuple[str, int | None]:
        """Return the fault ('' if none) and the id of the image; None for an unknown image, if these are allowed."""
        name, number = record.get("file_name"), record["image_id"]
        if name is not None and not isinstance(name, str):
            return f"file_name: expected text, found {_show(name)}", None
        if name is not None and self._ids_of_name:
            return self._find_named("file_name", name, number, self._names)
        if isinstance(number, str):
            return self._find_named("image_id", number, number, self._texts)
        if number in self._ids:
            return "", int(number)
        return "" if self._other_images else f"image_id {_show(number)}: the annotation file has no such image", None

    def _find_named(self, field: str, name: str, number: Any, matches: NameMatches) -> tuple[str, int | None]:
        if name in matches.ambiguous:
            return f"{field}: ambiguous, {matches.ambiguous[name]}", None
        if name not in matches.found:
            return "" if self._other_images else f"{field} {_show(name)}: the annotation file has no image of this name", None
        ids = self._ids_of_name[matches.found[name]]
        if number in ids:
            return "", int(number)
        if len(ids) > 1:
            return f"{field} {_show(name)}: ambiguous, the annotation file has this name for the images {ids[:3]}", None
        if not isinstance(number, str):
            self.renumbered.append(f"{name} has image_id {ids[0]}, not {_show(number)}")
        return "", ids[0]


def _log_changes(resolver: _ImageResolver | None, others: int, count: int, source: str) -> None:
    if others:
        logger.warning("%s: %d of %d records are of other categories and are left out", source, others, count)
    if resolver is not None and resolver.renumbered:
        logger.warning(
            "%s: %d of %d records have another image_id than the annotation file for their file_name; the file_name is used; "
            "the first: %s",
            source, len(resolver.renumbered), count, resolver.renumbered[0],
        )  # fmt: skip


def _describe(faults: Sequence[str], count: int, source: str) -> str:
    more = len(faults) - _SHOWN_FAULTS
    lines = [*faults[:_SHOWN_FAULTS], *([f"and {more} more"] if more > 0 else [])]
    return (
        f"{source}: {len(faults)} of {pluralise(count, 'record')} {'is' if len(faults) == 1 else 'are'} invalid (from 0); "
        "nothing was scored. Correct the file.\n  " + "\n  ".join(lines)
    )


def _plain(record: Mapping[str, Any], image_id: int) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "category_id": int(record["category_id"]),
        "keypoints": list(record["keypoints"]),
        "score": record["score"],
    }


def _is_id(value: Any) -> bool:
    """Whether a value is a whole number; other programs write some as floats (139.0)."""
    if isinstance(value, float):
        return abs(value) < 2**53 and value.is_integer()
    return is_int64(value) or isinstance(value, np.integer)


def _is_number(value: Any) -> bool:
    """Whether a value is a number of a size that metrics can be computed from; False for NaN."""
    if isinstance(value, np.integer | np.floating):
        value = value.item()
    return isinstance(value, int | float) and not isinstance(value, bool) and -MAX_NUMBER < value < MAX_NUMBER


def _are_plain_numbers(values: Sequence[Any]) -> bool:
    """Whether all values of a list are numbers as for `_is_number`; fast, for Python's own types only."""
    return set(map(type, values)) <= {int, float} and all(-MAX_NUMBER < value < MAX_NUMBER for value in values)


def _about(record: Mapping[str, Any]) -> str:
    named = [f"{name} {_show(record[name])}" for name in ("file_name", "image_id") if record.get(name) is not None]
    return ", ".join(named) or "no image_id"


def _show(value: Any) -> str:
    shown = format_value(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
