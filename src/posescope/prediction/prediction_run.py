"""What was posed and what was left out, written beside the poses as `summary.json`."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from posescope.core.errors import DataError
from posescope.data.images.decoding import ImageError
from posescope.prediction.detectors.detector import Detections, Detector, ImageIndexedDetector, MatchedImages
from posescope.prediction.image_io.folder_listing import VIDEO, SkippedFile, count_reasons
from posescope.prediction.image_io.image_folder import ImageFolder, read_images
from posescope.prediction.poses import DetectedPerson

__all__ = [
    "GENERATED_IDS",
    "PoseSummary",
    "describe_image_ids",
    "FoundInFolder",
    "find_in_folder",
    "find_persons_in",
    "describe_outside_boxes",
]

GENERATED_IDS = (
    "numbers of posescope's own: the number that is the image's name, else the next free one; file_name tells the images apart"
)


@dataclass(frozen=True)
class PoseSummary:
    """An account of all files that were asked for.

    Attributes:
        images: how many images (or frames) were posed, those without people included.
        persons: how many people were posed.
        image_ids: where the image_id of the poses come from (`describe_image_ids`).
        skipped_files: every file that was not posed; hidden folders, and those of earlier output, count as one.
        notes: what else the user was told.
    """

    images: int
    persons: int
    image_ids: str
    skipped_files: Sequence[SkippedFile]
    notes: Sequence[str] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-like."""
        return {
            "images": self.images,
            "persons": self.persons,
            "image_ids": self.image_ids,
            "skipped_files": [one.to_dict() for one in self.skipped_files],
            "notes": list(self.notes),
        }


def describe_image_ids(source: str, known: int, images: int) -> str:
    """Say where the image_id of poses come from.

    Args:
        source: the file of boxes.
        known: of how many images it has the id.
        images: how many images there are.
    """
    if not known:
        return GENERATED_IDS
    return f"those of {source}" + ("" if known >= images else f" for {known} of {images} images, else {GENERATED_IDS}")


# MERGED from finding: The people of a folder of images, one image in memory at a time.

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoundInFolder:
    """What was found in a folder of images.

    Attributes:
        persons: image by image; those of one image come together.
        summary: what was looked at, and what was left out.
    """

    persons: tuple[DetectedPerson, ...]
    summary: PoseSummary


def find_persons_in(folder: ImageFolder, detector: Detector, detections: Detections) -> Iterator[DetectedPerson]:
    """As `find_in_folder`, image by image, without an account of what was left out."""
    yield from _Search(folder, detector, detections).run()


def find_in_folder(folder: ImageFolder, detector: Detector, detections: Detections) -> FoundInFolder:
    """Ask the detector about every image that can be read, and keep account of every other file.

    An image is read once. What cannot be read or answered for is named in the log; at the end, how many have nobody.

    Args:
        folder: of the images.
        detector: a component of `posescope.detectors`.
        detections: the file of boxes, for who reads one.

    Raises:
        DataError: if there is no image, or not one that can be read; if no box of a file lies in its picture; or what the
            detector raises.
    """
    search = _Search(folder, detector, detections)
    persons = tuple(search.run())
    if isinstance(detector, ImageIndexedDetector) and not persons:
        raise DataError(f"{folder.root}: found no person to pose: no box of {detections.root} is in a readable image.")
    return FoundInFolder(persons, search.summary(len(persons)))


class _Search:
    """One pass over a folder."""

    def __init__(self, folder: ImageFolder, detector: Detector, detections: Detections) -> None:
        self.folder, self.detector, self.detections = folder, detector, detections
        self.names = folder.names()
        listing = folder.listing()
        self.skipped_files = [*listing.skipped_files, *(SkippedFile(name, VIDEO) for name in listing.videos)]
        self.known = MatchedImages()
        self.count = 0

    def run(self) -> Iterator[DetectedPerson]:
        if self.skipped_files:
            logger.info("%s: not posed: %s", self.folder.root, count_reasons(self.skipped_files))
        if isinstance(self.detector, ImageIndexedDetector):
            self.known = self.detector.prepare(self.names, self.detections)
        for note in self.known.notes:
            logger.warning("%s", note)
        alone = []
        images = read_images(self.folder, self.known.ids, self.skipped_files.append)
        for info, image in tqdm(images, desc="finding people", unit="image", total=len(self.names), disable=None):
            try:
                persons = self.detector(image, info, self.detections)
            except ImageError as error:
                logger.warning("left out: %s", error)
                self.skipped_files.append(SkippedFile(info.name, error.kind, str(error)))
                continue
            self.count += 1
            if outside := [person for person in persons if not person.is_in_image]:
                logger.warning("%s", describe_outside_boxes(outside))
            alone += [] if persons else [info.name]
            yield from (person for person in persons if person.is_in_image)
        if alone:
            logger.warning("%s: no box for %d of %d images, %s for one", self.folder.root, len(alone), self.count, alone[0])

    def summary(self, persons: int) -> PoseSummary:
        ids = describe_image_ids(str(self.detections.root), len(self.known.ids), len(self.names))
        return PoseSummary(self.count, persons, ids, tuple(self.skipped_files), self.known.notes)


def describe_outside_boxes(persons: Sequence[DetectedPerson]) -> str:
    """What to say of people of one image whose boxes lie outside it, or are far larger; there is at least one."""
    x, y, width, height = persons[0].box
    first, image = f"[{x + 0.5:g}, {y + 0.5:g}, {width:g}, {height:g}]", persons[0].image
    return (
        f"{image.name}: left out, outside the picture of {image.size} px or far larger: {len(persons)} of its boxes, "
        f"{first} for one"
    )
