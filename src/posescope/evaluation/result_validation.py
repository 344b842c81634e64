"""Validation of another system's COCO keypoint results, record by record.

A file with an invalid record is refused as a whole: without that record there would be one false alarm less, which could raise
the average precision.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from posescope.core.errors import pluralise
from posescope.data.coco.file_name_matching import FileNameMatcher, NameMatches
from posescope.data.coco.record_validation import MAX_NUMBER, format_value, is_finite, is_whole
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
    category_id: int,
    images: Sequence[Mapping[str, Any]],
    source: str = "COCO results",
) -> list[dict[str, Any]]:
    """Return the results of one category with the four fields that are scored; raise if any record is invalid.

    Args:
        results: the records of the file. Fields other than image_id, category_id, keypoints, score and file_name (`bbox`,
            `caption`) are ignored: OKS does not use them, and pycocotools would infer another kind of results from them.
        joint_count: K.
        category_id: id of the persons' category. Results of other categories are left out, and their number is logged.
        images: records with `id` and optionally `file_name` of all images of the annotation file. A result with a `file_name`, or
            with text as `image_id`, is of the image with this name, whatever its number (`FileNameMatcher`).
        source: name of the results in messages, for example their path.

    Returns:
        Records with image_id (int), category_id (int), keypoints (3 K numbers) and score, in the order of the file.

    Raises:
        MetricError: if a record is invalid, with one line for each of the first ten; if there are results, but none of the
            category.
    """
    resolver = _ImageResolver(results, images)
    checked: list[dict[str, Any]] = []
    faults: list[str] = []
    others: defaultdict[Any, int] = defaultdict(int)
    for place, record in enumerate(results):
        fault = _find_fault(record, joint_count, category_id)
        if not fault and record["category_id"] != category_id:
            others[record["category_id"]] += 1
            continue
        fault, image_id = (fault, 0) if fault else resolver.find(record)
        if fault:
            faults.append(f"record {place}: {fault}")
        else:
            found = {"image_id": image_id, "category_id": int(record["category_id"])}
            checked.append({**found, "keypoints": list(record["keypoints"]), "score": record["score"]})
    if faults:
        raise MetricError(_describe(faults, len(results), source))
    if others and sum(others.values()) == len(results):
        raise MetricError(
            f"{source}: expected records of category {category_id} among {pluralise(len(results), 'record')}, found "
            f"{', '.join(f'{number} of {name}' for name, number in others.items())}. Correct category_id."
        )
    _log_changes(resolver, sum(others.values()), len(results), source)
    return checked


def _find_fault(record: Any, joint_count: int, category_id: int) -> str:
    """Return the fault of a record, '' if it is valid. Of a record of another category only the category is checked."""
    if not isinstance(record, Mapping):
        return f"expected an object, found {format_value(record)[:60]}"
    missing = [name for name in _FIELDS if name not in record]
    if missing:
        return f"expected {', '.join(_FIELDS)}; {', '.join(missing)} missing ({_about(record)})"
    if not is_whole(record["category_id"]):
        return f"category_id: expected a whole number, found {_show(record['category_id'])} ({_about(record)})"
    if record["category_id"] != category_id:
        return ""
    if not is_finite(record["score"]):
        return f"score: expected a finite number below {MAX_NUMBER:g}, found {_show(record['score'])} ({_about(record)})"
    fault = _find_keypoints_fault(record["keypoints"], 3 * joint_count)
    if fault:
        return f"keypoints: {fault} ({_about(record)})"
    if not is_whole(record["image_id"]) and not isinstance(record["image_id"], str):
        return f"image_id: expected a whole number, found {_show(record['image_id'])}"
    return ""


def _find_keypoints_fault(keypoints: Any, numbers: int) -> str:
    if not isinstance(keypoints, list | tuple):
        return f"expected a list of {numbers} numbers, found {_show(keypoints)}"
    if len(keypoints) != numbers:
        return f"expected {numbers} numbers, found {len(keypoints)} numbers"
    wrong = next((place for place, value in enumerate(keypoints) if not is_finite(value)), None)
    if wrong is not None:
        return f"expected {numbers} finite numbers below {MAX_NUMBER:g}, found {_show(keypoints[wrong])} at place {wrong}"
    x, y = keypoints[0::3], keypoints[1::3]
    if (max(x) - min(x)) * (max(y) - min(y)) > MAX_AREA_PX2:
        return f"the pose covers more than {MAX_AREA_PX2:g} px^2"
    return ""


class _ImageResolver:
    """Resolves the image of each result."""

    def __init__(self, results: Sequence[Any], images: Sequence[Mapping[str, Any]]) -> None:
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

    def find(self, record: Mapping[str, Any]) -> tuple[str, int]:
        """Return the fault, '' if there is none, and the id of the image."""
        name, number = record.get("file_name"), record["image_id"]
        if name is not None and not isinstance(name, str):
            return f"file_name: expected text, found {_show(name)}", 0
        if name is not None and self._ids_of_name:
            return self._find_named("file_name", name, number, self._names)
        if isinstance(number, str):
            return self._find_named("image_id", number, number, self._texts)
        if number in self._ids:
            return "", int(number)
        return f"image_id {_show(number)}: the annotation file has no such image", 0

    def _find_named(self, field: str, name: str, number: Any, matches: NameMatches) -> tuple[str, int]:
        if name in matches.ambiguous:
            return f"{field}: ambiguous, {matches.ambiguous[name]}", 0
        if name not in matches.found:
            return f"{field} {_show(name)}: the annotation file has no image of this name", 0
        ids = self._ids_of_name[matches.found[name]]
        if number in ids:
            return "", int(number)
        if len(ids) > 1:
            return f"{field} {_show(name)}: ambiguous, the annotation file has this name for the images {ids[:3]}", 0
        if not isinstance(number, str):
            self.renumbered.append(f"{name} has image_id {ids[0]}, not {_show(number)}")
        return "", ids[0]


def _log_changes(resolver: _ImageResolver, others: int, count: int, source: str) -> None:
    if others:
        logger.warning("%s: %d of %d records are of other categories and are left out", source, others, count)
    if resolver.renumbered:
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


def _about(record: Mapping[str, Any]) -> str:
    named = [f"{name} {_show(record[name])}" for name in ("file_name", "image_id") if record.get(name) is not None]
    return ", ".join(named) or "no image_id"


def _show(value: Any) -> str:
    shown = format_value(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
