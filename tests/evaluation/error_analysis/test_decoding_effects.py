"""Tests of posescope.evaluation.error_analysis.decoding_effects."""

import numpy as np
import pytest

from posescope.core.skeleton import Skeleton
from posescope.evaluation.bootstrap import resample_images
from posescope.evaluation.error_analysis.decoding_effects import decoding_effect_table
from posescope.evaluation.scored_persons import ScoredPersons
from posescope.geometry.affine import apply_affine

SIZE, JOINTS = (64, 64), 3
CROP_FROM_IMAGE = np.array([[0.5, 0, 3.0], [0, 0.5, -2.0]])


def scored_at(truth) -> ScoredPersons:
    count = len(truth)
    return ScoredPersons(
        person_ids=np.arange(count),
        image_ids=np.arange(count),
        predicted=truth,
        predicted_crop=truth,
        scores=np.ones(truth.shape[:2]),
        truth=truth,
        truth_crop=apply_affine(CROP_FROM_IMAGE, truth),
        visibility=np.full(truth.shape[:2], 2, np.uint8),
        boxes=np.tile([0.0, 0, 64, 64], (count, 1)),
        areas=np.full(count, 400.0),
        crop_from_image=np.tile(CROP_FROM_IMAGE, (count, 1, 1)),
        crop_size=SIZE,
        skeleton=Skeleton(("nose", "left_hand", "right_hand"), (), (0.1,) * JOINTS),
    )


def test_effects_are_paired_differences() -> None:
    """(20, 30) of the image is (13, 13) of the crop; ks = exp(-d^2 / 32) with d in image px, twice that of the crop."""
    scored = scored_at(np.tile([20.0, 30.0], (4, JOINTS, 1)))
    at = np.full((4, JOINTS, 2), 13.0, np.float32)
    far = at + np.array([20.0, 0], np.float32)
    names = ("arg-max", "codec decoder", "arg-max, flip test", "codec decoder, flip test")
    decoded = dict(zip(names, (far, at + np.array([2.0, 0], np.float32), far, at), strict=True))
    rows = decoding_effect_table(scored, decoded, resample_images(scored.image_ids, 0, 10)).set_index("variant")
    assert rows.loc["arg-max", ["pck_thesis", "oks"]].tolist() == pytest.approx([0.0, np.exp(-1600 / 32)])
    assert rows.loc["codec decoder", ["pck_thesis", "oks"]].tolist() == pytest.approx([1.0, np.exp(-16 / 32)])
    assert rows.loc["codec decoder instead of arg-max", "pck_thesis"] == 1.0
    assert rows.loc["flip test, with arg-max", "oks"] == 0.0
    assert rows.loc["flip test, with codec decoder", ["oks", "oks_low", "oks_high"]].tolist() == pytest.approx(
        [1 - np.exp(-0.5)] * 3
    )
    assert rows["kind"].tolist() == ["variant"] * 4 + ["effect"] * 4
