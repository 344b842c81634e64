"""Tests of posescope.codecs.gaussian: by hand, round trips, decoders."""

import math

import numpy as np
import pytest
import torch

from posescope.codecs.gaussian import GaussianCodec, GaussianOptions


def make(**options) -> GaussianCodec:
    return GaussianCodec(GaussianOptions(**options), (64, 96), 2)


def test_values_by_hand():
    codec = make(sigma_heatmap_px=2.0)
    joints = torch.tensor([[[41.5, 21.5], [math.nan, math.nan]]])  # x_map = 42 / 4 - 0.5 = 10, y_map = 22 / 4 - 0.5 = 5
    encoded = codec.encode(joints, torch.tensor([[2, 0]]))
    assert encoded.heatmaps.shape == (1, 2, 16, 24)
    assert encoded.heatmaps[0, 0, 5, 10].item() == pytest.approx(1.0)
    # Two px right, one down: exp(-(4 + 1) / (2 * 4)).
    assert encoded.heatmaps[0, 0, 6, 12].item() == pytest.approx(math.exp(-5 / 8))
    assert encoded.heatmaps[0, 1].abs().max() == 0
    assert encoded.weights.tolist() == [[1.0, 0.0]]


def test_weights_follow_visibility():
    codec = make(weight_visible=1.0, weight_occluded=0.5, weight_unlabelled=0.25)
    weights = codec.encode(torch.zeros(1, 2, 2), torch.tensor([[1, 0]])).weights
    assert weights.tolist() == [[0.5, 0.25]]


@pytest.mark.parametrize(
    ("decoder", "blur", "tolerance_px"),
    # arg-max is off by at most half a heatmap px (2 px); `quarter` by a quarter (1 px); Newton's step on the
    # logarithm of a Gaussian is exact up to the single precision of the map; the soft arg-max is near it.
    [("argmax", 0, 2.0), ("quarter", 0, 1.0), ("dark", 0, 0.01), ("dark", 1.0, 0.05), ("integral", 0, 0.6)],
)
def test_round_trip(decoder, blur, tolerance_px):
    codec = make(decoder=decoder, blur_sigma_heatmap_px=blur)
    generator = torch.Generator().manual_seed(0)
    joints = 16 + torch.rand(50, 2, 2, generator=generator) * torch.tensor([64.0, 32.0])
    decoded = codec.decode(codec.encode(joints, torch.full((50, 2), 2)).heatmaps)
    assert (decoded.joints - joints).abs().max() <= tolerance_px + 1e-4


def test_peak_at_the_border_stays_inside():
    codec = make(decoder="dark")
    joints = torch.tensor([[[0.0, 0.0], [95.0, 63.0]]])
    decoded = codec.decode(codec.encode(joints, torch.full((1, 2), 2)).heatmaps)
    assert torch.isfinite(decoded.joints).all()
    assert (decoded.joints - joints).abs().max() <= 2.0


def test_empty_maps_decode_to_finite_points_with_score_zero():
    decoded = make().decode(torch.zeros(1, 2, 16, 24))
    assert torch.isfinite(decoded.joints).all()
    assert decoded.scores.tolist() == [[0.0, 0.0]]


def test_flat_heatmap_has_no_offset():
    decoded = make(decoder="dark").decode(torch.full((1, 2, 16, 24), 0.3))
    assert decoded.joints.tolist() == [[[1.5, 1.5], [1.5, 1.5]]]  # px 0 -> (0 + 0.5) * 4 - 0.5


def test_corners_coincide_by_hand():
    codec = GaussianCodec(GaussianOptions(alignment="corners", decoder="argmax"), (32, 24), 2)
    joints = torch.tensor([[[0.0, 0.0], [23.0, 31.0]]])
    targets = codec.encode(joints, torch.full((1, 2), 2))
    assert targets.heatmaps[0, 0, 0, 0] == 1
    assert targets.heatmaps[0, 1, 7, 5] == 1
    torch.testing.assert_close(codec.decode(targets.heatmaps).joints, joints)
    # The middle of the crop is the middle of the heatmap: the same as with aligned edges.
    middle = codec.encode(torch.tensor([[[11.5, 15.5]] * 2]), torch.full((1, 2), 2)).joints
    torch.testing.assert_close(middle, torch.tensor([[[2.5, 3.5]] * 2]))


def test_joints_of_aligned_corners_survive_the_round_trip_and_the_flip():
    codec = GaussianCodec(GaussianOptions(alignment="corners"), (128, 96), 2)
    joints = torch.from_numpy(np.random.default_rng(0).uniform(30, [65, 97], (50, 2, 2)).astype(np.float32))
    heatmaps = codec.encode(joints, torch.full((50, 2), 2)).heatmaps
    torch.testing.assert_close(codec.decode(heatmaps).joints, joints, atol=1e-3, rtol=0)
    mirrored = torch.stack([95 - joints[..., 0], joints[..., 1]], dim=-1)[:, [1, 0]]
    of_mirrored = codec.encode(mirrored, torch.full((50, 2), 2)).heatmaps
    torch.testing.assert_close(codec.unflip(of_mirrored, (1, 0)), heatmaps)
