"""Tests of posescope.drawing.heatmap_overlays."""

import numpy as np
import pytest

from posescope.drawing.heatmap_overlays import dim_image, fuse_heatmaps, overlay_heatmaps
from posescope.drawing.rgb_images import DrawingError
from posescope.geometry.heatmap_px import crop_from_heatmap


def test_maps_are_fused_by_maximum_and_scaled_to_1() -> None:
    maps = np.array([[[0.0, 2.0]], [[1.0, -3.0]]])
    assert fuse_heatmaps(maps) == pytest.approx(np.array([[0.5, 1.0]]))


def test_maps_without_positive_values_do_not_change_the_image() -> None:
    image = np.full((8, 8, 3), 77, np.uint8)
    assert np.array_equal(overlay_heatmaps(image, np.zeros((2, 4, 4))), image)
    assert np.array_equal(overlay_heatmaps(image, -np.ones((2, 4, 4))), image)


@pytest.mark.parametrize(("size", "map_size", "column", "row"), [((256, 256), (64, 64), 10, 20), ((96, 160), (12, 20), 3, 8)])
def test_peak_is_drawn_at_its_position_in_the_crop(
    size: tuple[int, int], map_size: tuple[int, int], column: int, row: int
) -> None:
    maps = np.zeros((1, *map_size), np.float32)
    maps[0, row, column] = 1.0
    image = np.zeros((*size, 3), np.uint8)
    light = overlay_heatmaps(image, maps, opacity=1.0).astype(float).sum(axis=-1)
    rows, columns = np.mgrid[: size[0], : size[1]]
    stride = size[0] / map_size[0]
    assert (light * columns).sum() / light.sum() == pytest.approx(crop_from_heatmap(float(column), stride), abs=1e-6)
    assert (light * rows).sum() / light.sum() == pytest.approx(crop_from_heatmap(float(row), stride), abs=1e-6)
    brightest = np.argwhere(light == light.max())
    assert brightest.mean(axis=0) == pytest.approx(
        [crop_from_heatmap(float(row), stride), crop_from_heatmap(float(column), stride)]
    )


def test_low_values_are_transparent_and_the_peak_has_the_opacity() -> None:
    image = np.full((4, 4, 3), 200, np.uint8)
    maps = np.full((1, 4, 4), 0.01)
    maps[0, 1, 2] = 1.0
    over = overlay_heatmaps(image, maps, opacity=0.5)
    assert tuple(over[3, 0]) == (200, 200, 200)
    # The maximum of the inferno colour map is (252, 255, 164); the opacity is 0.5.
    assert np.abs(over[1, 2].astype(int) - [226, 228, 182]).max() <= 1


def test_opacity_0_shows_the_image_only() -> None:
    image = np.full((8, 8, 3), 30, np.uint8)
    assert np.array_equal(overlay_heatmaps(image, np.ones((1, 2, 2)), opacity=0.0), image)


def test_inputs_are_not_changed() -> None:
    image, maps = np.full((8, 8, 3), 30, np.uint8), np.ones((1, 2, 2)) * -2
    overlay_heatmaps(image, maps)
    assert (image == 30).all()
    assert (maps == -2).all()


@pytest.mark.parametrize("maps", [np.zeros((0, 4, 4)), np.zeros((4, 4)), np.full((1, 4, 4), np.nan)])
def test_invalid_maps_are_refused(maps: np.ndarray) -> None:
    with pytest.raises(DrawingError, match="heatmaps: expected"):
        overlay_heatmaps(np.zeros((8, 8, 3), np.uint8), maps)


def test_invalid_opacity_is_refused() -> None:
    with pytest.raises(DrawingError, match="opacity"):
        overlay_heatmaps(np.zeros((8, 8, 3), np.uint8), np.zeros((1, 4, 4)), opacity=1.5)


def test_dimmed_image_is_dark_grey_and_the_input_unchanged() -> None:
    image = np.array([[[255, 255, 255], [255, 0, 0], [0, 0, 0]]], np.uint8)
    # Red has the weight 0.299 in ITU-R BT.601, hence the grey 76; 60 % of 255 and 76 are 153 and 46.
    assert dim_image(image)[0, :, 0].tolist() == [153, 46, 0]
    assert (dim_image(image)[..., :1] == dim_image(image)).all()
    assert image[0, 1].tolist() == [255, 0, 0]
    with pytest.raises(DrawingError, match="RGB"):
        dim_image(image[..., 0])
