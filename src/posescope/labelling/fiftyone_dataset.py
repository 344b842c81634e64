"""FiftyOne (samples.json): a person is a `Keypoint` and a `Detection` with the same `index`.

Coordinates are fractions of the image, and an unlabelled joint is NaN. `visible` has the visibilities, as FiftyOne's importer of
COCO stores them. The other fields of the annotation are attributes of the detection. The folder is a `FiftyOneDataset` of the
form without a version, which needs no ids of a database; FiftyOne's current importer reads both forms.
"""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from posescope.core.files import atomic_write, read_json, write_json
from posescope.core.skeleton import Skeleton
from posescope.labelling.label_set import (
    UNLABELLED,
    Joint,
    LabelError,
    LabelledImage,
    LabelledPerson,
    LabelSet,
    Notes,
    check_finite,
    check_id,
    check_image_name,
    check_score,
    round_px,
    skeleton_of_names,
)

__all__ = ["BOXES_FIELD", "POINTS_FIELD", "read_fiftyone", "write_fiftyone"]

POINTS_FIELD, BOXES_FIELD = "keypoints", "detections"
_SAMPLES, _METADATA = "samples.json", "metadata.json"
_SIDE = ("iscrowd", "area", "segmentation")


def read_fiftyone(path: Path, skeleton: Skeleton | None = None, category: str = "person", images: Path | None = None) -> LabelSet:
    """Return the labels of a folder that FiftyOne wrote as `FiftyOneDataset` or `LegacyFiftyOneDataset`.

    All fields with key points and detections of the category are read. A detection belongs to the key points with the same
    `index`; a detection without one is a person without labelled joints.

    Args:
        path: the folder, or its `samples.json`.
        skeleton: joints of the key points, if the metadata have no skeleton.
        category: label of the persons; others are left out.
        images: folder of the images, below which paths are named; None: the file names without their folders.

    Raises:
        DataError: if the file is no such export, or has no skeleton and none is given.
    """
    samples_path = path / _SAMPLES if path.is_dir() else path
    content = read_json(samples_path, strict=False)  # NaN is an unlabelled joint
    samples = content.get("samples") if isinstance(content, dict) else content
    if not isinstance(samples, list) or not all(isinstance(one, dict) for one in samples):
        raise LabelError(f"{samples_path}: expected a list of samples. Export the dataset as FiftyOneDataset.")
    metadata_path = samples_path.with_name(_METADATA)
    found = _stored_skeleton(read_json(metadata_path), metadata_path) if metadata_path.is_file() else None
    known = skeleton or found
    if known is None:
        raise LabelError(
            f"{samples_path}: the dataset has no skeleton. Name the joints: --skeleton FILE, a COCO annotation file."
        )
    notes: dict[str, None] = {}
    labelled = [_read_sample(one, f"{samples_path}: sample {i}", known, category, images, notes) for i, one in enumerate(samples)]
    return LabelSet(known, category, tuple(labelled), Notes(tuple(notes)))


def write_fiftyone(labels: LabelSet, path: Path, images: Path | None = None) -> None:
    """Write a folder that `fiftyone.Dataset.from_dir(path, dataset_type=fiftyone.types.FiftyOneDataset)` imports.

    Args:
        labels: the labels.
        path: the folder; `samples.json` and `metadata.json` in it are replaced.
        images: folder of the images; None: `data` in this folder, where FiftyOne looks for them.
    """
    root = PurePosixPath("data") if images is None else PurePosixPath(images.resolve().as_posix())
    samples = [_write_sample(labels, image, root) for image in labels.images]
    skeleton = {"labels": list(labels.skeleton.joints), "edges": [list(limb) for limb in labels.skeleton.limbs]}
    info = {"default_skeleton": skeleton, "skeletons": {POINTS_FIELD: skeleton}}
    write_json(path / _METADATA, {"name": "posescope", "media_type": "image", "info": info})
    with atomic_write(path / _SAMPLES) as temporary:
        # FiftyOne's importer of this form reads NaN as Python does, and leaves its own $numberDouble as an object.
        temporary.write_text(json.dumps({"samples": samples}) + "\n", encoding="utf-8")


