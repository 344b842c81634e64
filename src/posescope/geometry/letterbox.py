"""A picture scaled to fit into a network's input, its proportions kept, the rest filled.

    +--input-----------+
    |+-picture--------+|     scaled by min(input height / height, input width / width), whole pixels
    ||                ||     in the upper left corner, or centred
    |+----------------+|
    |:::: filling :::::|
    +------------------+

Networks speak of edges: their input spans [0, W], its first pixel [0, 1]. In our convention that pixel spans [-0.5, 0.5].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Letterbox", "fit_letterbox"]


@dataclass(frozen=True)
class Letterbox:
    """How a picture lies in the input.

    Attributes:
        image_size: (height, width) px of the picture.
        input_size: (height, width) px of the network's input.
        resized: (height, width) px of the picture there, at least 1.
        corner: (x, y): its first pixel there.
    """

    image_size: tuple[int, int]
    input_size: tuple[int, int]
    resized: tuple[int, int]
    corner: tuple[int, int]

    def boxes_in_image(self, corners: NDArray[np.float64]) -> NDArray[np.float64]:
        """Boxes of the input as boxes of the picture, as far as they lie in it.

        Args:
            corners: (N, 4) x0, y0, x1, y1: edges in input px.

        Returns:
            (N, 4) x, y, w, h in image px, our convention; w or h is 0 for who lies outside.
        """
        sizes = np.array(self.image_size[::-1], np.float64)
        scale = sizes / np.array(self.resized[::-1], np.float64)
        edges = (corners.reshape(-1, 2, 2).astype(np.float64) - self.corner) * scale
        low, high = np.clip(edges, 0, sizes).transpose(1, 0, 2)
        return np.concatenate([low - 0.5, high - low], axis=1)


def fit_letterbox(image_size: tuple[int, int], input_size: tuple[int, int], centred: bool) -> Letterbox:
    """The largest whole size that keeps the proportions; both sizes are (height, width) px, at least 1."""
    scale = min(input_size[0] / image_size[0], input_size[1] / image_size[1])
    height, width = max(int(image_size[0] * scale), 1), max(int(image_size[1] * scale), 1)
    corner = ((input_size[1] - width) // 2, (input_size[0] - height) // 2) if centred else (0, 0)
    return Letterbox(image_size, input_size, (height, width), corner)
