"""Small JPEG files of crops, as `reporting.photographs` allows."""

from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from posescope.data.crops.crop_set import CropSet
from posescope.drawing.photographs import PhotographMode
from posescope.drawing.rgb_images import check_rgb
from posescope.explainability.features.row_blocks import batches_of_rows

__all__ = ["CropThumbnails", "encode_thumbnail"]

_QUALITY = 85
_CROPS_AT_ONCE = 64  # 13 MB of 256 px


@dataclass(frozen=True)
class CropThumbnails:
    """Thumbnails of N persons, made when they are asked for.

    Attributes:
        crops: the crops.
        photographs: how persons are shown; heads are found by their labelled joints.
        side_px: longest side of a thumbnail.
    """

    crops: CropSet
    photographs: PhotographMode
    side_px: int

    def __call__(self, rows: NDArray[np.int64]) -> list[bytes]:
        """Return the JPEG files of the persons at (n,) rows; few crops are in memory at a time."""
        shown = (self.crops.read_shown_images(part, self.photographs) for part in batches_of_rows(rows, _CROPS_AT_ONCE))
        return [encode_thumbnail(image, self.side_px) for images in shown for image in images]


def encode_thumbnail(image: NDArray[np.uint8], side_px: int) -> bytes:
    """Return an image as JPEG, reduced to a longest side of `side_px`; a smaller image keeps its size.

    Args:
        image: (H, W, 3) uint8 RGB.
        side_px: longest side of the result.
    """
    check_rgb(image)
    height, width = image.shape[:2]
    scale = side_px / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=_QUALITY, colorspace="RGB", colorsubsampling="420"))
