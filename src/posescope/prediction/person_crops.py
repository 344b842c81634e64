"""Crops of detected persons, and the way back from crop px to image px.

    box -> crop box (centred on the box, grown, padded) -> crop -> network -> crop px -> image px

The crop recipe is that of the model's training crops. `top_down` is the same in training and here. With a rule that makes
squares, two things differ from training: the rule is always `padded_square` with its margin, so that persons at the border are
predicted, too; and the square is centred on the box, because the joints are not known.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.data.crops.crop_resampling import crop_box
from posescope.geometry.affine import apply_affine, crop_from_image, invert_affine
from posescope.geometry.crop_recipe import CropRecipe
from posescope.geometry.square_boxes import Extents

__all__ = ["PersonCrops", "crop_persons"]


@dataclass(frozen=True)
class PersonCrops:
    """Crops of n persons of one image.

    Attributes:
        crops: (n, H, W, 3) uint8 RGB.
        image_from_crop: (n, 2, 3) float64.
    """

    crops: NDArray[np.uint8]
    image_from_crop: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def image_px_per_crop_px(self) -> NDArray[np.float64]:
        """(n,) length of a crop px in the image."""
        return np.asarray(np.sqrt(np.abs(np.linalg.det(self.image_from_crop[:, :, :2]))))

    def to_image(self, joints: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map joints (n, K, 2) from crop px to image px."""
        return apply_affine(self.image_from_crop, joints)


def crop_persons(
    image: NDArray[np.uint8],
    boxes: NDArray[np.float64],
    recipe: CropRecipe,
    crop_size: tuple[int, int],
    check: Callable[[], None] = lambda: None,
) -> PersonCrops:
    """Crop persons out of an image.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (n, 4) x, y, w, h px in the project's convention (an image spans [-0.5, W - 0.5]); w, h > 0.
        recipe: recipe of the model's training crops.
        crop_size: (height, width) px.
        check: called before each crop; an error that it raises ends the cropping.

    Raises:
        OptionsError: if the recipe's rule is not installed.
    """
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    sizes = np.broadcast_to(np.array(image.shape[:2], dtype=np.int64), (len(boxes), 2))
    # The box takes the place of the joints.
    found = recipe.rule_of_detected_boxes()(Extents(low, high, low, high, sizes, aspect=crop_size[1] / crop_size[0]))
    crops = np.empty((len(boxes), *crop_size, 3), dtype=np.uint8)
    whole = zip(*(part.tolist() for part in (found.left, found.top, found.height, found.width)), strict=True)
    for crop, (left, top, height, width) in zip(crops, whole, strict=True):
        check()
        crop_box(image, left, top, (height, width), crop_size, recipe.padding_rgb, out=crop)
    return PersonCrops(crops, invert_affine(crop_from_image(found.left, found.top, found.width, crop_size, found.height)))
