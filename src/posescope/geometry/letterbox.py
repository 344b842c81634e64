"""Letterboxing: an image scaled to fit a network's input with its aspect ratio kept, and the rest padded.

    +--input-----------+
    |+-image----------+|     scaled by min(input height / height, input width / width), to whole pixels,
    ||                ||     in the upper left corner or centred
    |+----------------+|
    |:::: padding :::::|
    +------------------+

Detectors count edges: their input spans [0, W] and its first pixel [0, 1]. Here that pixel spans [-0.5, 0.5].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Letterbox", "fit_letterbox"]


@dataclass(frozen=True)
class Letterbox:
    """Placement of an image in a network's input.

    Attributes:
        image_size: (height, width) px of the image.
        input_size: (height, width) px of the network's input.
        resized: (height, width) input px that the image covers, at least 1.
        corner: (x, y) input px of the image's first pixel.
    """

    image_size: tuple[int, int]
    input_size: tuple[int, int]
    resized: tuple[int, int]
    corner: tuple[int, int]

    def boxes_in_image(self, corners: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return boxes of the input as boxes of the image, clipped to it.

        Args:
            corners: (N, 4) x0, y0, x1, y1: edges in input px.

        Returns:
            (N, 4) x, y, w, h in image px, where pixel i spans [i - 0.5, i + 0.5]; w or h is 0 for a box outside the image.
        """
        sizes = np.array(self.image_size[::-1], np.float64)
        scale = sizes / np.array(self.resized[::-1], np.float64)
        edges = (corners.reshape(-1, 2, 2).astype(np.float64) - self.corner) * scale
        low, high = np.clip(edges, 0, sizes).transpose(1, 0, 2)
        return np.concatenate([low - 0.5, high - low], axis=1)


def fit_letterbox(image_size: tuple[int, int], input_size: tuple[int, int], centred: bool) -> Letterbox:
    """Return the placement with the largest whole size that keeps the aspect ratio.

    Args:
        image_size: (height, width) px, at least 1.
        input_size: (height, width) px, at least 1.
        centred: whether the image is centred in the input, or else put into its upper left corner.
    """
    scale = min(input_size[0] / image_size[0], input_size[1] / image_size[1])
    height, width = max(int(image_size[0] * scale), 1), max(int(image_size[1] * scale), 1)
    corner = ((input_size[1] - width) // 2, (input_size[0] - height) // 2) if centred else (0, 0)
    return Letterbox(image_size, input_size, (height, width), corner)
