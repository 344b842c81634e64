"""Poses of the people in a folder of images, by a model in memory."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.core.skeleton import warn_about_unpaired_joints
from posescope.prediction.crop_predictions import PredictionOptions
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.person_crops import crop_persons
from posescope.prediction.poses import DetectedPerson, PersonPose

__all__ = ["predict_people"]


def predict_people(
    model: PoseModel, folder: ImageFolder, persons: Sequence[DetectedPerson], options: PredictionOptions
) -> Iterator[PersonPose]:
    """Pose people, image by image: an image is read once, and forgotten when its people are done.

    Args:
        model: the trained model.
        folder: of the images.
        persons: those of one image stand together.
        options: batch size (of one image's people), flip test, device.

    Raises:
        OptionsError: if the device does not exist, or the crop rule of the model's training is not installed.
    """
    if options.flip_test:
        warn_about_unpaired_joints(model.skeleton, "flip_test")
    model = model.to(resolve_device(options.device))
    by_image = groupby(persons, key=lambda person: person.image)
    for image_info, group in tqdm(by_image, desc="posing", unit="image", disable=None):
        image = folder.read(image_info.name)
        members = list(group)
        for start in range(0, len(members), options.batch_size):
            yield from _predict_batch(model, image, members[start : start + options.batch_size], options.flip_test)


def _predict_batch(
    model: PoseModel, image: NDArray[np.uint8], persons: Sequence[DetectedPerson], flip_test: bool
) -> Iterator[PersonPose]:
    cut = crop_persons(image, np.array([person.box for person in persons], dtype=np.float64), model.crop, model.crop_size)
    decoded = model.predict(torch.from_numpy(cut.crops), flip_test=flip_test)
    joints, scores = cut.place(decoded.joints.cpu().numpy()), decoded.scores.cpu().numpy()
    for person, points, heights in zip(persons, joints, scores, strict=True):
        yield PersonPose(person, points, heights)
