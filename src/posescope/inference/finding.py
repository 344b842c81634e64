"""The people of a folder of images, one image in memory at a time."""

import logging
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from posescope.crops.decoding import ImageError
from posescope.inference.detectors import Detections, Detector
from posescope.inference.images import ImageFolder, read_images
from posescope.inference.records import DetectedPerson

__all__ = ["find_people_in", "tell_outside"]

logger = logging.getLogger(__name__)


def find_people_in(folder: ImageFolder, detector: Detector, detections: Detections) -> Iterator[DetectedPerson]:
    """Ask the detector about every image that can be read; those of one image come together.

    An image is read once. What cannot be read or answered for is named in the log; at the end, how many have nobody.

    Args:
        folder: of the images.
        detector: a component of `posescope.detectors`.
        detections: the file of boxes, for who reads one.

    Raises:
        DataError: if there is no image, or not one that can be read; or what the detector raises.
    """
    count, alone = 0, []
    images = tqdm(read_images(folder), desc="finding people", unit="image", total=len(folder.names()), disable=None)
    for info, image in images:
        count += 1
        try:
            people = detector(image, info, detections)
        except ImageError as error:
            logger.warning("left out: %s", error)
            continue
        if outside := [person for person in people if not person.is_in_picture]:
            logger.warning("%s", tell_outside(outside))
        alone += [] if people else [info.name]
        yield from (person for person in people if person.is_in_picture)
    if alone:
        logger.warning("%s: no box for %d of %d images, %s for one", folder.root, len(alone), count, alone[0])


def tell_outside(people: Sequence[DetectedPerson]) -> str:
    """What to say of people of one image whose boxes lie outside it; there is at least one."""
    x, y, width, height = people[0].box
    first, image = f"[{x + 0.5:g}, {y + 0.5:g}, {width:g}, {height:g}]", people[0].image
    return f"{image.name}: left out, outside the picture of {image.size} px: {len(people)} of its boxes, {first} for one"