def _stored_skeleton(metadata: Any, path: Path) -> Skeleton | None:
    """Return the only skeleton of the metadata, which are those of the dataset or, in the older form, its `info`."""
    if not isinstance(metadata, dict):
        raise LabelError(f"{path}: expected an object, found {type(metadata).__name__}.")
    for holder in (metadata, metadata.get("info")):
        if not isinstance(holder, dict):
            continue
        skeletons = holder.get("skeletons")
        stored = [holder.get("default_skeleton"), *(skeletons.values() if isinstance(skeletons, dict) else ())]
        named = [one for one in stored if isinstance(one, dict) and one.get("labels")]
        if named:
            try:
                limbs = [(a, b) for edge in named[0].get("edges") or () for a, b in pairwise(edge)]
                return skeleton_of_names(named[0]["labels"], limbs, str(path))
            except TypeError as error:
                raise LabelError(f"{path}: skeletons: expected labels and edges, found {named[0]!r:.200}.") from error
    return None


def _read_sample(
    sample: Mapping[str, Any], place: str, skeleton: Skeleton, category: str, images: Path | None, notes: dict[str, None]
) -> LabelledImage:
    name = _name_of(sample.get("filepath"), images, place)
    metadata = sample.get("metadata")
    size = (metadata.get("width"), metadata.get("height")) if isinstance(metadata, dict) else (None, None)
    if not all(isinstance(side, int) and not isinstance(side, bool) and 0 < side < 2**31 for side in size):
        raise LabelError(
            f"{place}: expected the size of the image in its metadata. Call dataset.compute_metadata() before the export."
        )
    points = _labels_of(sample, "Keypoints", "keypoints", category, place, notes)
    boxes = _labels_of(sample, "Detections", "detections", category, place, notes)
    persons = []
    for one in points:
        own = [box for box in boxes if box.get("index") is not None and box.get("index") == one.get("index")][:1]
        boxes = [box for box in boxes if box not in own]
        persons.append(_read_person(one, own[0] if own else {}, size, skeleton, place))
    persons += [_read_person({}, box, size, skeleton, place) for box in boxes]
    side = sample.get("posescope")
    image = dict(side) if isinstance(side, dict) else {}
    check_finite(image, place)
    return LabelledImage(name, size[0], size[1], tuple(persons), check_id(image.pop("id", None), place), image)  # type: ignore[arg-type]


def _name_of(path: Any, images: Path | None, place: str) -> str:
    if not isinstance(path, str) or not path:
        raise LabelError(f"{place}: expected the field filepath, found {path!r:.200}.")
    plain = PurePosixPath(path.replace("\\", "/"))
    if images is not None and plain.is_relative_to(images.resolve().as_posix()):
        plain = plain.relative_to(images.resolve().as_posix())
    elif plain.parts[:1] == ("data",):
        plain = plain.relative_to("data")
    return check_image_name(plain.name if plain.is_absolute() else str(plain), place)


def _labels_of(
    sample: Mapping[str, Any], kind: str, field: str, category: str, place: str, notes: dict[str, None]
) -> list[dict[str, Any]]:
    holders = [value for value in sample.values() if isinstance(value, dict) and value.get("_cls") == kind]
    lists = [holder.get(field) or [] for holder in holders]
    found = [one for own in lists if isinstance(own, list) for one in own]
    if not all(isinstance(own, list) for own in lists) or not all(isinstance(one, dict) for one in found):
        raise LabelError(f"{place}: {field}: expected objects.")
    own = [one for one in found if one.get("label") in (category, None)]
    if len(own) < len(found):
        notes[f"{kind} with another label than {category} were left out."] = None
    return own


def _read_person(
    points: Mapping[str, Any], box: Mapping[str, Any], size: tuple[Any, Any], skeleton: Skeleton, place: str
) -> LabelledPerson:
    edges = None
    if box:
        numbers = box.get("bounding_box")
        if not isinstance(numbers, list) or len(numbers) != 4:
            raise LabelError(f"{place}: bounding_box: expected four numbers, found {numbers!r:.200}.")
        x, y, width, height = (_scaled(one, side, place) for one, side in zip(numbers, (*size, *size), strict=True))
        edges = (x, y, width, height)
    own = {**points, **box}
    side = {name: own[name] for name in _SIDE if own.get(name) is not None}
    check_finite(side, place)
    number, score = check_id(own.get("annotation_id"), place), check_score(box.get("confidence"), place)
    return LabelledPerson(
        _read_joints(points, size, skeleton, place) if points else (UNLABELLED,) * len(skeleton),
        edges,
        number,
        side,
        score,
    )


