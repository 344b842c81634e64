"""Example crops, on which an exported model is compared with PyTorch."""

import logging
from collections.abc import Collection
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posescope.artifacts.description import read_description
from posescope.core.errors import DataError
from posescope.prediction.image_io.image_source import ImageSource
from posescope.prediction.person_crops import crop_persons

__all__ = ["load_example_crops"]

_log = logging.getLogger(__name__)

_SHARDS = Path("05_model_input", "crops")


def load_example_crops(
    model: Path, images: Path | None, data_dir: Path, limit: int, allow: Collection[str] = ()
) -> tuple[NDArray[np.uint8], str]:
    """Return crops of a model's size, and where they come from.

    Args:
        model: a model folder.
        images: an image or a folder of images; each is cropped whole, unreadable ones are skipped. None: crops of a data_dir.
        data_dir: is searched for crops of this size after the data_dir of the model.
        limit: largest number of crops.
        allow: dotted paths of components that the model folder may name.

    Returns:
        (n, H, W, 3) uint8 RGB, n > 0, and their source for messages.

    Raises:
        DataError: if there are neither readable images nor crops of this size.
    """
    description = read_description(model).trusted(allow)
    if images is not None:
        found = ImageSource([images], videos=False).read(lambda _, error: _log.warning("skipped: %s", error))
        crops = []
        for image in islice(found, limit):
            whole = np.array([[-0.5, -0.5, image.pixels.shape[1], image.pixels.shape[0]]])
            crops.append(crop_persons(image.pixels, whole, description.crop, description.crop_size).crops)
        if not crops:
            raise DataError(f"{images}: none of the images can be read.")
        return np.concatenate(crops), f"images of {images}"
    for folder in (*model.resolve().parents, data_dir):
        for shard in sorted((folder / _SHARDS).glob("*.npy")):
            stored = np.load(shard, mmap_mode="r", allow_pickle=False)
            if stored.shape[1:] == (*description.crop_size, 3):
                return np.array(stored[:limit]), f"crops of {folder}"
    height, width = description.crop_size
    raise DataError(f"There are no crops of {height}x{width} px near {model}: name a folder by --images.")
