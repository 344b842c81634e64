"""Tests of posescope.prediction.decoding_variants."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posescope.codecs.gaussian import GaussianCodec, GaussianOptions
from posescope.codecs.thesis import ThesisCodec, ThesisOptions
from posescope.core.records import PoseTargets
from posescope.data.crops.crop_set import CropSet
from posescope.prediction.crop_predictions import predict_crops
from posescope.prediction.decoding_variants import decode_argmax, decode_in_four_variants
from posescope.prediction.options import PredictionOptions

SIZE, JOINTS = (64, 64), 3


@pytest.fixture
def heatmaps() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).uniform(size=(6, JOINTS, 16, 16)).astype(np.float32))


@pytest.mark.parametrize("decoder", ["dark", "quarter", "argmax", "integral"])
def test_arg_max_decoding_equals_the_arg_max_decoder_of_the_codec(heatmaps, decoder) -> None:
    codec = GaussianCodec(GaussianOptions(decoder=decoder, temperature=1.0), SIZE, JOINTS)
    plain = GaussianCodec(GaussianOptions(decoder="argmax"), SIZE, JOINTS).decode(heatmaps)
    torch.testing.assert_close(decode_argmax(codec, heatmaps), plain.joints)


def test_arg_max_decoding_returns_every_heatmap_px() -> None:
    codec = GaussianCodec(GaussianOptions(decoder="dark"), SIZE, JOINTS)
    one_hot = torch.eye(256).view(1, 256, 16, 16)
    steps = (torch.arange(16).float() + 0.5) * 4 - 0.5
    expected = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1).view(1, 256, 2)
    torch.testing.assert_close(decode_argmax(codec, one_hot), expected)


def test_arg_max_decoding_equals_a_codec_that_decodes_by_arg_max(heatmaps) -> None:
    codec = ThesisCodec(ThesisOptions(), SIZE, JOINTS)
    torch.testing.assert_close(decode_argmax(codec, heatmaps), codec.decode(heatmaps).joints)


@pytest.mark.parametrize("flip_test", [False, True])
def test_codec_decoder_variants_equal_the_predictions(spots, flip_test) -> None:
    """Compare a model with a sub-pixel decoder, in batches of two, with `predict_crops` with and without flip test."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 64, 64, 3)).astype(np.uint8)
    targets = PoseTargets(
        np.arange(5), np.full((5, 2, 2), np.nan, np.float32), np.zeros((5, 2), np.uint8), joint_names=spots.skeleton.joints
    )
    crops = CropSet(targets, (images,), np.stack([np.zeros(5, np.int64), np.arange(5)], axis=1))
    model = replace(spots, codec=GaussianCodec(GaussianOptions(stride=1, decoder="dark"), SIZE, 2))
    options = PredictionOptions(batch_size=2, device="cpu", flip_test=flip_test)
    found = decode_in_four_variants(model, crops, options)["codec decoder, flip test" if flip_test else "codec decoder"]
    np.testing.assert_array_equal(found, predict_crops(model, crops, options).predictions.joints)
