"""Crops on which two ways of running a model are compared."""

from collections.abc import Collection
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posescope.artifacts.description import ModelDescription, read_description
from posescope.core.errors import DataError
from posescope.prediction.image_io.image_folder import ImageFolder, read_images
from posescope.prediction.person_crops import crop_persons

__all__ = ["example_crops"]

_SHARDS = Path("05_model_input", "crops")


def example_crops(
    model: Path, images: Path | None, data_dir: Path, most: int, allow: Collection[str] = ()
) -> tuple[NDArray[np.uint8], str]:
    """Crops of a model's size, and what they are.

    Args:
        model: a model folder.
        images: a folder of images (or one), each cut out whole, the unreadable ones left out; none: the crops of a data_dir.
        data_dir: the one that the model lies in, or else this one, is looked into for crops of that size.
        most: how many, at most.
        allow: dotted paths of components that the model folder may name.

    Raises:
        DataError: if there are neither readable images nor crops of that size.
    """
    about = read_description(model).trusted(allow)
    if images is not None:
        cut = [_whole(image, about) for _, image in islice(read_images(ImageFolder(images)), most)]
        return np.concatenate(cut), f"images of {images}"
    for place in (*model.resolve().parents, data_dir):
        for shard in sorted((place / _SHARDS).glob("*.npy")):
            crops = np.load(shard, mmap_mode="r", allow_pickle=False)
            if crops.shape[1:] == (*about.crop_size, 3):
                return np.array(crops[:most]), f"crops of {place}"
    raise DataError(
        f"There are no crops of {about.crop_size[0]}x{about.crop_size[1]} px near {model}: name a folder by --images."
    )


def _whole(image: NDArray[np.uint8], about: ModelDescription) -> NDArray[np.uint8]:
    box = np.array([[-0.5, -0.5, image.shape[1], image.shape[0]]])
    return crop_persons(image, box, about.crop, about.crop_size).crops
