import numpy as np
import pandas as pd
import pytest

from posescope.core.skeleton import COCO_PERSON
from posescope.explainability.attributes.person_attributes import measure_poses
from posescope.explainability.traversal.perturbation import (
    AttributeScale,
    Perturbation,
    measure_scale,
    perturb_persons,
    strongest_effects,
    tabulate_effects,
)

SCALES = {"standing": AttributeScale(0.2, -9, 9), "facing": AttributeScale(0.1, -9, 9)}


@pytest.fixture
def perturb(ankle_components, decode_ankles):
    def run(sd: float = 1.0, scales=SCALES, persons: int = 40, groups=None, decode=decode_ankles) -> Perturbation:
        features = np.random.default_rng(1).normal(size=(persons, 100))
        return perturb_persons(
            ankle_components, 2, sd, features=features, groups=np.arange(persons) // 2 if groups is None else groups,
            scales=scales, decode=decode, measure_attributes=lambda joints: measure_poses(joints, COCO_PERSON), seed=0,
        )  # fmt: skip

    return run


def test_displacement_equals_the_hand_computed_one(perturb) -> None:
    # Twice 2 units of 2 px for two of 17 joints; along a random direction, times its coordinate 0.
    first, second = perturb().displacements
    assert (first.own.estimate, first.own.low, first.own.high) == pytest.approx([8 * 2 / 17] * 3, rel=1e-4)
    drawn = np.random.default_rng(0).normal(size=(40, 100))
    along = np.abs(drawn[:, 0]) / np.linalg.norm(drawn, axis=1)
    assert first.random.estimate == pytest.approx(8 * 2 / 17 * along.mean(), rel=1e-3)
    assert first.random.low < first.random.estimate < first.random.high
    assert first.is_significant
    assert (second.own.estimate, second.is_significant) == (0.0, False)


@pytest.mark.parametrize("seed", range(5))
def test_displacement_of_shuffled_joints_is_not_significant(perturb, decode_ankles, seed) -> None:
    rng = np.random.default_rng(seed)
    result = perturb(decode=lambda points: decode_ankles(points)[rng.permutation(len(points))])
    assert result.displacements[0].own.estimate > 0.2
    assert not any(displacement.is_significant for displacement in result.displacements)


def test_intervals_resample_images_not_persons(perturb, decode_ankles) -> None:
    """In one of two images all persons move, in the other none: the interval reaches from one to the other."""

    def decode(points: np.ndarray) -> np.ndarray:
        joints = decode_ankles(points)
        joints[np.arange(len(joints)) % 10 < 5] = 50.0
        return joints

    own = perturb(persons=10, groups=np.arange(10) // 5, decode=decode).displacements[0].own
    assert (own.low, own.estimate, own.high) == pytest.approx((0, 8 / 17, 16 / 17), rel=1e-4)


@pytest.mark.parametrize(("persons", "groups"), [(0, []), (5, [3] * 5)])
def test_persons_in_fewer_than_two_images_give_an_empty_result(perturb, persons, groups) -> None:
    result = perturb(persons=persons, groups=np.array(groups, dtype=np.int64))
    assert result == Perturbation(persons, 1.0)
    assert tabulate_effects(result.effects).empty


def test_all_persons_are_decoded_once_per_component(perturb, decode_ankles) -> None:
    counts = []

    def decode(points: np.ndarray) -> np.ndarray:
        counts.append(len(points))
        return decode_ankles(points)

    perturb(decode=decode)
    assert counts == [4 * 40, 4 * 40]


def test_strongest_effect_equals_the_hand_computed_one(perturb) -> None:
    effects = perturb().effects
    first, second = strongest_effects(effects)
    assert (first.component, first.attribute, second.component) == (1, "standing", 2)
    # 2 units of 2 px to each side in torsos of 30 px: 8 / 30, in standard deviations of 0.2.
    assert first.own.estimate == pytest.approx(8 / 30 / 0.2, rel=1e-4)
    assert first.high - first.low == pytest.approx(8 / 30, rel=1e-4)
    assert abs(first.random.estimate) < 0.1
    assert (first.is_significant, second.is_significant) == (True, False)
    assert len(tabulate_effects(effects)) == 4


def test_values_are_clipped_to_the_range_of_persons(perturb) -> None:
    first, _ = strongest_effects(perturb(50.0, {"standing": AttributeScale(0.2, 0.9, 1.1)}).effects)
    assert (first.low, first.high) == pytest.approx((0.9, 1.1))
    assert first.own.estimate == pytest.approx(1.0)


def test_scale_equals_the_hand_computed_one() -> None:
    poses = pd.DataFrame({"standing": np.arange(101.0), "facing": [1.0] * 9 + [np.nan] * 92, "reach": 3.0})
    assert measure_scale(poses) == {"standing": AttributeScale(34.0, 2.0, 98.0)}


def test_without_scales_there_are_displacements_only(perturb) -> None:
    result = perturb(scales={})
    assert (result.effects, result.displacements) == ((), perturb().displacements)
