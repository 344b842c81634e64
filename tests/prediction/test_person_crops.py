"""Tests of posescope.prediction.person_crops with the rule `top_down`, by which networks of others get their crops."""

import numpy as np
import pytest
from numpy.typing import NDArray

from posescope.core.plugins import ComponentSpec
from posescope.geometry.affine import apply_affine
from posescope.geometry.crop_recipe import CropRecipe
from posescope.prediction.person_crops import PersonCrops, crop_persons


def cut(image: NDArray[np.uint8], boxes: NDArray[np.float64], padding: float, crop_size: tuple[int, int]) -> PersonCrops:
    """Crop boxes that grow by a factor; the part outside the image is black."""
    rule = ComponentSpec(name="top_down", options={"padding": padding})
    return crop_persons(image, boxes, CropRecipe(rule=rule, padding_rgb=(0, 0, 0)), crop_size)


def test_square_crop_is_centred_on_the_box() -> None:
    """The box spans 9.5..49.5 in x, its longer side 80 px in y; x 1.25 is 100 px, resized to 50: 2 px each."""
    image = np.zeros((200, 200, 3), np.uint8)
    image[50:52, 30:32] = 255
    persons = cut(image, np.array([[9.5, 9.5, 40.0, 80.0]]), 1.25, (50, 50))
    # The square has the middle (29.5, 49.5), so it spans -20.5..79.5 and -0.5..99.5.
    (matrix,) = persons.image_from_crop
    np.testing.assert_allclose(apply_affine(matrix, [[-0.5, -0.5], [49.5, 49.5]]), [[-20.5, -0.5], [79.5, 99.5]])
    assert np.argwhere(persons.crops[0, :, :, 0] == 255).tolist() == [[25, 25]]


@pytest.mark.parametrize("input_size", [(64, 48), (48, 64), (64, 47), (33, 64)])
@pytest.mark.parametrize("box", [(20.5, 30.5, 30.0, 80.0), (20.5, 30.5, 90.0, 20.0)])
def test_crop_holds_the_grown_box_and_has_its_centre(box: tuple[float, ...], input_size: tuple[int, int]) -> None:
    persons = cut(np.zeros((200, 200, 3), np.uint8), np.array([box]), 1.5, input_size)
    height, width = input_size
    (corners,) = persons.to_image(np.array([[[-0.5, -0.5], [width - 0.5, height - 0.5]]]))
    centre, side = corners.mean(axis=0), corners[1] - corners[0]
    expected = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    np.testing.assert_allclose(centre, expected, atol=1)  # whole px
    assert (side >= 1.5 * np.array(box[2:]) - 1).all()
    assert min(side - 1.5 * np.array(box[2:])) < 3  # the tighter side fits
    assert side[0] == pytest.approx(side[1] * width / height, abs=1)


def test_outside_of_the_image_is_black() -> None:
    persons = cut(np.full((10, 10, 3), 200, np.uint8), np.array([[-0.5, -0.5, 10.0, 10.0]]), 2.0, (20, 20))
    assert (persons.crops[0, 5:15, 5:15] == 200).all()
    assert persons.crops.sum() == 200 * 100 * 3


def test_box_without_extent_and_no_box() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    assert cut(image, np.array([[3.0, 3.0, 0.0, 0.0]]), 1.25, (8, 8)).crops.shape == (1, 8, 8, 3)
    assert len(cut(image, np.empty((0, 4)), 1.25, (8, 8))) == 0
