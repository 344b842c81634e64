import numpy as np
import pytest

from posescope.core.skeleton import COCO_PERSON
from posescope.evaluation.bootstrap import resample_images
from posescope.explainability.attributes.person_attributes import measure_poses
from posescope.explainability.traversal.attribute_effects import (
    AttributeScale,
    strongest_effects,
    tabulate_effects,
)
from posescope.explainability.traversal.perturbation import (
    Perturbation,
    measure_displacement,
    perturb_persons,
    tabulate_displacements,
)

SCALES = {"standing": AttributeScale(0.2, -9, 9), "facing": AttributeScale(0.1, -9, 9)}


@pytest.fixture
def perturb(ankle_components, decode_ankles):
    def run(sd: float = 1.0, scales=SCALES, persons: int = 40, groups=None, decode=decode_ankles) -> Perturbation:
        features = np.random.default_rng(1).normal(size=(persons, 100))
        return perturb_persons(
            ankle_components, 2, sd, features=features, groups=np.arange(persons) // 2 if groups is None else groups,
            scales=scales, directions=39, persons_each=8, decode=decode,
            measure_attributes=lambda joints: measure_poses(joints, COCO_PERSON), seed=0,
        )  # fmt: skip

    return run


def test_displacement_equals_the_hand_computed_one(perturb) -> None:
    # Twice 2 units of 2 px for two of 17 joints; along a random direction, times its coordinate 0, which is below 1.
    first, second = perturb().displacements
    assert (first.own.estimate, first.own.low, first.own.high) == pytest.approx([8 * 2 / 17] * 3, rel=1e-4)
    assert 0.5 < first.random.estimate / first.own.estimate < 1
    assert first.difference.estimate == pytest.approx(first.own.estimate - first.random.estimate, rel=0.02)
    assert (first.farther, first.direction_p_value) == (0, 1 / 40)
    assert (second.own.estimate, second.farther, second.direction_p_value) == (0.0, 39, 1.0)


def test_directions_are_compared_on_their_persons() -> None:
    """Persons 0 and 1 move by 1 px, 2 and 3 by 10 px: a direction that moves the first two by 2 px moves them farther."""
    own, rows = np.array([1.0, 1.0, 10.0, 10.0]), np.array([[0, 1], [2, 3]])
    random = np.array([[2.0, 2.0], [4.0, 6.0]])
    found = measure_displacement(1, own, random, rows, resample_images(np.arange(4), 0, 100), np.arange(4))
    assert (found.directions, found.farther) == (2, 1)
    assert found.random.estimate == 3.5
    assert found.difference.estimate == pytest.approx((-1 - 1 + 6 + 4) / 4)


def test_intervals_resample_images_not_persons(perturb, decode_ankles) -> None:
    """In one of two images all persons move, in the other none: the interval reaches from one to the other."""

    def decode(points: np.ndarray) -> np.ndarray:
        joints = decode_ankles(points).reshape(2, -1, 17, 2)
        joints[:, :5] = 50.0  # the first five persons, along the component
        return joints.reshape(-1, 17, 2)

    own = perturb(persons=10, groups=np.arange(10) // 5, decode=decode).displacements[0].own
    assert (own.low, own.estimate, own.high) == pytest.approx((0, 8 / 17, 16 / 17), rel=1e-4)


@pytest.mark.parametrize(("persons", "groups"), [(0, []), (5, [3] * 5)])
def test_persons_in_fewer_than_two_images_give_an_empty_result(perturb, ankle_components, persons, groups) -> None:
    result = perturb(persons=persons, groups=np.array(groups, dtype=np.int64))
    assert result == Perturbation(persons, 1.0)
    assert tabulate_effects(result.effects).empty
    table = tabulate_displacements(ankle_components, 2, result.displacements)
    assert table["displacement_px"].isna().all()
    assert table["directions"].tolist() == [0, 0]


def test_all_persons_are_decoded_once_per_component(perturb, decode_ankles) -> None:
    counts = []

    def decode(points: np.ndarray) -> np.ndarray:
        counts.append(len(points))
        return decode_ankles(points)

    perturb(decode=decode)
    assert counts == [2 * (40 + 39 * 8)] * 2


def test_strongest_effect_equals_the_hand_computed_one(perturb) -> None:
    effects = perturb().effects
    first, second = strongest_effects(effects)
    assert (first.component, first.attribute, second.component) == (1, "standing", 2)
    # 2 units of 2 px to each side in torsos of 30 px: 8 / 30, in standard deviations of 0.2.
    assert first.own.estimate == pytest.approx(8 / 30 / 0.2, rel=1e-4)
    assert first.high - first.low == pytest.approx(8 / 30, rel=1e-4)
    # Random directions have either sign: their size counts.
    assert 0.5 < first.random.estimate / first.own.estimate < 1
    assert (first.is_significant, second.is_significant) == (True, False)
    assert len(tabulate_effects(effects)) == 4


def test_values_are_clipped_to_the_range_of_persons(perturb) -> None:
    first, _ = strongest_effects(perturb(50.0, {"standing": AttributeScale(0.2, 0.9, 1.1)}).effects)
    assert (first.low, first.high) == pytest.approx((0.9, 1.1))
    assert first.own.estimate == pytest.approx(1.0)


def test_without_scales_there_are_displacements_only(perturb) -> None:
    result = perturb(scales={})
    assert (result.effects, len(result.displacements)) == ((), 2)
