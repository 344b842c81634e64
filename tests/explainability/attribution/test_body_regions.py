"""Regions, curves and claims of attribution, on arrays drawn by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from posescope.core.skeleton import Skeleton
from posescope.evaluation.bootstrap import draw_images
from posescope.explainability.attribution.attribution_findings import (
    claim_mistakes,
    claim_regions,
    claim_weight_randomisation,
    rank_correlations,
)
from posescope.explainability.attribution.body_regions import (
    REGIONS,
    RegionFractions,
    measure_fractions,
    move_maps,
    region_map,
    tabulate_regions,
)
from posescope.explainability.attribution.faithfulness_curves import (
    FaithfulnessCurves,
    measure_curves,
    patch_sums,
    tabulate_curves,
)

SKELETON = Skeleton(joints=("neck", "left_hand", "right_hand", "foot"), limbs=((0, 1), (0, 2), (0, 3)), oks_sigmas=(0.1,) * 4)
JOINTS = np.array([[50.0, 20.0], [80.0, 20.0], [20.0, 20.0], [50.0, 80.0]])


def regions_of(joint: int, joints: np.ndarray = JOINTS) -> np.ndarray:
    return region_map(joints, joint, SKELETON, (100, 100), joint_radius=0.1, limb_radius=0.05)


def region_at(found: np.ndarray, x: int, y: int) -> str:
    return REGIONS[found[y, x]]


def test_regions_of_a_hand() -> None:
    found = regions_of(1)
    # The person is 60 px: discs of 6 px, capsules of 3 px.
    assert [region_at(found, x, 20) for x in (80, 86, 87, 75, 60)] == ["joint", "joint", "background", "joint", "limb"]
    assert region_at(found, 60, 17) == "limb"
    assert region_at(found, 60, 16) == "background"  # outside the hull too
    assert [region_at(found, x, 20) for x in (20, 14, 40)] == ["other side"] * 3  # the right hand and its forearm
    assert region_at(found, 50, 60) == "body"
    assert region_at(found, 45, 50) == "body"  # inside the hull, on no limb
    assert region_at(found, 90, 90) == "background"


def test_a_joint_without_a_partner_has_no_other_side() -> None:
    assert not (regions_of(3) == REGIONS.index("other side")).any()


def test_a_limb_to_the_partner_ends_at_its_disc() -> None:
    linked = Skeleton(joints=("left_hip", "right_hip"), limbs=((0, 1),), oks_sigmas=(0.1, 0.1))
    found = region_map(np.array([[80.0, 20], [20, 20]]), 0, linked, (100, 100), joint_radius=0.1, limb_radius=0.05)
    assert [region_at(found, x, 20) for x in (80, 50, 26, 20)] == ["joint", "limb", "other side", "other side"]


def test_a_partner_that_is_not_labelled_has_no_region() -> None:
    joints = JOINTS.copy()
    joints[2] = np.nan
    assert not (regions_of(1, joints) == REGIONS.index("other side")).any()


def test_a_person_of_one_joint_has_a_quarter_of_the_crop() -> None:
    found = regions_of(1, np.where(np.arange(4)[:, None] == 1, JOINTS, np.nan))
    assert region_at(found, 82, 20) == "joint"  # 2.5 px
    assert region_at(found, 83, 20) == "background"
    assert set(np.unique(found)) == {0, 4}


def test_shares_by_hand() -> None:
    regions = np.array([[[[0, 0, 4, 4], [1, 4, 4, 4]]]])
    maps = np.array([[[[3.0, -3.0, 1.0, 0.0], [2.0, 0.0, -1.0, 0.0]]]])
    found = measure_fractions(maps, regions, np.array([[True]]))
    np.testing.assert_allclose(found.shares[0, 0], [0.6, 0.2, np.nan, np.nan, 0.2])
    np.testing.assert_allclose(found.areas[0, 0], [2 / 8, 1 / 8, np.nan, np.nan, 5 / 8])
    draws = draw_images(np.array([7]), 0, 100)
    assert found.density(0, 0, np.array([7]), draws).estimate == pytest.approx(0.6 / 0.25)
    assert np.isnan(found.density(0, 2, np.array([7]), draws).estimate)


def test_maps_of_nothing_and_joints_unlabelled_do_not_count() -> None:
    regions = np.zeros((2, 1, 2, 2), np.uint8)
    found = measure_fractions(np.stack([np.zeros((1, 2, 2)), np.ones((1, 2, 2))]), regions, np.array([[True], [False]]))
    assert np.isnan(found.shares).all()


def shares_like(share_on_joint: float, spread: float, count: int, seed: int) -> RegionFractions:
    rng = np.random.default_rng(seed)
    on_joint = share_on_joint + spread * rng.normal(size=(count, 3))
    shares = np.stack([on_joint, *[np.full((count, 3), 0.05)] * 3, 0.85 - on_joint], axis=-1)
    return RegionFractions(shares, np.broadcast_to([0.05, 0.05, 0.05, 0.25, 0.6], shares.shape))


def claims_of(trained: RegionFractions, random: RegionFractions, moved: RegionFractions) -> dict:
    groups = np.arange(20)
    table = tabulate_regions(
        trained, random, moved, method="occlusion", joints=("a", "b", "c"), groups=groups, random_groups=groups,
        draws=draw_images(groups, 0),
    )  # fmt: skip
    assert len(table) == 4 * 5
    return dict(zip(REGIONS, claim_regions(table, "occlusion", "maps"), strict=True))


def test_a_claim_needs_more_than_random_weights_show() -> None:
    weak = shares_like(0.2, 0.05, 20, 1)
    found = claims_of(shares_like(0.5, 0.05, 20, 0), weak, weak)
    assert found["joint"].passed
    assert found["joint"].value == pytest.approx(10, abs=0.5)
    assert found["joint"].control.value == pytest.approx(4, abs=0.5)
    assert "50% of it on 5% of the pixels" in found["joint"].claim
    assert not found["other side"].passed
    assert found["background"].passed
    assert found["background"].claim.startswith("The background counts little in the evidence")
    alike = claims_of(shares_like(0.2, 0.05, 20, 0), weak, weak)
    assert not any(finding.passed for finding in alike.values())
    assert alike["joint"].claim.startswith("The evidence for a joint is no denser than by chance on the joint itself")


def test_the_stricter_control_counts() -> None:
    strong, weak = shares_like(0.5, 0.05, 20, 0), shares_like(0.2, 0.05, 20, 1)
    found = claims_of(shares_like(0.5, 0.05, 20, 2), weak, strong)
    # Moved maps lie on the joint as they do by construction: there they are no control.
    assert found["joint"].passed
    assert not found["background"].passed
    assert "other people" in found["background"].control.what


def test_maps_are_moved_with_their_cells() -> None:
    maps = np.zeros((3, 1, 4, 5), np.float32)
    maps[0, 0, 1, 1], maps[1, 0, 2, 4], maps[2, 0, 0, 0] = 1, 2, 3
    points = np.array([[[1.0, 1]], [[4, 2]], [[0, 0]]])
    found = move_maps(maps, points, np.array([[True], [True], [False]]), np.array([0, 1, 2]))
    expected = np.zeros_like(maps)
    expected[0, 0, 1, 1], expected[1, 0, 2, 4] = 2, 1  # each has the other's, at its own cell
    np.testing.assert_array_equal(found, expected)
    assert not move_maps(maps, points, np.ones((3, 1), bool), np.zeros(3, np.int64)).any()  # all of one photograph


def test_rank_correlations() -> None:
    up = np.arange(10.0)
    found = rank_correlations(np.stack([up, up, up]), np.stack([up**3, -up, np.ones(10)]))
    np.testing.assert_allclose(found, [1.0, -1.0, np.nan])


def test_likeness_of_shuffled_maps_is_no_claim() -> None:
    rng, groups = np.random.default_rng(0), np.arange(20)
    draws = draw_images(groups, 0)
    low, high = 0.1 * rng.normal(size=(20, 3)), 0.8 + 0.1 * rng.normal(size=(20, 3))
    assert claim_weight_randomisation(low, high, groups, draws, "p").passed
    assert not claim_weight_randomisation(high, high + 0.01, groups, draws, "p").passed


def test_wrong_answers_that_look_at_the_other_side() -> None:
    groups, right = np.arange(20), np.zeros((20, 3), bool)
    right[:14] = True
    shares = shares_like(0.5, 0.05, 20, 0).shares.copy()
    shares[..., 2] = np.where(right, 0.05, 0.4) + 0.02 * np.random.default_rng(0).normal(size=right.shape)
    found = claim_mistakes(RegionFractions(shares, shares), right, groups, draw_images(groups, 0), "occlusion", "p")
    assert found.passed
    assert found.claim.startswith("Where the network is wrong, it looks at the other side: 41%")
    shares[..., 2] = 0.05
    assert not claim_mistakes(RegionFractions(shares, shares), right, groups, draw_images(groups, 0), "occlusion", "p").passed
    assert claim_mistakes(RegionFractions(shares, shares), right | True, groups, draw_images(groups, 0), "occlusion", "p") is None


def test_patch_sums_by_hand() -> None:
    found = patch_sums(np.arange(9.0).reshape(3, 3), 2)
    assert found.tolist() == [0 + 1 + 3 + 4, 2 + 5, 6 + 7, 8]


def test_curves_by_hand() -> None:
    """The answer is the sum of the pixels: 8, 4, 2, 2 of 16 in four patches."""
    image = torch.zeros(1, 3, 4, 4)
    image[0, 0, ::2, ::2] = torch.tensor([[8.0, 4.0], [2.0, 2.0]])

    def scores(images: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
        return images.sum(dim=(1, 2, 3))[:, None] + 1

    best, worst = np.array([[[8.0, 4, 2, 2]]]), np.array([[[0.0, 1, 2, 3]]])
    found = measure_curves(
        scores, image, torch.zeros(1, 1, dtype=torch.int64), {"best": best, "worst": worst}, labelled=np.array([[True]]),
        fractions=(0.25, 0.5), patch_px=2, batch_size=3,
    )  # fmt: skip
    assert found.fractions.tolist() == [0, 0.25, 0.5, 1]
    assert found.mean_curve("best", 0).tolist() == [1, 0.5, 0.25, 0]
    assert found.mean_curve("best", 1).tolist() == [0, 0.5, 0.75, 1]
    assert found.mean_curve("worst", 0).tolist() == [1, 14 / 16, 12 / 16, 0]
    table = tabulate_curves(found, np.array([0]), draw_images(np.array([0]), 0, 100), "worst").set_index(["ranking", "curve"])
    # Trapezoids: (1 + .5) / 8 + (.5 + .25) / 8 + (.25 + 0) / 4.
    assert table.loc[("best", "deletion"), "area_fraction"] == pytest.approx(0.34375)
    worst_area = (1 + 14 / 16) / 8 + (14 / 16 + 12 / 16) / 8 + 12 / 16 / 4
    assert table.loc[("best", "deletion"), "gain_over_random"] == pytest.approx(worst_area - 0.34375)


def test_joints_that_are_not_labelled_have_no_curve() -> None:
    curves = FaithfulnessCurves(
        np.array([0.0, 1.0]), {"random": np.array([[[[1.0, 0.0], [np.nan, np.nan]]]] * 2)}, np.array([[1.0, np.nan]])
    )
    area = curves.area("random", 0, np.array([0]), draw_images(np.array([0]), 0, 100))
    assert area.estimate == pytest.approx(0.5)
    assert isinstance(tabulate_curves(curves, np.array([0]), draw_images(np.array([0]), 0, 100), "random"), pd.DataFrame)
