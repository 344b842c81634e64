"""Label Studio (JSON): a person is a rectangle, its joints are key points whose `parentID` is the rectangle.

Coordinates are percentages of the image. A key point with the choice `occluded` (of the control `visibility`, one per region) has
visibility 1, any other one 2; a joint without a key point is unlabelled. What Label Studio cannot say is kept in the field `meta`
of the rectangle. The labelling interface that a project needs is written by `label_studio_interface`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from posescope.core.files import read_json, write_json
from posescope.core.skeleton import Skeleton
from posescope.labelling.coco_labels import box_around
from posescope.labelling.label_set import (
    UNLABELLED,
    Joint,
    LabelError,
    LabelledImage,
    LabelledPerson,
    LabelSet,
    Notes,
    check_id,
    check_image_name,
    round_px,
    skeleton_of_names,
)
from posescope.labelling.label_studio_regions import Region, group_regions, read_regions

__all__ = ["BOX_CONTROL", "IMAGE", "OCCLUDED", "POINT_CONTROL", "VISIBILITY_CONTROL", "read_label_studio", "write_label_studio"]

IMAGE, BOX_CONTROL, POINT_CONTROL, VISIBILITY_CONTROL, OCCLUDED = "image", "box", "joint", "visibility", "occluded"
_POINT_WIDTH = 0.5  # percent of the image, the size with which a point is drawn
_SIDE = "posescope"


def read_label_studio(path: Path, skeleton: Skeleton | None = None, category: str = "person") -> LabelSet:
    """Return the labels of an export in the format JSON (not JSON-MIN).

    The newest annotation of a task that was not cancelled is read; without any, its newest prediction. Key points without a
    parent belong to the only rectangle, or to the smallest one around them.

    Args:
        path: the file.
        skeleton: order and limbs of the joints, which the export does not have; None: the order in which they are first found.
        category: name of the persons' label; other rectangles are left out.

    Raises:
        DataError: if the file is no such export, or a region is malformed.
    """
    tasks = read_json(path)
    if isinstance(tasks, dict) and "data" in tasks:
        tasks = [tasks]
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise LabelError(f"{path}: expected a list of tasks, as Label Studio exports JSON, found {type(tasks).__name__}.")
    reader = _Reader(str(path), skeleton, category)
    read = [(task, *reader.read_regions(task, number)) for number, task in enumerate(tasks)]
    names = skeleton.joints if skeleton is not None else reader.joint_names([regions for _, regions, _, _ in read])
    found = skeleton or skeleton_of_names(names, (), str(path))
    images = [reader.read_image(task, regions, scored, place, found) for task, regions, scored, place in read]
    return LabelSet(found, category, tuple(image for image in images if image is not None), Notes(tuple(reader.notes)))


def write_label_studio(
    labels: LabelSet, path: Path, image_prefix: str = "/data/local-files/?d=", model: str = "posescope"
) -> None:
    """Write tasks that Label Studio imports: labels as annotations, predictions with their scores as pre-annotations.

    Args:
        labels: the labels.
        path: the file.
        image_prefix: address of the images, before their names; the default is that of a local storage.
        model: name of the model, for pre-annotations.
    """
    write_json(path, [_write_task(labels, image, image_prefix, model) for image in labels.images], compact=True)


class _Reader:
    """Reads the tasks of an export.

    Args:
        path: the file, for errors.
        skeleton: the known skeleton.
        category: label of the persons.
    """

    def __init__(self, path: str, skeleton: Skeleton | None, category: str) -> None:
        self._path, self._skeleton, self._category = path, skeleton, category
        self.notes: dict[str, None] = {}

    def read_regions(self, task: Mapping[str, Any], number: int) -> tuple[list[Region], bool, str]:
        """Return the regions of a task, whether they are a prediction, and the place for errors."""
        place = f"{self._path}: task {task.get('id', number)}"
        if not isinstance(task.get("data"), dict):
            raise LabelError(f"{place}: expected the fields data and annotations. Export as JSON, not as JSON-MIN.")
        results = [one for one in _records(task, "annotations", place) if not one.get("was_cancelled")]
        scored = not results
        if scored:
            stored = task.get("predictions")
            is_ids = isinstance(stored, list) and any(isinstance(one, int) for one in stored)
            if is_ids:  # the plain export has only the ids of predictions
                self.notes["Tasks with predictions that were not accepted have no persons here."] = None
            results = [] if is_ids else _records(task, "predictions", place)
        if len(results) > 1:
            self.notes["Of tasks with several annotations, the newest one was read."] = None
        newest = max(results, key=lambda one: str(one.get("updated_at") or one.get("created_at") or ""), default={})
        return read_regions(newest.get("result") or [], place), scored, place

    def joint_names(self, tasks: Sequence[Sequence[Region]]) -> tuple[str, ...]:
        """Return the names of all key points, in the order in which they are first found."""
        names = tuple(dict.fromkeys(one.label for regions in tasks for one in regions if one.kind == "point"))
        if not names:
            raise LabelError(f"{self._path}: expected key points (KeyPointLabels), found none. Give the joints: --skeleton FILE.")
        self.notes["The export has no order of the joints and no limbs: give --skeleton to set them."] = None
        return names

    def read_image(
        self, task: Mapping[str, Any], regions: Sequence[Region], scored: bool, place: str, skeleton: Skeleton
    ) -> LabelledImage | None:
        side = _side_of(task.get("meta"))
        name = check_image_name(side.pop("name"), place) if "name" in side else _image_name(task["data"], place)
        size = _size_of(regions, side, place)
        if size is None:
            self.notes["Tasks without any region have no size of their image, and were left out."] = None
            return None
        width, height = size
        others = {one.id for one in regions if one.kind == "box" and one.label != self._category}
        own = [one for one in regions if one.id not in others and one.parent not in others]
        if others:
            self.notes[f"Rectangles with another label than {self._category} were left out, with their key points."] = None
        persons = [
            _read_person(box, points, size, scored, f"{place}: {name}", skeleton) for box, points in group_regions(own, place)
        ]
        side.pop("size", None)
        return LabelledImage(name, width, height, tuple(persons), check_id(side.pop("id", None), place), side)


def _records(task: Mapping[str, Any], field: str, place: str) -> list[dict[str, Any]]:
    found = task.get(field) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise LabelError(f"{place}: {field}: expected a list of objects. Export as JSON, not as JSON-MIN.")
    return found


def _side_of(meta: Any) -> dict[str, Any]:
    own = meta.get(_SIDE) if isinstance(meta, dict) else None
    return dict(own) if isinstance(own, dict) else {}


def _size_of(regions: Sequence[Region], side: Mapping[str, Any], place: str) -> tuple[int, int] | None:
    sizes = {one.size for one in regions}
    if len(sizes) > 1:
        raise LabelError(f"{place}: expected one size of the image, found {sorted(sizes)}. Label images, one per task.")
    if sizes:
        return sizes.pop()
    known = side.get("size")
    if isinstance(known, list) and len(known) == 2 and all(isinstance(one, int) and 0 < one < 2**31 for one in known):
        return known[0], known[1]
    return None


def _image_name(data: Mapping[str, Any], place: str) -> str:
    """Return the path of the image below its folder: that after `?d=` of a local storage, else the last part of an address."""
    address = data.get(IMAGE) or next((value for value in data.values() if isinstance(value, str)), None)
    if not isinstance(address, str):
        raise LabelError(f"{place}: data: expected the address of an image in the field {IMAGE}.")
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise LabelError(f"{place}: data: {address!r:.200} is no address of an image ({error}).") from error
    if parts.path.endswith("/local-files/") and parts.query.startswith("d="):
        return check_image_name(unquote(parts.query[2:].partition("&")[0]).lstrip("/"), place)
    if parts.scheme or parts.path.startswith("/"):
        return check_image_name(unquote(parts.path.rsplit("/", 1)[-1]), place)
    return check_image_name(unquote(parts.path), place)


def _read_person(
    box: Region | None, points: Sequence[Region], size: tuple[int, int], scored: bool, place: str, skeleton: Skeleton
) -> LabelledPerson:
    width, height = size
    joints: dict[str, Joint] = {}
    for point in points:
        if point.label not in skeleton.joints:
            raise LabelError(f"{place}: {point.label!r:.100} is no joint of the skeleton: {', '.join(skeleton.joints)}.")
        if point.label in joints:
            raise LabelError(f"{place}: one person has the joint {point.label} twice. Remove one, or move it into its rectangle.")
        x, y = (round_px(value / 100 * side, place) for value, side in zip(point.value, (width, height), strict=False))
        joints[point.label] = Joint(x, y, 1 if OCCLUDED in point.choices else 2, point.score if scored else None)
    side = _side_of(box.meta) if box is not None else {}
    edges = None
    if box is not None:
        scaled = zip(box.value, (width, height, width, height), strict=True)
        x, y, box_width, box_height = (round_px(value / 100 * whole, place) for value, whole in scaled)
        edges = (x, y, box_width, box_height)
    number = check_id(side.pop("id", None), place)
    score = box.score if scored and box is not None else None
    return LabelledPerson(tuple(joints.get(name, UNLABELLED) for name in skeleton.joints), edges, number, side, score)


def _write_task(labels: LabelSet, image: LabelledImage, prefix: str, model: str) -> dict[str, Any]:
    """Return a task; labels and predictions of one image are two lists of it."""
    results: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for number, person in enumerate(image.persons):
        results[person.score is not None] += _write_person(labels, image, person, f"p{number}")
    scores = [person.score for person in image.persons if person.score is not None]
    about = {"name": image.name, "size": [image.width, image.height], **({} if image.id is None else {"id": image.id})}
    task: dict[str, Any] = {"data": {IMAGE: prefix + quote(image.name)}, "meta": {_SIDE: {**image.side, **about}}}
    if results[False] or not results[True]:
        task["annotations"] = [{"result": results[False]}] if results[False] else []
    if results[True]:
        task["predictions"] = [{"model_version": model, "score": min(scores), "result": results[True]}]
    return task


def _write_person(labels: LabelSet, image: LabelledImage, person: LabelledPerson, key: str) -> list[dict[str, Any]]:
    frame = {"to_name": IMAGE, "original_width": image.width, "original_height": image.height, "image_rotation": 0}
    sides = (image.width, image.height)
    # A person without a box gets that of the joints: the rectangle keeps the joints of a person together, and its id.
    box = box_around(person) if person.box is None else person.box
    x, y, width, height = (100 * value / side for value, side in zip(box, (*sides, *sides), strict=True))
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0, "rectanglelabels": [labels.category]}
    side = {**person.side, **({} if person.id is None else {"id": person.id})}
    about = {"id": key, "from_name": BOX_CONTROL, "type": "rectanglelabels", "value": value, "meta": {_SIDE: side}}
    regions: list[dict[str, Any]] = [{**frame, **about, **_score(person.score)}]
    parent = {"parentID": key}
    for name, joint in zip(labels.skeleton.joints, person.joints, strict=True):
        if not joint.visibility:
            continue
        where = {"x": 100 * joint.x / sides[0], "y": 100 * joint.y / sides[1], "width": _POINT_WIDTH}
        own = {**frame, "id": f"{key}-{name}", **_score(joint.score)}
        point = {"from_name": POINT_CONTROL, "type": "keypointlabels", "value": {**where, "keypointlabels": [name]}, **parent}
        regions.append({**own, **point})
        if joint.visibility == 1:
            choice = {"from_name": VISIBILITY_CONTROL, "type": "choices", "value": {**where, "choices": [OCCLUDED]}}
            regions.append({**own, **choice})
    return regions


def _score(score: float | None) -> dict[str, float]:
    return {} if score is None else {"score": score}
