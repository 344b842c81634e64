"""Tests of posescope.drawing.photographs."""

import numpy as np
import pytest

from posescope.drawing.photographs import coarsen_image, hide_photographs, mode_covers
from posescope.drawing.rgb_images import DrawingError

NAMES = ("nose", "left_ear_base", "left_hip")


def noise(count: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 96, 96, 3), dtype=np.uint8)


def joints(head: tuple[float, float] = (48, 20)) -> np.ndarray:
    return np.array([[head, (np.nan, np.nan), (48, 80)]])


def test_full_mode_returns_the_same_array():
    images = noise()
    assert hide_photographs(images, joints(), NAMES, "full") is images


def test_no_pixel_of_the_photograph_remains_in_mode_none():
    assert np.unique(hide_photographs(noise(2), np.concatenate([joints()] * 2), NAMES, "none")).tolist() == [226]


def test_blurred_heads_are_coarser_than_the_rest():
    image = noise()
    hidden = hide_photographs(image, joints(), NAMES, "blurred")[0].astype(float)
    coarse, coarser = coarsen_image(image[0], 24), coarsen_image(image[0], 8)
    assert np.array_equal(hidden[12:28, 40:56], coarser[12:28, 40:56])  # at most 12 px from the nose
    assert np.array_equal(hidden[60:], coarse[60:])
    assert hidden[12:28, 40:56].std() < hidden[60:].std() < image.std() / 2


def test_image_without_known_head_is_coarser_as_a_whole():
    image = noise()
    hidden = hide_photographs(image, joints((np.nan, np.nan)), NAMES, "blurred")[0]
    assert np.array_equal(hidden, coarsen_image(image[0], 8))


def test_cell_is_the_mean_of_its_pixels():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = 100
    image[0, 0] = 200
    assert coarsen_image(image, 2)[0, 0].tolist() == [125, 125, 125]


def test_no_images():
    assert hide_photographs(np.empty((0, 8, 8, 3), np.uint8), np.empty((0, 3, 2)), NAMES, "blurred").shape == (0, 8, 8, 3)


def test_array_that_is_not_rgb_is_refused():
    with pytest.raises(DrawingError):
        hide_photographs(np.zeros((1, 8, 8, 1), np.uint8), joints(), NAMES, "blurred")


@pytest.mark.parametrize(
    ("made", "wanted", "expected"),
    [
        ("full", "full", True),
        ("full", "none", False),
        ("none", "blurred", True),
        ("blurred", "none", False),
        ("?", "blurred", False),
    ],
)
def test_stricter_mode_covers_the_others(made, wanted, expected):
    assert mode_covers(made, wanted) is expected
