"""From boxes of people to the crops that a network reads, and back: the one place where inference meets geometry.

    box -> square (centre of the box, longer side grown by the margin, padded) -> crop -> network -> crop px -> image px

Margin and padding are those of the model's training crops, and the rule is `padded_square` whatever it was there: who stands at
the border must not be left out. The centre differs too: in training it is the middle of the joints, which nobody knows here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.data.crops.square_crop import crop_square
from posescope.geometry.affine import apply_affine, crop_from_image, invert_affine
from posescope.geometry.crop_recipe import CropRecipe
from posescope.geometry.square_boxes import Extents, PaddedSquare, SquareBoxes, SquareOptions

__all__ = ["PersonCrops", "crop_persons"]


@dataclass(frozen=True)
class PersonCrops:
    """n people of one image, cut out.

    Attributes:
        crops: (n, H, W, 3) uint8 RGB.
        image_from_crop: (n, 2, 3) float64.
    """

    crops: NDArray[np.uint8]
    image_from_crop: NDArray[np.float64]

    def place(self, joints: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, K, 2) crop px -> image px."""
        return apply_affine(self.image_from_crop, joints)


def crop_persons(
    image: NDArray[np.uint8], boxes: NDArray[np.float64], recipe: CropRecipe, crop_size: tuple[int, int]
) -> PersonCrops:
    """Cut people out of an image.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (n, 4) x, y, w, h px, our convention (an image spans [-0.5, W - 0.5]); w, h > 0.
        recipe: how the model's training crops were cut.
        crop_size: (height, width) px.

    Raises:
        OptionsError: if the recipe's rule is not installed.
    """
    squares = _square(boxes, image.shape[:2], recipe.margin)
    crops = np.empty((len(boxes), *crop_size, 3), dtype=np.uint8)
    for crop, left, top, side in zip(crops, squares.left, squares.top, squares.side, strict=True):
        crop_square(image, int(left), int(top), int(side), crop_size[0], recipe.padding_rgb, out=crop)
    return PersonCrops(crops, invert_affine(crop_from_image(squares.left, squares.top, squares.side, crop_size)))


def _square(boxes: NDArray[np.float64], image_size: tuple[int, ...], margin: float) -> SquareBoxes:
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    sizes = np.broadcast_to(np.array(image_size, dtype=np.int64), (len(boxes), 2))
    # Without joints, the box stands for them.
    return PaddedSquare(SquareOptions(margin=margin))(Extents(low, high, low, high, sizes))
