"""Tests of posescope.codecs.thesis: against SciPy and OpenCV, and by hand."""

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from posescope.codecs.separable_rendering import filtered_impulses
from posescope.codecs.thesis import Thesis256Codec, ThesisCodec, ThesisOptions
from posescope.core.errors import OptionsError

# Middle, corners, edges, and x = 254, which is px 63.5, rounds to 64 and is clipped to 63.
POINTS = [(100.0, 37.2), (0.0, 0.0), (255.0, 255.0), (254.0, 3.0), (1.9, 130.0), (6.0, 10.0)]


def impulse_map(x: float, y: float, size: int, crop: int = 256) -> np.ndarray:
    image = np.zeros((size, size))
    column, row = (int(np.clip(np.rint(v * size / crop), 0, size - 1)) for v in (x, y))
    image[row, column] = 1
    return image


def encode(codec, points, visibility):
    joints = torch.tensor([points], dtype=torch.float32)
    return codec.encode(joints, torch.full((1, len(points)), visibility)).heatmaps[0].double().numpy()


@pytest.mark.parametrize(("visibility", "sigma"), [(2, 0.5), (1, 1.0)])
def test_thesis_equals_scipy_filter(visibility, sigma):
    maps = encode(ThesisCodec(ThesisOptions(), (256, 256), len(POINTS)), POINTS, visibility)
    for point, found in zip(POINTS, maps, strict=True):
        expected = gaussian_filter(impulse_map(*point, 64), sigma, mode="nearest", truncate=4)
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(("visibility", "sigma"), [(2, 0.5), (1, 1.0)])
def test_thesis_256_equals_scipy_filter_then_area_resize(visibility, sigma):
    maps = encode(Thesis256Codec(ThesisOptions(), (256, 256), len(POINTS)), POINTS, visibility)
    for point, found in zip(POINTS, maps, strict=True):
        large = gaussian_filter(impulse_map(*point, 256), sigma, mode="nearest", truncate=4)
        expected = cv2.resize(large, (64, 64), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_thesis_256_peaks_are_at_most_a_sixteenth():
    maps = encode(Thesis256Codec(ThesisOptions(), (256, 256), 1), [(102.0, 102.0)], 2)
    # Almost the whole mass of 1 is in one heatmap px, the mean of 16 crop px: at most 1 / 16.
    assert 0.04 < maps.max() <= 1 / 16


def test_unlabelled_joint_has_an_empty_map():
    codec = ThesisCodec(ThesisOptions(), (256, 256), 2)
    joints = torch.tensor([[[float("nan"), float("nan")], [40.0, 80.0]]])
    maps = codec.encode(joints, torch.tensor([[0, 2]])).heatmaps
    assert maps[0, 0].abs().max() == 0
    # 80 / 4 = row 20, 40 / 4 = column 10.
    assert torch.argmax(maps[0, 1]).item() == 20 * 64 + 10


def test_decode_inverts_encode_at_px_centres():
    codec = ThesisCodec(ThesisOptions(), (256, 256), 3)
    joints = torch.tensor([[[0.0, 0.0], [4.0 * 31, 4.0 * 7], [252.0, 252.0]]])
    decoded = codec.decode(codec.encode(joints, torch.full((1, 3), 2)).heatmaps)
    torch.testing.assert_close(decoded.joints, joints)
    assert decoded.scores.shape == (1, 3)


def test_empty_batch():
    codec = ThesisCodec(ThesisOptions(), (256, 256), 3)
    encoded = codec.encode(torch.zeros(0, 3, 2), torch.zeros(0, 3, dtype=torch.uint8))
    assert encoded.heatmaps.shape == (0, 3, 64, 64)


def test_stride_must_divide_the_crop():
    with pytest.raises(OptionsError, match=r"stride 4\b"):
        ThesisCodec(ThesisOptions(stride=4), (130, 130), 17)


def test_filtered_impulse_by_hand():
    # sigma 0.5, radius int(4 * 0.5 + 0.5) = 2: weights e^0, e^-2, e^-8, normalised.
    weights = np.exp([-8.0, -2.0, 0.0, -2.0, -8.0])
    weights /= weights.sum()
    table = filtered_impulses(9, 0.5).numpy()
    np.testing.assert_allclose(table[4, 2:7], weights, atol=1e-15)
    # At the border the last value is repeated: sample 0 includes the 1 also at -1 and -2.
    np.testing.assert_allclose(table[0, 0], weights[:3].sum(), atol=1e-15)
