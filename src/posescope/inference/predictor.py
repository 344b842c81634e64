"""Poses of the people in whole images.

    box -> square (centre of the box, longer side grown by the margin, padded) -> crop -> network -> crop px -> image px

Margin and padding are those of the model's training crops, and the rule is `padded_square` whatever it was there: who stands at
the border must not be left out. The centre differs too: in training it is the middle of the joints, which nobody knows here.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel, warn_of_missing_pairs
from posescope.crops.cutting import cut_square
from posescope.geometry.affine import apply_affine, crop_from_image, invert_affine
from posescope.geometry.boxes import Extents, PaddedSquare, SquareBoxes, SquareOptions
from posescope.inference.crop_predictions import PredictionOptions
from posescope.inference.images import ImageFolder
from posescope.inference.records import DetectedPerson, PosedPerson

__all__ = ["PosedPerson", "predict_people"]


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
    margin = model.crop.margin
    by_image = groupby(people, key=lambda person: person.image)
    for image_info, group in tqdm(by_image, desc="posing", unit="image"):
        image = folder.read(image_info.name)
        members = list(group)
        for start in range(0, len(members), options.batch_size):
            yield from _predict_batch(model, image, members[start : start + options.batch_size], margin, options.flip_test)


def _predict_batch(
    model: PoseModel, image: NDArray[np.uint8], people: Sequence[DetectedPerson], margin: float, flip_test: bool
) -> Iterator[PosedPerson]:
    squares = _squares(people, margin)
    size = model.crop_size[0]
    crops = np.stack(
        [
            cut_square(image, int(left), int(top), int(side), size, model.crop.padding_rgb)
            for left, top, side in zip(squares.left, squares.top, squares.side, strict=True)
        ]
    )
    decoded = model.predict(torch.from_numpy(crops), flip_test=flip_test)
    image_from_crop = invert_affine(crop_from_image(squares.left, squares.top, squares.side, model.crop_size))
    joints = apply_affine(image_from_crop, decoded.joints.cpu().numpy())
    scores = decoded.scores.cpu().numpy()
    for person, points, heights in zip(people, joints, scores, strict=True):
        yield PosedPerson(person, points, heights)


def _squares(people: Sequence[DetectedPerson], margin: float) -> SquareBoxes:
    boxes = np.array([person.box for person in people], dtype=np.float64)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    sizes = np.array([person.image.size for person in people], dtype=np.int64)
    # Without joints, the box stands for them.
    return PaddedSquare(SquareOptions(margin=margin))(Extents(low, high, low, high, sizes))
