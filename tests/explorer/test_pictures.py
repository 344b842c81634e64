"""Tests of posescope.explorer.pictures."""

import base64

import cv2
import numpy as np
import pytest

from posescope.core.skeleton import Skeleton
from posescope.drawing.rgb_images import DrawingError
from posescope.drawing.skeletons import LEFT_RGB
from posescope.explorer.pictures import (
    brighten,
    brighten_jpeg,
    choose_heatmaps,
    data_uri,
    draw_heatmap_panel,
    draw_skeleton_panel,
    encode_jpeg,
    encode_png,
)

SKELETON = Skeleton(joints=("left_dot", "right_dot"), limbs=((0, 1),), oks_sigmas=(0.1, 0.1))
CROP = np.full((32, 32, 3), 90, np.uint8)
JOINTS = np.array([[8.0, 8.0], [24.0, 8.0]])


def peak(row: int, column: int, value: float = 1.0) -> np.ndarray:
    """One heatmap (1, 8, 8) with one peak."""
    maps = np.zeros((1, 8, 8), np.float32)
    maps[0, row, column] = value
    return maps


def decode(encoded: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_a_joint_is_drawn_at_its_place_in_the_enlarged_crop() -> None:
    panel = draw_skeleton_panel(CROP, JOINTS, SKELETON, height_px=128)
    assert panel.shape == (128, 128, 3)
    assert tuple(panel[33, 33]) == LEFT_RGB  # crop px 8 is panel px (8 + 0.5) * 4 - 0.5 = 33.5


def test_joints_with_a_low_score_and_unknown_joints_are_not_drawn() -> None:
    plain = draw_skeleton_panel(CROP, np.full((2, 2), np.nan), SKELETON, height_px=64)
    hidden = draw_skeleton_panel(CROP, JOINTS, SKELETON, scores=[0.1, 0.1], min_score=0.2, height_px=64)
    assert np.array_equal(plain, hidden)


def test_the_reference_is_drawn_below_the_skeleton() -> None:
    lower = JOINTS + np.array([0.0, 16.0])
    plain = draw_skeleton_panel(CROP, JOINTS, SKELETON, height_px=128)
    both = draw_skeleton_panel(CROP, JOINTS, SKELETON, reference=lower, height_px=128)
    same_place = draw_skeleton_panel(CROP, JOINTS, SKELETON, reference=JOINTS, height_px=128)
    assert both[97, 65].min() > 200  # the middle of the reference limb, light grey
    assert np.array_equal(both[:80], plain[:80])
    assert tuple(same_place[33, 33]) == LEFT_RGB


def test_a_heatmap_is_brightest_at_its_peak() -> None:
    panel = draw_heatmap_panel(CROP, peak(2, 5), height_px=128)
    row, column = np.unravel_index(panel.astype(int).sum(axis=2).argmax(), panel.shape[:2])
    assert abs(row - 39.5) <= 8
    assert abs(column - 87.5) <= 8


def test_a_peak_below_the_full_scale_is_paler() -> None:
    full, half = (
        draw_heatmap_panel(CROP, peak(2, 5, value), full_scale=1.0, height_px=64).astype(int).sum() for value in (1.0, 0.5)
    )
    none = draw_heatmap_panel(CROP, peak(2, 5, 0.0), full_scale=1.0, height_px=64).astype(int).sum()
    assert none < half < full


def test_one_heatmap_or_all_are_chosen() -> None:
    maps = np.concatenate([peak(0, 0), peak(1, 1)])
    assert np.array_equal(choose_heatmaps(maps, 1), peak(1, 1))
    assert choose_heatmaps(maps, None) is maps
    with pytest.raises(DrawingError):
        choose_heatmaps(maps, 2)


def test_png_has_no_loss_and_jpeg_little() -> None:
    image = draw_skeleton_panel(CROP, JOINTS, SKELETON, height_px=64)
    assert np.array_equal(decode(encode_png(image)), image)
    assert np.abs(decode(encode_jpeg(image)).astype(int) - image).mean() < 2


def test_a_data_uri_contains_the_bytes_and_their_type() -> None:
    encoded = encode_jpeg(CROP)
    kind, _, content = data_uri(encoded).partition(",")
    assert kind == "data:image/jpeg;base64"
    assert base64.b64decode(content) == encoded


@pytest.mark.parametrize("content", [b"", b"<svg onload=alert(1)>"])
def test_other_bytes_make_no_data_uri(content: bytes) -> None:
    with pytest.raises(DrawingError):
        data_uri(content)


@pytest.mark.parametrize("encode", [encode_jpeg, encode_png])
def test_only_rgb_images_are_encoded(encode) -> None:
    with pytest.raises(DrawingError):
        encode(np.zeros((4, 4), np.uint8))


def test_dark_images_are_brightened_and_bright_ones_unchanged():
    dark = np.full((4, 4, 3), (10, 20, 5), dtype=np.uint8)
    assert brighten(dark)[0, 0].tolist() == [118, 235, 59]  # 235 / 20 = 11.75
    assert brighten(np.full((2, 2, 3), 1, dtype=np.uint8)).max() == 12  # the factor is bounded
    bright = np.full((2, 2, 3), 240, dtype=np.uint8)
    assert np.array_equal(brighten(bright), bright)
    assert brighten(np.empty((0, 0, 3), dtype=np.uint8)).shape == (0, 0, 3)
    encoded = encode_jpeg(bright)
    assert brighten_jpeg(encoded) is encoded
    assert decode(brighten_jpeg(encode_jpeg(np.full((16, 16, 3), 30, dtype=np.uint8)))).min() > 225
