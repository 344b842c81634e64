import numpy as np
import pytest

from posescope.evaluation.bootstrap import resample_images
from posescope.explainability.attribution.attribution_findings import (
    ask_errors,
    ask_regions,
    ask_weight_randomisation,
    rank_correlations,
)
from posescope.explainability.attribution.body_regions import RegionFractions, tabulate_regions


def fractions_like(on_joint: float, spread: float, count: int, seed: int) -> RegionFractions:
    rng = np.random.default_rng(seed)
    joint = on_joint + spread * rng.normal(size=(count, 3))
    fractions = np.stack([joint, *[np.full((count, 3), 0.05)] * 3, 0.85 - joint], axis=-1)
    return RegionFractions(fractions, np.broadcast_to([0.05, 0.05, 0.05, 0.25, 0.6], fractions.shape), np.arange(count))


def region_findings(trained: RegionFractions, random: RegionFractions, moved: RegionFractions) -> dict:
    table = tabulate_regions(
        trained, random, moved, method="occlusion", joints=("a", "b", "c"),
        draws=resample_images(np.arange(20), 0),
    )  # fmt: skip
    assert len(table) == 4 * 5
    return {finding.id.removeprefix("attribution-"): finding for finding in ask_regions(table, "occlusion")}


def test_region_finding_must_exceed_random_weights() -> None:
    weak = fractions_like(0.2, 0.05, 20, 1)
    found = region_findings(fractions_like(0.5, 0.05, 20, 0), weak, weak)
    assert found["joint"].is_supported
    assert found["joint"].effect == pytest.approx(10, abs=0.5)
    assert found["joint"].control.value == pytest.approx(4, abs=0.5)
    assert not found["other-side"].is_supported
    assert found["background"].is_supported
    alike = region_findings(fractions_like(0.2, 0.05, 20, 0), weak, weak)
    assert set(alike) == {"joint", "other-side", "background"}
    assert not any(finding.is_supported for finding in alike.values())


def test_stricter_control_is_used() -> None:
    strong, weak = fractions_like(0.5, 0.05, 20, 0), fractions_like(0.2, 0.05, 20, 1)
    found = region_findings(fractions_like(0.5, 0.05, 20, 2), weak, strong)
    # Shifted maps are on the joint by construction, so they are no control there.
    assert found["joint"].is_supported
    assert not found["background"].is_supported
    assert "other persons" in found["background"].control.what


def test_rank_correlations_equal_the_hand_computed_ones() -> None:
    up = np.arange(10.0)
    found = rank_correlations(np.stack([up, up, up]), np.stack([up**3, -up, np.ones(10)]))
    np.testing.assert_allclose(found, [1.0, -1.0, np.nan])


def test_weight_randomisation_needs_a_lower_correlation() -> None:
    rng, groups = np.random.default_rng(0), np.arange(20)
    draws = resample_images(groups, 0)
    low, high = 0.1 * rng.normal(size=(20, 3)), 0.8 + 0.1 * rng.normal(size=(20, 3))
    assert ask_weight_randomisation(low, high, groups, draws).is_supported
    as_high = 0.8 + 0.1 * rng.normal(size=(20, 3))
    assert not ask_weight_randomisation(high, as_high, groups, draws).is_supported


def test_wrong_predictions_with_attribution_on_the_other_side() -> None:
    groups, correct = np.arange(20), np.zeros((20, 3), bool)
    correct[:14] = True
    fractions = fractions_like(0.5, 0.05, 20, 0).fractions.copy()
    fractions[..., 2] = np.where(correct, 0.05, 0.4) + 0.02 * np.random.default_rng(0).normal(size=correct.shape)

    def claim(correct: np.ndarray):
        return ask_errors(RegionFractions(fractions, fractions, groups), correct, resample_images(groups, 0), "occlusion")

    found = claim(correct)
    assert found.is_supported
    assert found.effect == pytest.approx(0.4, abs=0.02)
    fractions[..., 2] = 0.05
    assert not claim(correct).is_supported
    assert claim(correct | True) is None
