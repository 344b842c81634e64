"""Labels of persons as all formats exchange them: one record per image, person and joint.

Coordinates are those of COCO, in px of the image as the tool shows it: boxes refer to the edges of pixels, keypoints are written
as the tools write them. No format shifts them by half a pixel, as the COCO exporters of the tools do not either.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from posescope.core.errors import DataError
from posescope.core.skeleton import Skeleton, skeleton_from_category

__all__ = [
    "DECIMALS", "UNLABELLED", "Joint", "LabelError", "LabelSet", "LabelledImage", "LabelledPerson", "Notes", "check_finite",
    "check_id", "check_image_name", "check_score", "check_unique_names", "round_px", "skeleton_of_names",
]  # fmt: skip

DECIMALS = 4  # of a px: percentages and fractions of other formats return to the number that was written
_MAX_PX = 1e9
_CONTROL = re.compile(r"[\0-\x1f\ud800-\udfff]")


class LabelError(DataError):
    """A file of labels is malformed, or has what a format cannot say."""


@dataclass(frozen=True)
class Joint:
    """One joint of a person.

    Attributes:
        x, y: px; 0 where unlabelled.
        visibility: 0 unlabelled, 1 occluded, 2 visible.
        score: of a prediction, None for a label.
    """

    x: float
    y: float
    visibility: int
    score: float | None = None


UNLABELLED = Joint(0, 0, 0)


@dataclass(frozen=True)
class LabelledPerson:
    """One person.

    Attributes:
        joints: K joints in the order of the skeleton; all unlabelled for a person with a box only.
        box: x, y, w, h px by the edges of pixels; None: the format has none.
        id: id of the annotation; None: a new person.
        side: fields of the annotation that most formats cannot say: `iscrowd`, `area`, `segmentation` and fields of other
            programs.
        score: of a prediction, None for a label.
    """

    joints: tuple[Joint, ...]
    box: tuple[float, float, float, float] | None = None
    id: int | None = None
    side: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    score: float | None = None

    @property
    def labelled_count(self) -> int:
        """Number of joints that are labelled."""
        return sum(joint.visibility > 0 for joint in self.joints)


@dataclass(frozen=True)
class LabelledImage:
    """One image.

    Attributes:
        name: path below the folder of the images, with /.
        width, height: px.
        persons: its persons; none for an image without persons.
        id: id of the image; None: new.
        side: further fields of the image record.
    """

    name: str
    width: int
    height: int
    persons: tuple[LabelledPerson, ...] = ()
    id: int | None = None
    side: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Notes:
    """What a reader left out, as sentences for the user.

    Attributes:
        lines: sentences, each once.
    """

    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelSet:
    """All labels of a file.

    Attributes:
        skeleton: names the K joints, and their limbs.
        category: name of the category.
        images: the images.
        notes: what the reader left out.
    """

    skeleton: Skeleton
    category: str
    images: tuple[LabelledImage, ...]
    notes: Notes = Notes()

    @property
    def person_count(self) -> int:
        """Number of persons."""
        return sum(len(image.persons) for image in self.images)

    def with_images(self, images: Sequence[LabelledImage]) -> "LabelSet":
        """Return the same with other images."""
        return replace(self, images=tuple(images))


def check_finite(side: Mapping[str, Any], place: str) -> None:
    """Check fields that are passed on: a file may have NaN and infinite numbers, the COCO file that is written may not.

    Args:
        side: the fields.
        place: where they are, for the error.

    Raises:
        LabelError: if a number is not finite.
    """
    try:
        json.dumps(side, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise LabelError(f"{place}: expected finite numbers in all fields ({error}). Correct the record.") from error


def check_id(value: Any, place: str) -> int | None:
    """Return the id of an image or person that a file carries; None for a new one.

    Args:
        value: the value of the file.
        place: where it is, for the error.

    Raises:
        LabelError: if it is no integer of 64 bits.
    """
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise LabelError(f"{place}: expected a whole number as id, found {value!r:.100}.")
    return value


def check_score(value: Any, place: str) -> float | None:
    """Return the score of a prediction; None for a label.

    Args:
        value: the value of the file.
        place: where it is, for the error.

    Raises:
        LabelError: if it is no finite number.
    """
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _MAX_PX:
        raise LabelError(f"{place}: expected a number as score, found {value!r:.100}.")
    return float(value)


def check_unique_names(labels: LabelSet, place: str) -> None:
    """Refuse labels in which two images have one name: the persons of one of them would be lost.

    Args:
        labels: the labels.
        place: where they are from, for the error.

    Raises:
        LabelError: if a name is repeated.
    """
    (name, count), *_ = Counter(image.name for image in labels.images).most_common(1) or [("", 0)]
    if count > 1:
        raise LabelError(
            f"{place}: {count} images are called {name}. Export the tasks one by one, or give the images names of their own, "
            "so that each has one record with all its persons."
        )


def check_image_name(name: Any, place: str) -> str:
    """Return the name of an image with / as separator.

    Args:
        name: the name of the file.
        place: where it is, for the error.

    Raises:
        LabelError: if the name is no relative path inside a folder.
    """
    if not isinstance(name, str) or not name or _CONTROL.search(name):
        raise LabelError(f"{place}: expected the name of an image, found {name!r:.200}.")
    plain = name.replace("\\", "/")
    path = PurePosixPath(plain)
    if not path.parts or path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", plain):
        raise LabelError(f"{place}: expected the name of an image below its folder, found {name!r:.200}. Remove the path.")
    return str(path)


def round_px(value: Any, place: str) -> float:
    """Return a coordinate, rounded to 0.0001 px.

    Args:
        value: a number, or its text.
        place: where it is, for the error.

    Raises:
        LabelError: if it is no finite number below 1e9.
    """
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not isfinite(number) or abs(number) >= _MAX_PX:
        raise LabelError(f"{place}: expected a coordinate, found {value!r:.100}.")
    rounded = round(number, DECIMALS)
    return int(rounded) if rounded == int(rounded) else rounded


def skeleton_of_names(names: Sequence[str], limbs: Sequence[tuple[int, int]], place: str) -> Skeleton:
    """Return a skeleton of joint names; COCO's joints have COCO's OKS sigmas.

    Args:
        names: K names.
        limbs: pairs of joint indices, from 0.
        place: where they are, for the error.

    Raises:
        DataError: if a name is missing or repeated, or a limb has no such joint.
    """
    return skeleton_from_category({"keypoints": list(names), "skeleton": [[a + 1, b + 1] for a, b in limbs]}, source=place)
