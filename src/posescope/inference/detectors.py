"""Who is in the picture: detectors give each image the boxes of its people.

A detector is asked image by image, in any order, and never about all at once: nobody has to hold them. What it needs for all of
them (an index of a file, a network) it makes at the first image, and keeps. Boxes are in our convention: x, y are the upper left
edge, pixel i spans [i - 0.5, i + 0.5].
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.crops.decoding import ImageError
from posescope.errors import DataError
from posescope.files import read_json
from posescope.inference.records import DetectedPerson, ImageInfo
from posescope.plugins import Options

__all__ = ["BoxesFile", "DetectedPerson", "Detections", "Detector", "FullImage", "ImageInfo"]

_IMAGE_SIZE = "image (height, width)"


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
        """The records: a list of results, or the `annotations` of an annotation file, with what is said of their images.

        Raises:
            DataError: if it is missing or neither.
        """
        content = read_json(self.root, strict=False)
        records = content.get("annotations") if isinstance(content, dict) else content
        if not isinstance(records, list):
            raise DataError(f"{self.root}: expected COCO results (a list) or annotations, found {type(content).__name__}.")
        return _with_images(records, content.get("images")) if isinstance(content, dict) else records


class Detector(Protocol):
    """Component contract of `posescope.detectors`: `detector(options)(image, info, detections) -> people of this image`."""

    def __call__(self, image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        """Find the people of one image.

        Args:
            image: (H, W, 3) uint8 RGB, upright.
            info: its name, number and size.
            detections: the file of boxes, for who reads one.

        Raises:
            ImageError: if this image alone cannot be answered for; the others can.
            DataError, OptionsError: if none can.
        """
        ...


class FullImageOptions(Options):
    """`full_image` has no options."""


class FullImage:
    """One person an image, whose box is the whole image."""

    Options = FullImageOptions

    def __init__(self, options: FullImageOptions) -> None:
        self.options = options

    def __call__(self, image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        """The image spans [-0.5, W - 0.5]."""
        return [DetectedPerson(info, (-0.5, -0.5, float(info.size[1]), float(info.size[0])))]


class BoxesFileOptions(Options):
    """Options of `boxes_file`."""

    min_score: float = Field(0.0, ge=0, le=1, description="boxes with a lower score are left out")
    category_id: int | None = Field(1, description="only boxes of this category; null: all")


class BoxesFile:
    """Boxes of a COCO detection results file (parameter `boxes`), matched to the images by `file_name`, else by number.

    A number counts only where it is the image's name (`000000000139.jpg`). Annotation files say `file_name` by themselves, and
    how large the image was: boxes are those of the upright picture, in full size. The file is read and checked whole at the first
    image, and kept.
    """

    Options = BoxesFileOptions

    def __init__(self, options: BoxesFileOptions) -> None:
        self.options = options
        self._boxes: _BoxIndex | None = None

    def __call__(self, image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        """COCO's boxes lose 0.5, as everywhere where COCO is read. They come in the order of the file.

        Raises:
            ImageError: if the file says another size of the image.
            DataError: if a record is malformed, or boxes are known by the number of two images: whose they are cannot be told.
        """
        if self._boxes is None or self._boxes.path != detections.root:
            self._boxes = _index_boxes(detections, self.options)
        return [DetectedPerson(info, one.box, one.score) for one in self._boxes.find(info)]


@dataclass(frozen=True)
class _Box:
    """Attributes: place: of the record in the file; box: (x, y, w, h) px, our convention; score: 0..1; of_size: the image's."""

    place: int
    box: tuple[float, float, float, float]
    score: float
    of_size: tuple[int, int] | None


@dataclass(frozen=True)
class _BoxIndex:
    """The boxes of a file, by what their records call the image; and which image has been known by which number so far."""

    path: Path
    by_name: Mapping[str, list[_Box]]
    by_number: Mapping[int, list[_Box]]
    asked: dict[int, str] = field(default_factory=dict)

    def find(self, image: ImageInfo) -> list[_Box]:
        """The boxes of an image."""
        number = image.own_number
        numbered = [] if number is None else self.by_number.get(number, [])
        if number is not None and numbered and self.asked.setdefault(number, image.name) != image.name:
            raise DataError(
                f"{image.name}: another image has the same number, {self.asked[number]}; {self.path} cannot tell them "
                "apart: give its records a file_name."
            )
        found = sorted(self.by_name.get(image.name, []) + numbered, key=lambda one: one.place)
        sizes = {one.of_size for one in found if one.of_size is not None}
        if sizes - {image.size}:
            raise ImageError(
                "image has another size",
                f"{image.name}: {self.path} speaks of a picture of {sizes.pop()} px (height, width), and upright it has "
                f"{image.size}: the boxes do not belong to it.",
            )
        return found


def _index_boxes(detections: Detections, options: BoxesFileOptions) -> _BoxIndex:
    by_name: defaultdict[str, list[_Box]] = defaultdict(list)
    by_number: defaultdict[int, list[_Box]] = defaultdict(list)
    for place, record in enumerate(detections.read()):
        try:
            name = record.get("file_name")
            # Who says a name means it: another image whose name happens to be this number is not meant.
            found = by_name[name] if isinstance(name, str) else by_number[record["image_id"]]
            box = _box_of(record, place)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{detections.root}: record {place}: expected image_id and bbox [x, y, w, h], found {str(record)[:99]}."
            ) from error
        if _is_wanted(record, box, options):
            found.append(box)
    return _BoxIndex(detections.root, by_name, by_number)


def _box_of(record: Mapping[str, Any], place: int) -> _Box:
    x, y, width, height = (float(value) for value in record["bbox"])
    score = float(record.get("score", 1.0))
    if not all(map(math.isfinite, (x, y, width, height, score))):
        raise ValueError("a number is NaN or infinite")
    return _Box(place, (x - 0.5, y - 0.5, width, height), score, record.get(_IMAGE_SIZE))


def _is_wanted(record: Mapping[str, Any], box: _Box, options: BoxesFileOptions) -> bool:
    right_kind = options.category_id is None or record.get("category_id", options.category_id) == options.category_id
    return right_kind and box.score >= options.min_score and not record.get("iscrowd") and min(box.box[2:]) > 0


def _with_images(records: list[Any], images: Any) -> list[Any]:
    """Records that name their image by its number, with its name and size; what is malformed stays, for the reader of records."""
    known = [image for image in images or () if isinstance(image, dict) and isinstance(image.get("id"), int)]
    said = {image["id"]: _description_of(image) for image in known}
    return [
        {**said[record["image_id"]], **record}
        if isinstance(record, dict) and isinstance(record.get("image_id"), int) and record["image_id"] in said
        else record
        for record in records
    ]


def _description_of(image: Mapping[str, Any]) -> dict[str, Any]:
    name, height, width = image.get("file_name"), image.get("height"), image.get("width")
    described: dict[str, Any] = {"file_name": name} if isinstance(name, str) else {}
    return {**described, _IMAGE_SIZE: (height, width)} if isinstance(height, int) and isinstance(width, int) else described
