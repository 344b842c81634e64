"""Tests of posescope.prediction.peers.person_windows."""

import numpy as np
import pytest

from posescope.geometry.affine import apply_affine
from posescope.prediction.peers.person_windows import cut_windows


def test_square_window_is_centred_on_the_box() -> None:
    """The box spans 9.5..49.5 in x, its longer side 80 px in y; x 1.25 is 100 px, resized to 50: 2 px each."""
    image = np.zeros((200, 200, 3), np.uint8)
    image[50:52, 30:32] = 255
    windows = cut_windows(image, np.array([[9.5, 9.5, 40.0, 80.0]]), 1.25, (50, 50))
    # The square has the middle (29.5, 49.5), so it spans -20.5..79.5 and -0.5..99.5.
    (matrix,) = windows.image_from_crop
    np.testing.assert_allclose(apply_affine(matrix, [[-0.5, -0.5], [49.5, 49.5]]), [[-20.5, -0.5], [79.5, 99.5]])
    assert np.argwhere(windows.crops[0, :, :, 0] == 255).tolist() == [[25, 25]]


@pytest.mark.parametrize("input_size", [(64, 48), (48, 64), (64, 47), (33, 64)])
@pytest.mark.parametrize("box", [(20.5, 30.5, 30.0, 80.0), (20.5, 30.5, 90.0, 20.0)])
def test_window_holds_the_grown_box_and_has_its_centre(box: tuple[float, ...], input_size: tuple[int, int]) -> None:
    windows = cut_windows(np.zeros((200, 200, 3), np.uint8), np.array([box]), 1.5, input_size)
    height, width = input_size
    (corners,) = windows.to_image(np.array([[[-0.5, -0.5], [width - 0.5, height - 0.5]]]))
    centre, side = corners.mean(axis=0), corners[1] - corners[0]
    expected = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    np.testing.assert_allclose(centre, expected, atol=1)  # whole px
    assert (side >= 1.5 * np.array(box[2:]) - 1).all()
    assert min(side - 1.5 * np.array(box[2:])) < 3  # the tighter side fits
    assert side[0] / side[1] == pytest.approx(width / height, rel=1e-9)


def test_outside_of_the_image_is_black() -> None:
    windows = cut_windows(np.full((10, 10, 3), 200, np.uint8), np.array([[-0.5, -0.5, 10.0, 10.0]]), 2.0, (20, 20))
    assert (windows.crops[0, 5:15, 5:15] == 200).all()
    assert windows.crops.sum() == 200 * 100 * 3


def test_box_without_extent_and_no_box() -> None:
    image = np.zeros((10, 10, 3), np.uint8)
    assert cut_windows(image, np.array([[3.0, 3.0, 0.0, 0.0]]), 1.25, (8, 8)).crops.shape == (1, 8, 8, 3)
    assert len(cut_windows(image, np.empty((0, 4)), 1.25, (8, 8))) == 0
