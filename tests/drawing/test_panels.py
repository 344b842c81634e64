"""Resizing of images to a height, and the positions of their points."""

import numpy as np
import pytest

from posescope.drawing.image_grids import resize_to_height
from posescope.drawing.rgb_images import DrawingError
from posescope.geometry.affine import apply_affine


def test_aspect_ratio_is_kept() -> None:
    panel, _ = resize_to_height(np.zeros((50, 80, 3), np.uint8), 100)
    assert (panel.shape, panel.dtype) == ((100, 160, 3), np.uint8)
    assert resize_to_height(np.zeros((50, 1, 3), np.uint8), 10)[0].shape == (10, 1, 3)


def test_points_are_scaled_about_the_image_edges() -> None:
    # At scale 2, px 10 spans 9.5..10.5 in the image and 19.5..21.5 in the panel, with the centre 20.5.
    _, panel_from_image = resize_to_height(np.zeros((50, 80, 3), np.uint8), 100)
    np.testing.assert_allclose(apply_affine(panel_from_image, np.array([[10.0, 0.0], [-0.5, 49.5]])), [[20.5, 0.5], [-0.5, 99.5]])


@pytest.mark.parametrize("height_px", [25, 64, 160])
def test_spot_is_drawn_at_the_position_of_its_point(height_px: int) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[18:23, 38:43] = 255  # centred on (40, 20)
    panel, panel_from_image = resize_to_height(image, height_px)
    weights = panel[..., 0].astype(float)
    rows, columns = np.mgrid[: panel.shape[0], : panel.shape[1]]
    found = [(weights * columns).sum() / weights.sum(), (weights * rows).sum() / weights.sum()]
    np.testing.assert_allclose(found, apply_affine(panel_from_image, np.array([[40.0, 20.0]]))[0], atol=0.1)


def test_image_is_not_changed() -> None:
    image = np.full((20, 20, 3), 7, np.uint8)
    panel, _ = resize_to_height(image, 20)
    panel[:] = 0
    assert (image == 7).all()


def test_invalid_image_and_height_are_refused() -> None:
    with pytest.raises(DrawingError, match="RGB"):
        resize_to_height(np.zeros((20, 20), np.uint8), 10)
    with pytest.raises(DrawingError, match="at least 1, found 0"):
        resize_to_height(np.zeros((20, 20, 3), np.uint8), 0)
