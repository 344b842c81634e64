"""Tests of thumbnails: size, order, and how photographs are shown."""

import numpy as np
import pytest
import simplejpeg

from posescope.core.records import PoseTargets
from posescope.data.crops.crop_set import CropSet
from posescope.drawing.photographs import PhotographMode
from posescope.drawing.rgb_images import DrawingError
from posescope.explorer.thumbnails import CropThumbnails, encode_thumbnail

COUNT = 70  # more than are read at once


def noisy_crops() -> CropSet:
    """Return noisy crops of 64 x 48 px whose mean grows with the row, each with a nose."""
    rng = np.random.default_rng(0)
    noise = rng.integers(-60, 61, (COUNT, 64, 48, 3))
    images = np.clip(60 + 2 * np.arange(COUNT)[:, None, None, None] + noise, 0, 255).astype(np.uint8)
    joints = np.full((COUNT, 1, 2), 20, dtype=np.float32)
    targets = PoseTargets(np.arange(COUNT), joints, np.full((COUNT, 1), 2, np.uint8), joint_names=("nose",))
    return CropSet(targets, [images], np.stack([np.zeros(COUNT, np.int64), np.arange(COUNT)], axis=1))


def decode(files: list[bytes]) -> np.ndarray:
    return np.stack([simplejpeg.decode_jpeg(file) for file in files])


@pytest.mark.parametrize(
    ("size", "side_px", "expected"),
    [((64, 48), 32, (32, 24)), ((48, 64), 32, (24, 32)), ((20, 10), 32, (20, 10)), ((300, 2), 30, (30, 1))],
)
def test_longest_side(size: tuple[int, int], side_px: int, expected: tuple[int, int]) -> None:
    file = encode_thumbnail(np.full((*size, 3), 200, np.uint8), side_px)
    found = simplejpeg.decode_jpeg(file)
    assert found.shape == (*expected, 3)
    assert np.abs(found.astype(int) - 200).max() <= 2


def test_colours_stay_in_their_channels() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 0] = 250
    red, green, blue = simplejpeg.decode_jpeg(encode_thumbnail(image, 16)).mean(axis=(0, 1))
    assert red > 230
    assert max(green, blue) < 20


def test_thumbnails_follow_the_order_of_the_rows() -> None:
    make = CropThumbnails(noisy_crops(), "full", 32)
    rows = np.array([69, 0, 35, *range(COUNT)])
    means = decode(make(rows)).mean(axis=(1, 2, 3))
    assert np.abs(means - (60 + 2 * rows)).max() < 8
    assert make(np.array([], dtype=np.int64)) == []


def detail(mode: PhotographMode) -> float:
    """Return the mean difference of neighbouring pixels of a thumbnail."""
    shown = decode(CropThumbnails(noisy_crops(), mode, 48)(np.arange(5))).astype(float)
    return float(np.abs(np.diff(shown, axis=2)).mean())


def test_photographs_are_shown_as_the_mode_allows() -> None:
    assert detail("none") == 0
    assert detail("full") > 3 * detail("blurred") > 0
    plain = decode(CropThumbnails(noisy_crops(), "none", 48)(np.array([0, 60])))
    assert np.ptp(plain) == 0


def test_grey_image_is_refused() -> None:
    with pytest.raises(DrawingError):
        encode_thumbnail(np.zeros((8, 8), np.uint8), 16)
