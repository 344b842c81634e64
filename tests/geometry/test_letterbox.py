"""Tests of posescope.geometry.letterbox."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posescope.geometry.letterbox import fit_letterbox


def test_wide_image_in_the_corner() -> None:
    """100 x 200 into 64 x 64: scaled by 0.32 to 32 x 64; 20 px of the input are 62.5 px of the image."""
    box = fit_letterbox((100, 200), (64, 64), centred=False)
    assert (box.resized, box.corner) == ((32, 64), (0, 0))
    found = box.boxes_in_image(np.array([[16.0, 8.0, 36.0, 24.0]]))
    np.testing.assert_allclose(found, [[49.5, 24.5, 62.5, 50.0]])


def test_centred_image_has_an_offset() -> None:
    box = fit_letterbox((100, 200), (64, 64), centred=True)
    assert (box.resized, box.corner) == ((32, 64), (0, 16))
    np.testing.assert_allclose(box.boxes_in_image(np.array([[16.0, 24.0, 36.0, 40.0]])), [[49.5, 24.5, 62.5, 50.0]])
    assert fit_letterbox((200, 100), (64, 65), centred=True).corner == (16, 0)


def test_boxes_are_clipped_to_the_image() -> None:
    box = fit_letterbox((32, 64), (64, 64), centred=False)
    found = box.boxes_in_image(np.array([[-5.0, -5.0, 100.0, 100.0], [10.0, 40.0, 20.0, 50.0]]))
    np.testing.assert_allclose(found, [[-0.5, -0.5, 64.0, 32.0], [9.5, 31.5, 10.0, 0.0]])


def test_no_persons() -> None:
    assert fit_letterbox((32, 64), (64, 64), centred=False).boxes_in_image(np.empty((0, 4))).shape == (0, 4)


def test_thinnest_image_keeps_one_pixel() -> None:
    assert fit_letterbox((1, 5000), (64, 64), centred=False).resized == (1, 64)
    assert fit_letterbox((1, 1), (64, 32), centred=False).resized == (32, 32)


sizes = st.tuples(st.integers(1, 3000), st.integers(1, 3000))


@pytest.mark.parametrize("centred", [True, False])
@given(image=sizes, target=sizes)
def test_box_of_the_whole_image(centred: bool, image: tuple[int, int], target: tuple[int, int]) -> None:
    box = fit_letterbox(image, target, centred)
    (left, top), (height, width) = box.corner, box.resized
    assert 0 <= left <= left + width <= target[1]
    assert 0 <= top <= top + height <= target[0]
    found = box.boxes_in_image(np.array([[left, top, left + width, top + height]], np.float64))
    np.testing.assert_allclose(found, [[-0.5, -0.5, image[1], image[0]]], atol=1e-6)
