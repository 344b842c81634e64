"""COCO annotation files as labels, and labels as COCO annotation files that the reader of the project accepts."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from posescope.core.files import write_json
from posescope.core.skeleton import Skeleton, skeleton_from_category
from posescope.data.coco.annotation_stream import load_annotation_file
from posescope.data.coco.record_validation import MAX_NUMBER, find_annotation_error, find_image_error, has_other_category
from posescope.data.coco.repair import AREA_OF_BOX, parse_int64, repair_record, repair_sizes
from posescope.labelling.label_set import (
    DECIMALS,
    UNLABELLED,
    Joint,
    LabelError,
    LabelledImage,
    LabelledPerson,
    LabelSet,
    Notes,
    check_finite,
    check_image_name,
    check_score,
    check_unique_names,
)

__all__ = ["box_around", "is_written_here", "read_coco_labels", "to_coco", "write_coco_labels"]

_OWN = ("id", "image_id", "category_id", "bbox", "keypoints", "num_keypoints")
_DESCRIPTION = "Labels converted by posescope"
_OF_IMAGE = ("id", "file_name", "width", "height")


def read_coco_labels(path: Path, category: str = "person", skeleton: Skeleton | None = None) -> LabelSet:
    """Return the labels of a COCO annotation file.

    Args:
        path: the file, `.json` or `.json.gz`.
        skeleton: joints, for a category without any: FiftyOne writes none.
        category: name of the category to read; the only one of the file is read whatever its name.

    Raises:
        DataError: if the file is malformed, or a record of the category is invalid: labels are not dropped silently.
    """
    content = load_annotation_file(path)
    number, name, known = _read_category(content["categories"], category, skeleton, path)
    images = _read_images(content["images"], path)
    persons: dict[int, list[LabelledPerson]] = {image: [] for image in images}
    seen: set[int] = set()
    others = 0
    for place, record in enumerate(content["annotations"]):
        repaired, _ = repair_record(record, len(known))
        if has_other_category(repaired, number):
            others += 1
            continue
        reason = find_annotation_error(repaired, len(known), number, images, seen)
        if reason:
            raise LabelError(f"{path}: annotations[{place}]: {reason}. Correct the record, or remove it.")
        seen.add(repaired["id"])
        check_finite(repaired, f"{path}: annotations[{place}]")
        persons[repaired["image_id"]].append(_read_person(repaired, len(known)))
    notes = Notes((f"{others} annotations of other categories were left out.",) if others else ())
    labelled = tuple(_read_image(record, persons[image]) for image, record in images.items())
    return LabelSet(known, name, labelled, notes)


def is_written_here(path: Path) -> bool:
    """Return whether a COCO annotation file was written by `to_coco`, by its description.

    Args:
        path: the file.
    """
    info = load_annotation_file(path).get("info")
    return isinstance(info, dict) and info.get("description") == _DESCRIPTION


def to_coco(labels: LabelSet, description: str = _DESCRIPTION, taken: Collection[int] = ()) -> dict[str, Any]:
    """Return the content of a COCO annotation file.

    Ids are kept where labels have them; new ones follow the largest. A missing box is that of the joints, as the reader of the
    project makes it, and a missing area 0.53 of the box. Predictions keep their scores in `score` and `keypoint_scores`.

    Args:
        labels: the labels.
        description: what the file has.
        taken: ids of annotations of the file that are not of these labels.

    Raises:
        LabelError: if ids or names of images are repeated.
    """
    images, annotations = [], []
    image_ids = _number([image.id for image in labels.images], "image")
    persons = [person for image in labels.images for person in image.persons]
    ids = iter(_number([person.id for person in persons], "annotation", taken))
    check_unique_names(labels, "labels")
    for number, image in zip(image_ids, labels.images, strict=True):
        own = {"id": number, "file_name": image.name, "width": image.width, "height": image.height}
        images.append({**image.side, **own})
        annotations += [_write_person(person, next(ids), number, labels) for person in image.persons]
    return {
        "info": {"description": description},
        "images": images,
        "annotations": annotations,
        "categories": [
            {
                "id": labels.skeleton.category_id,
                "name": labels.category,
                "keypoints": list(labels.skeleton.joints),
                "skeleton": [[first + 1, second + 1] for first, second in labels.skeleton.limbs],
            }
        ],
    }


def write_coco_labels(labels: LabelSet, path: Path, base: Path | None = None) -> None:
    """Write a COCO annotation file; see `to_coco`.

    Args:
        labels: the labels.
        path: the file.
        base: file that the labels were put back into: its other categories with their annotations, its licences and other fields
            are kept.
    """
    if base is None:
        write_json(path, to_coco(labels), compact=True)
        return
    content = load_annotation_file(base)
    own = labels.skeleton.category_id
    joints = len(labels.skeleton)
    others = [one for one in content["annotations"] if has_other_category(repair_record(one, joints)[0], own)]
    for name, value in {**content, "annotations": others}.items():
        check_finite(value, f"{base}: {name}")
    found = to_coco(labels, taken=[number for one in others if (number := parse_int64(one.get("id"))) is not None])
    kept = {"images": found["images"], "annotations": [*found["annotations"], *others]}
    write_json(path, {**content, **kept}, compact=True)


def _read_category(categories: Sequence[Any], wanted: str, skeleton: Skeleton | None, path: Path) -> tuple[int, str, Skeleton]:
    """Return the id of a category, its name and its skeleton; the only category is meant whatever its name."""
    named = [one for one in categories if isinstance(one, dict) and isinstance(one.get("name"), str)]
    found = [one for one in named if one["name"] == wanted or len(named) == 1]
    if len(found) != 1:
        names = ", ".join(one["name"] for one in named) or "none"
        raise LabelError(f"{path}: categories: expected one called {wanted}, found {names}. Name it: --category.")
    number, joints = parse_int64(found[0].get("id")), found[0].get("keypoints")
    if number is None:
        raise LabelError(f"{path}: categories: {found[0]['name']}: expected an integer id, found {found[0].get('id')!r:.50}.")
    if skeleton is not None and not joints:  # FiftyOne writes no joints
        return number, found[0]["name"], replace(skeleton, category_id=number)
    if not isinstance(joints, list) or not all(isinstance(joint, str) and joint for joint in joints):
        raise LabelError(
            f"{path}: categories: keypoints: expected the names of the joints, found {joints!r:.200}: --skeleton FILE."
        )
    return number, found[0]["name"], skeleton_from_category({**found[0], "id": number}, source=str(path))


def _read_images(records: Sequence[Any], path: Path) -> dict[int, dict[str, Any]]:
    images: dict[int, dict[str, Any]] = {}
    for place, found in enumerate(records):
        record = repair_sizes(found, None)[0] if isinstance(found, dict) else found
        reason = find_image_error(record, None, images)
        if reason:
            raise LabelError(f"{path}: images[{place}]: {reason}. Correct the record, or remove it with its annotations.")
        check_finite(record, f"{path}: images[{place}]")
        images[record["id"]] = record
    return images


def _read_image(record: Mapping[str, Any], persons: Sequence[LabelledPerson]) -> LabelledImage:
    side = {name: value for name, value in record.items() if name not in _OF_IMAGE}
    name = check_image_name(record["file_name"], "images")
    return LabelledImage(name, record["width"], record["height"], tuple(persons), record["id"], side)


def _read_person(record: Mapping[str, Any], joint_count: int) -> LabelledPerson:
    numbers = record.get("keypoints") or [0] * (3 * joint_count)
    side = {name: value for name, value in record.items() if name not in (*_OWN, "score", "keypoint_scores")}
    score, scores = record.get("score"), record.get("keypoint_scores")
    if isinstance(score, list):  # FiftyOne writes the scores of the joints so
        score, scores = None, score
    if not isinstance(scores, list) or len(scores) != joint_count:
        scores = [None] * joint_count
    score, *scores = (check_score(one, f"annotation {record['id']}") for one in (score, *scores))
    joints = [
        Joint(x, y, int(seen), own) if seen else UNLABELLED
        for x, y, seen, own in zip(numbers[::3], numbers[1::3], numbers[2::3], scores, strict=True)
    ]
    x, y, width, height = record["bbox"]
    return LabelledPerson(tuple(joints), (x, y, width, height), record["id"], side, score)


def box_around(person: LabelledPerson) -> list[float]:
    """Return the box of a person, x, y, w, h px; a missing one is that of the joints with the margin of the project's reader.

    Args:
        person: the person.
    """
    keypoints = [value for joint in person.joints for value in (joint.x, joint.y, joint.visibility)]
    record = {"keypoints": keypoints, "bbox": None if person.box is None else list(person.box)}
    box: list[float] | None = repair_record(record, len(person.joints))[0]["bbox"]
    if box is not None:
        return box
    placed = [(joint.x, joint.y) for joint in person.joints if joint.visibility] or [(0.0, 0.0)]
    low = [min(values) for values in zip(*placed, strict=True)]
    high = [max(values) for values in zip(*placed, strict=True)]
    return [*low, *(max(1.0, top - bottom) for bottom, top in zip(low, high, strict=True))]


def _write_person(person: LabelledPerson, number: int, image_id: int, labels: LabelSet) -> dict[str, Any]:
    box = box_around(person)
    scores = [joint.score for joint in person.joints]
    of_prediction: dict[str, Any] = {} if person.score is None else {"score": person.score}
    if any(score is not None for score in scores):
        of_prediction["keypoint_scores"] = scores
    return {
        "iscrowd": 0,
        "area": round(AREA_OF_BOX * box[2] * box[3], 2),
        "segmentation": [],
        **person.side,
        **of_prediction,
        "id": number,
        "image_id": image_id,
        "category_id": labels.skeleton.category_id,
        "bbox": [round(value, DECIMALS) for value in box],
        "keypoints": [value for joint in person.joints for value in (joint.x, joint.y, joint.visibility)],
        "num_keypoints": person.labelled_count,
    }


def _number(ids: Sequence[int | None], what: str, taken: Collection[int] = ()) -> list[int]:
    known = [number for number in ids if number is not None]
    if len(set(known)) < len(known):
        twice = next(number for number in known if known.count(number) > 1)
        raise LabelError(
            f"The {what} id {twice} is in the labels twice; a copy of a labelled person keeps its id in some tools. "
            "Remove the id of the copy."
        )
    following = _following(max([number for number in (*known, *taken) if number < MAX_NUMBER], default=0))
    return [next(following) if number is None else number for number in ids]


def _following(last: int) -> Iterator[int]:
    while True:
        last += 1
        yield last
