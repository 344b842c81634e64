"""Poses of the people in a folder of images, by a model in memory."""

import logging
from collections.abc import Iterator, Sequence
from itertools import count, groupby

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.errors import DataError
from posescope.inference.crop_predictions import PredictionOptions
from posescope.inference.cutting import cut_people
from posescope.inference.detectors import DetectedPerson, ImageInfo
from posescope.inference.images import ImageFolder
from posescope.inference.poses import PosedPerson
from posescope.skeleton import warn_of_missing_pairs

__all__ = ["PosedPerson", "list_images", "predict_people"]

logger = logging.getLogger(__name__)


def list_images(folder: ImageFolder) -> list[ImageInfo]:
    """Every readable image with its size; its id is the number in its name (COCO's way).

    Images without one get the numbers after the largest in use, in alphabetical order.

    A file that cannot be decoded is named in the log and left out.

    Raises:
        DataError: if there is no image, or not one that can be read.
    """
    found: list[ImageInfo] = []
    names = folder.names()
    for name, image_id in zip(names, _image_ids(names), strict=True):
        try:
            height, width = folder.read(name).shape[:2]
        except DataError as error:
            logger.warning("left out: %s", error)
            continue
        found.append(ImageInfo(name, image_id, (height, width)))
    if not found:
        raise DataError(f"{folder.root}: none of the {len(names)} images can be read.")
    return found


def _image_ids(names: Sequence[str]) -> list[int]:
    stems = [name.rpartition("/")[2].partition(".")[0] for name in names]
    numbers = [int(stem) if stem.isdecimal() else None for stem in stems]
    free = count(max((number for number in numbers if number is not None), default=-1) + 1)
    return [next(free) if number is None else number for number in numbers]


def predict_people(
    model: PoseModel, folder: ImageFolder, people: Sequence[DetectedPerson], options: PredictionOptions
) -> Iterator[PosedPerson]:
    """Pose people, image by image: an image is read once, and forgotten when its people are done.

    Args:
        model: the trained model.
        folder: of the images.
        people: those of one image stand together.
        options: batch size (of one image's people), flip test, device.

    Raises:
        OptionsError: if the device does not exist, or the crop rule of the model's training is not installed.
    """
    if options.flip_test:
        warn_of_missing_pairs(model.skeleton, "flip_test")
    model = model.to(resolve_device(options.device))
    by_image = groupby(people, key=lambda person: person.image)
    for image_info, group in tqdm(by_image, desc="posing", unit="image"):
        image = folder.read(image_info.name)
        members = list(group)
        for start in range(0, len(members), options.batch_size):
            yield from _predict_batch(model, image, members[start : start + options.batch_size], options.flip_test)


def _predict_batch(
    model: PoseModel, image: NDArray[np.uint8], people: Sequence[DetectedPerson], flip_test: bool
) -> Iterator[PosedPerson]:
    cut = cut_people(image, np.array([person.box for person in people], dtype=np.float64), model.crop, model.crop_size)
    decoded = model.predict(torch.from_numpy(cut.crops), flip_test=flip_test)
    joints, scores = cut.place(decoded.joints.cpu().numpy()), decoded.scores.cpu().numpy()
    for person, points, heights in zip(people, joints, scores, strict=True):
        yield PosedPerson(person, points, heights)
