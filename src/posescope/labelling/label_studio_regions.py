"""Regions of Label Studio: rectangles and key points, and which key points belong to which rectangle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posescope.labelling.label_set import LabelError, check_score, round_px

__all__ = ["Region", "group_regions", "read_regions"]

_KINDS = {"rectanglelabels": "box", "keypointlabels": "point"}
_FIELDS = {"box": ("x", "y", "width", "height"), "point": ("x", "y")}


@dataclass(frozen=True)
class Region:
    """A rectangle or a key point.

    Attributes:
        id: id in its task.
        kind: box or point.
        label: its label.
        value: x, y, and of a box width and height, percent of the image.
        size: (width, height) px of the image.
        parent: id of the parent region; '': none.
        choices: chosen values of the controls that exist once per region.
        meta: notes of the region.
        score: of a prediction.
    """

    id: str
    kind: str
    label: str
    value: tuple[float, ...]
    size: tuple[int, int]
    parent: str
    choices: frozenset[str]
    meta: Any
    score: float | None


def read_regions(results: Any, place: str) -> list[Region]:
    """Return rectangles and key points; brushes, texts and other results are left out.

    Args:
        results: the field `result` of an annotation.
        place: the task, for errors.

    Raises:
        LabelError: if a result is malformed, an image is rotated, or a rectangle is.
    """
    if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
        raise LabelError(f"{place}: result: expected a list of objects, found {type(results).__name__}.")
    choices: dict[str, set[str]] = {}
    parents: dict[str, str] = {}
    for one in results:
        if one.get("type") == "choices":
            chosen = _value_of(one, place).get("choices")
            chosen = chosen if isinstance(chosen, list) else []
            choices.setdefault(str(one.get("id")), set()).update(str(name) for name in chosen)
        elif one.get("type") == "relation":
            ends = str(one.get("from_id")), str(one.get("to_id"))
            parents |= {ends[0]: ends[1], ends[1]: ends[0]}
    regions = [_read_region(one, choices, parents, place) for one in results if str(one.get("type")) in _KINDS]
    ids = [region.id for region in regions]
    if len(set(ids)) < len(ids):
        raise LabelError(f"{place}: two regions have the id {next(one for one in ids if ids.count(one) > 1)!r:.100}.")
    return regions


def group_regions(regions: Sequence[Region], place: str) -> list[tuple[Region | None, list[Region]]]:
    """Return each rectangle with its key points.

    A key point belongs to its parent, else to the only rectangle, else to the smallest one around it that has no such joint yet.
    Without any rectangle all key points are one person.

    Args:
        regions: rectangles and key points of one image.
        place: the task, for errors.

    Raises:
        LabelError: if a key point belongs to no rectangle.
    """
    boxes = {region.id: region for region in regions if region.kind == "box"}
    points = [region for region in regions if region.kind == "point"]
    if not boxes:
        return [(None, points)] if points else []
    groups: dict[str, list[Region]] = {key: [] for key in boxes}
    orphans = []
    for point in points:
        if point.parent in boxes:
            groups[point.parent].append(point)
        else:
            orphans.append(point)
    for point in orphans:
        groups[_find_box(point, boxes, groups, place)].append(point)
    return [(boxes[key], own) for key, own in groups.items()]


def _find_box(point: Region, boxes: Mapping[str, Region], groups: Mapping[str, Sequence[Region]], place: str) -> str:
    if len(boxes) == 1:
        return next(iter(boxes))
    around = [
        (box.value[2] * box.value[3], key)
        for key, box in boxes.items()
        if 0 <= point.value[0] - box.value[0] <= box.value[2] and 0 <= point.value[1] - box.value[1] <= box.value[3]
        if point.label not in {other.label for other in groups[key]}
    ]
    if not around:
        raise LabelError(
            f"{place}: the key point {point.label} belongs to no rectangle. Drag it onto its rectangle in the list of regions."
        )
    return min(around)[1]


def _read_region(one: Mapping[str, Any], choices: Mapping[str, set[str]], parents: Mapping[str, str], place: str) -> Region:
    kind, key = _KINDS[one["type"]], str(one.get("id"))
    value = _value_of(one, place)
    labels = value.get(one["type"])
    if not isinstance(labels, list) or len(labels) != 1 or not isinstance(labels[0], str):
        raise LabelError(f"{place}: region {key}: expected one label, found {labels!r:.100}.")
    if one.get("image_rotation"):
        raise LabelError(f"{place}: the image was rotated by {one['image_rotation']!r:.20} degrees. Rotate it back in the task.")
    if value.get("rotation"):
        raise LabelError(f"{place}: region {key}: expected a rectangle without rotation. Rotate it back.")
    width, height = one.get("original_width"), one.get("original_height")
    if not all(isinstance(side, int) and 0 < side < 2**31 for side in (width, height)):
        raise LabelError(f"{place}: region {key}: expected original_width and original_height, found {width!r}, {height!r}.")
    return Region(
        id=key,
        kind=kind,
        label=labels[0],
        value=tuple(_percent(value.get(field), f"{place}: region {key}: {field}") for field in _FIELDS[kind]),
        size=(width, height),  # type: ignore[arg-type]
        parent=str(one.get("parentID") or parents.get(key, "")),
        choices=frozenset(choices.get(key, ())),
        meta=one.get("meta"),
        score=check_score(one.get("score"), f"{place}: region {key}"),
    )


def _value_of(one: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    value = one.get("value")
    if not isinstance(value, dict):
        raise LabelError(f"{place}: region {one.get('id')}: expected an object in the field value, found {value!r:.100}.")
    return value


def _percent(value: Any, place: str) -> float:
    round_px(value, place)  # the check; the number itself is not rounded before it is in px
    return float(value)
