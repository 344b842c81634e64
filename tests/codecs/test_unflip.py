"""Test-time flipping with all codecs: encode flipped joints, unflip, average, decode."""

import pytest
import torch

from posescope.codecs.base import Codec
from posescope.codecs.gaussian import GaussianCodec, GaussianOptions
from posescope.codecs.thesis import Thesis256Codec, ThesisCodec, ThesisOptions
from posescope.geometry.flips import flip_heatmaps

SIDE = 256
FLIP_INDICES = (1, 0)


def errors_x(codec: Codec, xs: torch.Tensor, average: bool) -> torch.Tensor:
    """Return (N,) px, decoded minus true x of joint 0, of perfect flipped heatmaps, alone or averaged with the plain ones."""
    joints = torch.stack([torch.stack([xs, torch.full_like(xs, 100.0)], -1), torch.full((len(xs), 2), 60.0)], dim=1)
    visibility = torch.full((len(xs), 2), 2)
    plain = codec.encode(joints, visibility).heatmaps
    flipped = torch.stack([SIDE - 1 - joints[..., 0], joints[..., 1]], dim=-1)[:, FLIP_INDICES]
    mirrored = codec.encode(flipped, visibility).heatmaps
    maps = codec.unflip(mirrored, FLIP_INDICES)
    assert maps.shape == plain.shape
    decoded = codec.decode((plain + maps) / 2 if average else maps).joints
    return decoded[:, 0, 0] - xs


INSIDE = torch.arange(16.0, 240.0, 1.0)


@pytest.mark.parametrize(
    ("codec", "mirrored_bias", "average_bias_max"),
    [
        # The thesis's codec: (W - 1 - x) / 4 flips to w - 0.25 - c; w - c is a quarter of a heatmap px, 1 px, too far.
        (ThesisCodec(ThesisOptions(), (SIDE, SIDE), 2), 1.0, 0.5),
        (Thesis256Codec(ThesisOptions(), (SIDE, SIDE), 2), 0.0, 1e-6),
        (GaussianCodec(GaussianOptions(decoder="dark"), (SIDE, SIDE), 2), 0.0, 0.02),
        (GaussianCodec(GaussianOptions(decoder="quarter"), (SIDE, SIDE), 2), 0.0, 1e-6),
    ],
    ids=["thesis", "thesis_256", "gaussian-dark", "gaussian-quarter"],
)
def test_flip_test_does_not_shift_joints(codec: Codec, mirrored_bias: float, average_bias_max: float) -> None:
    assert errors_x(codec, INSIDE, average=False).mean().item() == pytest.approx(mirrored_bias, abs=0.02)
    assert abs(errors_x(codec, INSIDE, average=True).mean().item()) <= average_bias_max


def test_flip_test_does_not_increase_the_error_of_the_thesis_codec() -> None:
    # Half a heatmap px (4 px) by rounding, and at the right edge x = 255 is clipped to px 63, which is crop px 252.
    codec = ThesisCodec(ThesisOptions(), (SIDE, SIDE), 2)
    found = errors_x(codec, torch.arange(0.0, 256.0), average=True)
    assert found.abs().max() <= 3.0
    assert found[4:252].abs().max() <= 2.0


def test_edges_of_the_thesis_codec_by_hand() -> None:
    codec = ThesisCodec(ThesisOptions(), (16, 16), 2)
    maps = torch.zeros(1, 2, 4, 4)
    maps[0, 0, 1] = torch.tensor([5.0, 1.0, 2.0, 3.0])
    found = codec.unflip(maps, FLIP_INDICES)
    # Flipped: 3 2 1 5; shifted: . 3 2 1 and the 5 beyond the edge. The gap repeats the 3; 1 and 5 share the last px.
    assert found[0, 1, 1].tolist() == [3, 3, 2, 5]
    assert found[0, 0].abs().max() == 0
    assert found.sum() == 13


@pytest.mark.parametrize("stride", [1, 2])
def test_small_strides_are_not_shifted(stride: int) -> None:
    maps = torch.rand(2, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    codec = ThesisCodec(ThesisOptions(stride=stride), (8 * stride, 8 * stride), 2)
    assert torch.equal(codec.unflip(maps, FLIP_INDICES), flip_heatmaps(maps, FLIP_INDICES))


def test_no_persons() -> None:
    codec = ThesisCodec(ThesisOptions(), (16, 16), 2)
    assert codec.unflip(torch.zeros(0, 2, 4, 4), FLIP_INDICES).shape == (0, 2, 4, 4)
