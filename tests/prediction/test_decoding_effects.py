"""The same network, read in four ways."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posescope.codecs.gaussian import GaussianCodec, GaussianOptions
from posescope.codecs.thesis import ThesisCodec, ThesisOptions
from posescope.core.records import PoseTargets, ScoredPersons
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.bootstrap import draw_images
from posescope.prediction.crop_predictions import PredictionOptions, predict_crops
from posescope.prediction.decoding_effects import decode_argmax, decode_in_four_variants, decoding_effect_table

SIZE, JOINTS = (64, 64), 3


@pytest.fixture
def heatmaps() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).uniform(size=(6, JOINTS, 16, 16)).astype(np.float32))


@pytest.mark.parametrize("decoder", ["dark", "quarter", "argmax"])
def test_plain_decoding_is_the_arg_max_of_the_codec(heatmaps, decoder) -> None:
    codec = GaussianCodec(GaussianOptions(decoder=decoder), SIZE, JOINTS)
    plain = GaussianCodec(GaussianOptions(decoder="argmax"), SIZE, JOINTS).decode(heatmaps)
    torch.testing.assert_close(decode_argmax(codec, heatmaps), plain.joints)


def test_every_cell_is_its_own_plain_place_also_at_the_border() -> None:
    codec = GaussianCodec(GaussianOptions(decoder="dark"), SIZE, JOINTS)
    cells = torch.eye(256).view(1, 256, 16, 16)
    steps = (torch.arange(16).float() + 0.5) * 4 - 0.5
    expected = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1).view(1, 256, 2)
    torch.testing.assert_close(decode_argmax(codec, cells), expected)


def test_a_codec_that_is_plain_itself_stays_as_it_is(heatmaps) -> None:
    codec = ThesisCodec(ThesisOptions(), SIZE, JOINTS)
    torch.testing.assert_close(decode_argmax(codec, heatmaps), codec.decode(heatmaps).joints)


def scored_at(truth) -> ScoredPersons:
    count = len(truth)
    return ScoredPersons(
        person_ids=np.arange(count), image_ids=np.arange(count), predicted=truth, scores=np.ones(truth.shape[:2]), truth=truth,
        visibility=np.full(truth.shape[:2], 2, np.uint8), boxes=np.tile([0.0, 0, 64, 64], (count, 1)),
        areas=np.full(count, 400.0), crop_from_image=np.tile([[0.5, 0, 3.0], [0, 0.5, -2.0]], (count, 1, 1)),
        crop_size=SIZE, oks_sigmas=(0.1,) * JOINTS,
    )  # fmt: skip


def test_effects_are_differences_person_by_person() -> None:
    """Truth at (20, 30) of the image is at (13, 13) of the crop; ks = exp(-d^2 / 32), d in image px: twice that of the crop."""
    scored = scored_at(np.tile([20.0, 30.0], (4, JOINTS, 1)))
    at = np.full((4, JOINTS, 2), 13.0, np.float32)
    far = at + np.array([20.0, 0], np.float32)
    names = ("plain arg-max", "own decoder", "plain arg-max, flip test", "own decoder, flip test")
    readings = dict(zip(names, (far, at + np.array([2.0, 0], np.float32), far, at), strict=True))
    rows = decoding_effect_table(scored, readings, draw_images(scored.image_ids, 0, 10)).set_index("what")
    assert rows.loc["plain arg-max", ["pck_thesis", "oks"]].tolist() == pytest.approx([0.0, np.exp(-1600 / 32)])
    assert rows.loc["own decoder", ["pck_thesis", "oks"]].tolist() == pytest.approx([1.0, np.exp(-16 / 32)])
    assert rows.loc["own decoder instead of plain arg-max", "pck_thesis"] == 1.0
    assert rows.loc["flip test, with plain arg-max", "oks"] == 0.0
    assert rows.loc["flip test, with own decoder", ["oks", "oks_low", "oks_high"]].tolist() == pytest.approx(
        [1 - np.exp(-0.5)] * 3
    )
    assert rows["row"].tolist() == ["way"] * 4 + ["effect"] * 4


@pytest.mark.parametrize("flip_test", [False, True])
def test_the_own_decoder_says_what_the_prediction_says(spots, flip_test) -> None:
    """A model with a sub-pixel decoder, in batches of two, against `predict_crops` with and without the flip test."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 64, 64, 3)).astype(np.uint8)
    targets = PoseTargets(
        np.arange(5), np.full((5, 2, 2), np.nan, np.float32), np.zeros((5, 2), np.uint8), joint_names=spots.skeleton.joints
    )
    crops = CropSet(targets, (images,), np.stack([np.zeros(5, np.int64), np.arange(5)], axis=1))
    model = replace(spots, codec=GaussianCodec(GaussianOptions(stride=1, decoder="dark"), SIZE, 2))
    options = PredictionOptions(batch_size=2, device="cpu", flip_test=flip_test)
    found = decode_in_four_variants(model, crops, options)["own decoder, flip test" if flip_test else "own decoder"]
    np.testing.assert_array_equal(found, predict_crops(model, crops, options).predictions.joints)
