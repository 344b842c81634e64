"""Who is in the picture: detectors give each image the boxes of its people.

Boxes are in our convention: x, y are the upper left edge, pixel i spans [i - 0.5, i + 0.5].
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from pydantic import Field

from posescope.errors import DataError
from posescope.files import read_json
from posescope.plugins import Options

__all__ = ["BoxesFile", "DetectedPerson", "Detections", "Detector", "FullImage", "ImageInfo"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageInfo:
    """Attributes: name: relative to the folder; image_id: in the results; size: (height, width) px."""

    name: str
    image_id: int
    size: tuple[int, int]

    @property
    def is_numbered(self) -> bool:
        """Whether the number is the image's name, as COCO does it; otherwise it was given by us and means nothing elsewhere."""
        return PurePosixPath(self.name).name.partition(".")[0].isdecimal()


@dataclass(frozen=True)
class DetectedPerson:
    """Attributes: image: where; box: (x, y, w, h) px, our convention; score: of the box, 0..1."""

    image: ImageInfo
    box: tuple[float, float, float, float]
    score: float = 1.0


@dataclass(frozen=True)
class Detections:
    """COCO detection results (or annotations) of a file, if there is one.

    Attributes:
        root: the file.
    """

    root: Path

    def is_finished(self) -> bool:
        """True if the file is there."""
        return self.root.is_file()

    def read(self) -> Sequence[Mapping[str, Any]]:
        """The records: a list of results, or the `annotations` of an annotation file, which get their images' `file_name`.

        Raises:
            DataError: if it is missing or neither.
        """
        content = read_json(self.root)
        records = content.get("annotations") if isinstance(content, dict) else content
        if not isinstance(records, list):
            raise DataError(f"{self.root}: expected COCO results (a list) or annotations, found {type(content).__name__}.")
        return _with_file_names(records, content.get("images")) if isinstance(content, dict) else records


class Detector(Protocol):
    """Component contract of `posescope.detectors`: `detector(options)(images, detections) -> people`."""

    def __call__(self, images: Sequence[ImageInfo], detections: Detections) -> list[DetectedPerson]:
        """Find the people of all images."""
        ...


class FullImageOptions(Options):
    """`full_image` has no options."""


class FullImage:
    """One person an image, whose box is the whole image."""

    Options = FullImageOptions

    def __init__(self, options: FullImageOptions) -> None:
        self.options = options

    def __call__(self, images: Sequence[ImageInfo], detections: Detections) -> list[DetectedPerson]:
        """The image spans [-0.5, W - 0.5]."""
        return [DetectedPerson(image, (-0.5, -0.5, float(image.size[1]), float(image.size[0]))) for image in images]


class BoxesFileOptions(Options):
    """Options of `boxes_file`."""

    min_score: float = Field(0.0, ge=0, le=1, description="boxes with a lower score are left out")
    category_id: int | None = Field(1, description="only boxes of this category; null: all")


class BoxesFile:
    """Boxes of a COCO detection results file (parameter `boxes`), matched to the images by `file_name`, else by number.

    A number counts only where it is the image's name (`000000000139.jpg`). Annotation files say `file_name` by themselves.
    """

    Options = BoxesFileOptions

    def __init__(self, options: BoxesFileOptions) -> None:
        self.options = options

    def __call__(self, images: Sequence[ImageInfo], detections: Detections) -> list[DetectedPerson]:
        """COCO's boxes lose 0.5, as everywhere where COCO is read. Images without a box are counted in the log.

        Raises:
            DataError: if a record is malformed, or two images have the same number: whose box it is cannot be told.
        """
        index = _ImageIndex.of(images, detections.root)
        by_name: dict[str, list[DetectedPerson]] = {image.name: [] for image in images}
        for number, record in enumerate(detections.read()):
            person = _person_of(record, number, index, self.options, detections.root)
            if person is not None:
                by_name[person.image.name].append(person)
        alone = [name for name, people in by_name.items() if not people]
        if alone:
            logger.warning("%s: no box for %d of %d images, %s for one", detections.root, len(alone), len(images), alone[0])
        return [person for people in by_name.values() for person in people]


@dataclass(frozen=True)
class _ImageIndex:
    by_name: Mapping[str, ImageInfo]
    by_number: Mapping[int, ImageInfo]

    @classmethod
    def of(cls, images: Sequence[ImageInfo], path: Path) -> "_ImageIndex":
        """Of these images; `path` names the file of boxes in the message."""
        numbered = [image for image in images if image.is_numbered]
        by_number = {image.image_id: image for image in numbered}
        doubled = [image.name for image in numbered if by_number[image.image_id] is not image]
        if doubled:
            raise DataError(f"{doubled[0]}: another image has the same number; {path} cannot tell them apart.")
        return cls({image.name: image for image in images}, by_number)

    def find(self, record: Mapping[str, Any]) -> ImageInfo | None:
        """The image that a record of a box means."""
        name = record.get("file_name")
        # Who says a name means it: another image whose name happens to be this number is not meant.
        return self.by_name.get(name) if isinstance(name, str) else self.by_number.get(record["image_id"])


def _with_file_names(records: list[Any], images: Any) -> list[Any]:
    """Records that name their image by its number, with its name; what is malformed stays as it is, for the reader of records."""
    known = [image for image in images or () if isinstance(image, dict) and isinstance(image.get("id"), int)]
    names = {image["id"]: image["file_name"] for image in known if isinstance(image.get("file_name"), str)}
    return [
        {"file_name": names[record["image_id"]], **record}
        if isinstance(record, dict) and isinstance(record.get("image_id"), int) and record["image_id"] in names
        else record
        for record in records
    ]


def _person_of(
    record: Mapping[str, Any], number: int, images: _ImageIndex, options: BoxesFileOptions, path: Path
) -> DetectedPerson | None:
    try:
        image = images.find(record)
        x, y, width, height = (float(value) for value in record["bbox"])
        score = float(record.get("score", 1.0))
        if not all(map(math.isfinite, (x, y, width, height, score))):
            raise ValueError("a number is NaN or infinite")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: record {number}: expected image_id and bbox [x, y, w, h], found {str(record)[:99]}.") from error
    wrong_kind = options.category_id is not None and record.get("category_id", options.category_id) != options.category_id
    if image is None or wrong_kind or score < options.min_score or record.get("iscrowd") or width <= 0 or height <= 0:
        return None
    return DetectedPerson(image, (x - 0.5, y - 0.5, width, height), score)