def _read_joints(points: Mapping[str, Any], size: tuple[Any, Any], skeleton: Skeleton, place: str) -> tuple[Joint, ...]:
    count, pairs = len(skeleton), points.get("points") or []
    seen = points.get("visible") or [2] * count
    scores = points.get("confidence") or [None] * count
    are_lists = all(isinstance(one, list) for one in (pairs, seen, scores))
    if not are_lists or {len(pairs), len(seen), len(scores)} != {count}:
        found = len(pairs) if isinstance(pairs, list) else repr(pairs)[:50]
        raise LabelError(f"{place}: points: expected {count} joints, as the skeleton has, found {found}.")
    joints = []
    for pair, visibility, score in zip(pairs, seen, scores, strict=True):
        if not isinstance(pair, list) or len(pair) != 2 or visibility not in (0, 1, 2):
            raise LabelError(
                f"{place}: points: expected x, y and a visibility of 0, 1 or 2, found {pair!r:.100}, {visibility!r:.20}."
            )
        if visibility == 0 or any(map(_is_nan, pair)):
            joints.append(UNLABELLED)
            continue
        x, y = (_scaled(value, side, place) for value, side in zip(pair, size, strict=True))
        joints.append(Joint(x, y, visibility, None if _is_nan(score) else check_score(_plain(score), place)))
    return tuple(joints)


def _plain(value: Any) -> Any:
    """Return a number; FiftyOne writes NaN as an object (`$numberDouble`)."""
    return value.get("$numberDouble", value) if isinstance(value, dict) else value


def _is_nan(value: Any) -> bool:
    plain = _plain(value)
    return plain is None or plain == "NaN" or (isinstance(plain, float) and math.isnan(plain))


def _scaled(value: Any, side: int, place: str) -> float:
    try:
        return round_px(float(_plain(value)) * side, place)
    except (TypeError, ValueError) as error:
        raise LabelError(f"{place}: expected a fraction of the image, found {value!r:.100}.") from error


def _write_sample(labels: LabelSet, image: LabelledImage, root: PurePosixPath) -> dict[str, Any]:
    metadata = {"_cls": "ImageMetadata", "width": image.width, "height": image.height}
    side = {**image.side, **({} if image.id is None else {"id": image.id})}
    numbered = list(enumerate(image.persons))
    points = [_write_points(labels, image, person, index) for index, person in numbered if person.labelled_count]
    boxes = [_write_box(labels, image, person, index) for index, person in numbered if person.box is not None]
    return {
        "filepath": str(root / image.name),
        "tags": [],
        "metadata": metadata,
        POINTS_FIELD: {"_cls": "Keypoints", "keypoints": points},
        BOXES_FIELD: {"_cls": "Detections", "detections": boxes},
        **({"posescope": side} if side else {}),
    }


def _write_points(labels: LabelSet, image: LabelledImage, person: LabelledPerson, index: int) -> dict[str, Any]:
    nan = math.nan
    pairs = [[joint.x / image.width, joint.y / image.height] if joint.visibility else [nan, nan] for joint in person.joints]
    scores: Sequence[float | None] = [joint.score for joint in person.joints]
    own = {"_cls": "Keypoint", "label": labels.category, "index": index, "points": pairs, "tags": [], "attributes": {}}
    return {
        **own,
        **({"confidence": [nan if one is None else one for one in scores]} if any(one is not None for one in scores) else {}),
        "visible": [joint.visibility for joint in person.joints],
        **({} if person.box is not None else _side_of(person)),
    }


def _write_box(labels: LabelSet, image: LabelledImage, person: LabelledPerson, index: int) -> dict[str, Any]:
    sides = (image.width, image.height) * 2
    box = [value / side for value, side in zip(person.box or (), sides, strict=True)]
    own = {"_cls": "Detection", "label": labels.category, "index": index, "bounding_box": box, "tags": [], "attributes": {}}
    return {**own, **({} if person.score is None else {"confidence": person.score}), **_side_of(person)}


def _side_of(person: LabelledPerson) -> dict[str, Any]:
    own = {name: person.side[name] for name in _SIDE if person.side.get(name) is not None}
    return {**own, **({} if person.id is None else {"annotation_id": person.id})}
