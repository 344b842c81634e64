"""The people of a folder of images, one image in memory at a time."""

import logging
from collections.abc import Iterator

from tqdm import tqdm

from posescope.crops.decoding import ImageError
from posescope.inference.detectors import Detections, Detector
from posescope.inference.images import ImageFolder, read_images
from posescope.inference.records import DetectedPerson

__all__ = ["find_people_in"]

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
        alone += [] if people else [info.name]
        yield from people
    if alone:
        logger.warning("%s: no box for %d of %d images, %s for one", folder.root, len(alone), count, alone[0])
