"""COCO results of `posescope predict` as labels that a person corrects: pre-labels with scores and visibilities."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from posescope.core.errors import pluralise
from posescope.core.files import read_json
from posescope.core.plugins import Options
from posescope.core.skeleton import Skeleton
from posescope.data.coco.image_lookup import ImageLookup
from posescope.data.coco.record_validation import is_finite, is_int64
from posescope.labelling.label_set import (
    UNLABELLED,
    Joint,
    LabelError,
    LabelledImage,
    LabelledPerson,
    LabelSet,
    check_image_name,
    round_px,
)

__all__ = ["PreLabelOptions", "is_results", "read_predictions"]

log = logging.getLogger(__name__)

_VISIBLE = 2


class PreLabelOptions(Options):
    """Which predicted joints become labels, and with which visibility."""

    min_score: float = Field(0.0, ge=0, le=10, description="joints with a lower score are left unlabelled (score: peak height)")
    occluded_below: float = Field(
        0.2,
        ge=0,
        le=10,
        description="without calibrated radii, joints with a lower score are marked occluded (score: peak height)",
    )
    min_person_score: float = Field(0.0, ge=0, le=10, description="persons with a lower score are left out")


def is_results(content: Any) -> bool:
    """Return whether JSON content is a list of COCO results.

    Args:
        content: the content of a file.
    """
    return isinstance(content, list)


def read_predictions(
    path: Path,
    skeleton: Skeleton,
    options: PreLabelOptions,
    images: Path | None = None,
    known: LabelSet | None = None,
    category: str = "person",
) -> LabelSet:
    """Return the predictions of a file as labels.

    A joint is marked occluded if its calibrated radius is too large to trust it (`do_not_trust`), or, without a calibration, if
    its score is low. All other predicted joints are visible: a network does not say which joints are covered. A warning says so
    if no joint of any person is visible.

    Args:
        path: COCO results (`poses.json`).
        skeleton: the joints of the model.
        options: limits of the scores.
        images: folder of the images, whose sizes are read; None: the sizes of `known`.
        known: labels that have the images with their sizes and ids.
        category: name of the persons' label.

    Raises:
        DataError: if a record is malformed or of a video, or the size of an image is unknown.
    """
    content = read_json(path)
    if not is_results(content):
        raise LabelError(f"{path}: expected a list of COCO results, found {type(content).__name__}.")
    sizes = _Sizes(images, known, path)
    found: dict[str, list[LabelledPerson]] = {}
    ids: dict[str, int] = {}
    for number, record in enumerate(content):
        place = f"{path}: record {number}"
        name = sizes.name_of(record, place)
        person = _read_person(record, skeleton, options, place)
        found.setdefault(name, [])
        if is_int64(record.get("image_id")):
            ids.setdefault(name, record["image_id"])
        if person.score is None or person.score >= options.min_person_score:
            found[name].append(person)
    _warn_if_none_is_visible([person for own in found.values() for person in own], options, path)
    labelled = [LabelledImage(name, *sizes.size_of(name), tuple(own), ids.get(name)) for name, own in found.items()]
    return LabelSet(skeleton, category, tuple(labelled))


def _warn_if_none_is_visible(persons: Sequence[LabelledPerson], options: PreLabelOptions, path: Path) -> None:
    joints = [joint for person in persons for joint in person.joints]
    if not joints or any(joint.visibility == _VISIBLE for joint in joints):
        return
    log.warning(
        "%s: no joint of %s is visible: all are marked occluded or left unlabelled (occluded_below %g, min_score %g). "
        "The scores of some codecs are low: use lower limits (--occluded-below, --min-score), or a calibrated model.",
        path,
        pluralise(len(persons), "person"),
        options.occluded_below,
        options.min_score,
    )


class _Sizes:
    """Finds the names and sizes of the images.

    Args:
        images: folder of the images.
        known: labels with the images.
        path: the results, for errors.
    """

    def __init__(self, images: Path | None, known: LabelSet | None, path: Path) -> None:
        self._lookup = None if images is None else ImageLookup(images.resolve(), "upright")
        self._path = path
        self._known = {} if known is None else {image.name: image for image in known.images}
        self._names = {} if known is None else {image.id: image.name for image in known.images if image.id is not None}

    def name_of(self, record: Any, place: str) -> str:
        if not isinstance(record, dict):
            raise LabelError(f"{place}: expected an object, found {type(record).__name__}.")
        if record.get("frame") is not None:
            raise LabelError(f"{place}: found a frame of a video. Extract the frames as images, and predict these.")
        number = record.get("image_id")
        name = record.get("file_name", self._names.get(number) if is_int64(number) and number is not None else None)
        if name is None:
            raise LabelError(f"{place}: has no file_name, and no known image has its image_id. Give the images: --base FILE.")
        return check_image_name(name, place)

    def size_of(self, name: str) -> tuple[int, int]:
        """Return (width, height) px."""
        size = None if self._lookup is None else self._lookup.read_size(name)
        if name in self._known:
            known = self._known[name].width, self._known[name].height
            if size is not None and known == size and known != size[::-1]:
                raise LabelError(
                    f"{self._path}: {name}: the original labels are those of the stored image, {known[0]} x {known[1]} px, but "
                    f"predictions and tools show it upright, {size[1]} x {size[0]} px (EXIF orientation). "
                    "Rotate the image and its labels."
                )
            return known
        if size is None:
            where = "Give the folder of the images: --images FOLDER" if self._lookup is None else "It is missing, or no image"
            raise LabelError(f"{self._path}: {name}: the size of the image is unknown. {where}.")
        return size[1], size[0]


def _read_person(record: Mapping[str, Any], skeleton: Skeleton, options: PreLabelOptions, place: str) -> LabelledPerson:
    numbers, count = record.get("keypoints"), len(skeleton)
    if not isinstance(numbers, list) or len(numbers) != 3 * count or not all(map(is_finite, numbers)):
        found = f"{len(numbers)}" if isinstance(numbers, list) else repr(numbers)[:50]
        raise LabelError(
            f"{place}: keypoints: expected {3 * count} numbers for {count} joints, found {found}. Is it the right model?"
        )
    radii, doubtful = (_per_joint(record.get(field), count, f"{place}: {field}") for field in ("radii", "do_not_trust"))
    scores = numbers[2::3]
    occluded = [score < options.occluded_below for score in scores] if doubtful is None else [bool(one) for one in doubtful]
    joints = tuple(
        UNLABELLED if score < options.min_score else Joint(round_px(x, place), round_px(y, place), 1 if hidden else 2, score)
        for x, y, score, hidden in zip(numbers[::3], numbers[1::3], scores, occluded, strict=True)
    )
    box, score = record.get("bbox"), record.get("score")
    side = {} if radii is None else {"radii": radii}
    return LabelledPerson(
        joints, _read_box(box, place), None, side, _mean(scores) if score is None or not is_finite(score) else float(score)
    )


def _per_joint(values: Any, count: int, place: str) -> Sequence[Any] | None:
    if values is not None and (not isinstance(values, list) or len(values) != count):
        raise LabelError(f"{place}: expected a list of {count} values, found {values!r:.100}.")
    if values is not None and not all(one is None or isinstance(one, bool) or is_finite(one) for one in values):
        raise LabelError(f"{place}: expected numbers, true or false, or null, found {values!r:.100}.")
    return values


def _read_box(box: Any, place: str) -> tuple[float, float, float, float] | None:
    if box is None:
        return None
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_finite, box)) or min(box[2:]) <= 0:
        raise LabelError(f"{place}: bbox: expected x, y, width and height, found {box!r:.100}.")
    x, y, width, height = (round_px(value, place) for value in box)
    return x, y, width, height


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / max(len(found), 1)
