"""Walks against chance, on a decoder whose answer to every direction is known."""

import json

import numpy as np
import pandas as pd
import pytest

from posescope.core.skeleton import COCO_PERSON
from posescope.explainability.attributes.person_attributes import measure_poses
from posescope.explainability.components.pca import Components
from posescope.explainability.features.activation_patching import describe_patching_obstacle
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.traversal.latent_traversal import LatentTraversal, LatentTraversalOptions
from posescope.explainability.traversal.neighbour_distances import (
    NeighbourDistances,
    fractions_beyond,
    measure_neighbour_distances,
)
from posescope.explainability.traversal.perturbation import (
    AttributeScale,
    Perturbation,
    claim_attribute_effect,
    measure_scale,
    perturb_persons,
    strongest_effects,
    tabulate_effects,
)
from posescope.explainability.traversal.random_directions import EndSteps, compare_ends, end_steps, ends_with_data_covariance
from posescope.explainability.traversal.traversal_findings import (
    claim_data_proximity,
    claim_displacement,
    claim_nearest_person_match,
)
from posescope.explainability.traversal.traversal_plots import plot_traversals

WIDTH = 100
COMPONENTS = Components(mean=np.zeros(WIDTH), axes=np.eye(2, WIDTH), variances=np.array([4.0, 1.0]), layer="t", shape=(WIDTH,))
UPRIGHT = {
    "nose": (50, 10), "left_shoulder": (55, 20), "right_shoulder": (45, 20), "left_hip": (53, 50), "right_hip": (47, 50),
    "left_knee": (53, 70), "right_knee": (47, 70), "left_ankle": (53, 80), "right_ankle": (47, 80),
}  # fmt: skip


def decode(points: np.ndarray) -> np.ndarray:
    """Coordinate 0 lets the ankles down, 2 px a unit; nothing else moves anything."""
    joints = np.full((len(points), len(COCO_PERSON), 2), 50.0, np.float32)
    for name, place in UPRIGHT.items():
        joints[:, COCO_PERSON.index(name)] = place
    for side in ("left", "right"):
        joints[:, COCO_PERSON.index(f"{side}_ankle"), 1] += 2 * points[:, 0]
    return joints


SYMMETRIC = EndSteps(-3, 3)


def compare(component: int, ends: EndSteps = SYMMETRIC, directions: int = 50):
    return compare_ends(COMPONENTS, component, ends, directions, seed=0, decode=decode, origin=decode(np.zeros((1, WIDTH)))[0])


def test_random_directions_are_as_long_as_the_walk() -> None:
    walk = compare(0, EndSteps(-3, 1), directions=4)
    np.testing.assert_allclose(np.linalg.norm(walk.points, axis=-1), [[6, 2]] * 5)
    np.testing.assert_allclose(walk.points[0, :, 0], [-6, 2])


def test_the_component_that_moves_the_skeleton_is_told_from_any_push() -> None:
    walk = compare(0)
    # 3 sd of 2 units are 12 px on two of 17 joints.
    assert walk.displacement_px[0] == pytest.approx(12 * 2 / 17, rel=1e-4)
    # A unit vector of 100 dimensions has 0.08 = sqrt(2 / pi) / 10 along coordinate 0, on average.
    assert walk.displacement_px[1:].mean() == pytest.approx(0.0798 * walk.displacement_px[0], rel=0.3)
    assert compare(1).displacement_px[0] == 0


SCALES = {"standing": AttributeScale(0.2, -9, 9), "facing": AttributeScale(0.1, -9, 9)}


def push(
    perturbation_sd: float = 1.0, scales: dict[str, AttributeScale] = SCALES, people: int = 40, groups=None, decode=decode
) -> Perturbation:
    features = np.random.default_rng(1).normal(size=(people, WIDTH))
    return perturb_persons(
        COMPONENTS, 2, perturbation_sd, features=features, groups=np.arange(people) // 2 if groups is None else groups,
        scales=scales, decode=decode, poses_of=lambda joints: measure_poses(joints, COCO_PERSON), seed=0,
    )  # fmt: skip


def test_how_far_people_are_moved_by_hand() -> None:
    """Twice 2 units of 2 px on two of 17 joints, everybody alike; along u, as much of that as u points along coordinate 0."""
    pushed = push()
    moved = pushed.displacements[0]
    assert (moved.own.estimate, moved.own.low, moved.own.high) == pytest.approx([8 * 2 / 17] * 3, rel=1e-4)
    drawn = np.random.default_rng(0).normal(size=(40, WIDTH))
    along = np.abs(drawn[:, 0]) / np.linalg.norm(drawn, axis=1)
    assert moved.random.estimate == pytest.approx(8 * 2 / 17 * along.mean(), rel=1e-3)
    assert moved.random.low < moved.random.estimate < moved.random.high
    found = claim_displacement(moved, pushed, "traversal_pc1")
    assert (found.passed, found.value, found.low, found.high) == (True, moved.own.estimate, moved.own.low, moved.own.high)
    assert (found.control.value, found.control.high) == (moved.random.estimate, moved.random.high)
    assert found.claim.startswith(
        "Component 1 moves the skeleton: pushed from -1 to +1 sd along it, 40 people's decoded skeletons move 0.94 px a joint "
        "[0.94, 0.94]; along random directions of the same length 0.0"
    )


def test_a_component_that_moves_nothing_is_no_claim() -> None:
    pushed = push()
    found = claim_displacement(pushed.displacements[1], pushed, "traversal_pc2")
    assert (found.passed, found.value) == (False, 0.0)
    assert found.claim.startswith(
        "Component 2 does not surely move the skeleton more than any push does: pushed from -1 to +1 sd"
    )


@pytest.mark.parametrize("seed", range(5))
def test_where_skeletons_are_shuffled_nothing_moves_them_for_sure(seed) -> None:
    """Large movements that have nothing to do with the component: everybody's ends are somebody's."""
    rng = np.random.default_rng(seed)
    pushed = push(decode=lambda points: decode(points)[rng.permutation(len(points))])
    assert pushed.displacements[0].own.estimate > 0.2
    assert not any(moved.is_sure for moved in pushed.displacements)


def test_photographs_not_persons_are_drawn() -> None:
    """Ten people of two photographs: in one nobody moves, in the other everybody; the interval reaches from one to the other."""

    def only_some(points: np.ndarray) -> np.ndarray:
        joints = decode(points)
        joints[np.arange(len(joints)) % 10 < 5] = 50.0
        return joints

    moved = push(people=10, groups=np.arange(10) // 5, decode=only_some).displacements[0].own
    assert (moved.low, moved.estimate, moved.high) == pytest.approx((0, 8 / 17, 16 / 17), rel=1e-4)


@pytest.mark.parametrize(("people", "groups"), [(0, []), (5, [3] * 5)])
def test_nobody_or_one_photograph_gives_no_claim(people, groups) -> None:
    pushed = push(people=people, groups=np.array(groups, dtype=np.int64))
    assert pushed == Perturbation(people, 1.0)
    assert tabulate_effects(pushed.gains).empty


def test_everybody_is_decoded_once_a_component() -> None:
    asked = []

    def counted(points: np.ndarray) -> np.ndarray:
        asked.append(len(points))
        return decode(points)

    push(decode=counted)
    assert asked == [4 * 40, 4 * 40]


def test_what_the_component_does_to_people_is_named() -> None:
    first, second = strongest_effects(push().gains)
    assert (first.component, first.attribute, second.component) == (1, "standing", 2)
    # 2 units of 2 px to each side in torsos of 30 px: 8 / 30, in spreads of 0.2, for each person alike.
    assert first.gain.estimate == pytest.approx(8 / 30 / 0.2, rel=1e-4)
    assert first.high - first.low == pytest.approx(8 / 30, rel=1e-4)
    assert abs(first.random.estimate) < 0.1
    found = claim_attribute_effect(first, 40, 1.0, "traversal_pc1")
    assert found.passed
    assert found.claim.startswith(
        "Component 1 turns people from sitting or lying to standing: pushed from -1 to +1 sd along it, 40 people's decoded"
    )
    assert not second.is_sure
    assert "Component 2 does not surely change the pose" in claim_attribute_effect(second, 40, 1.0, "traversal_pc2").claim
    assert len(tabulate_effects(push().gains)) == 4


def test_values_are_cut_to_what_people_have() -> None:
    # Nobody stands above 1.1: what a push makes of it beyond counts as 1.1.
    first, _ = strongest_effects(push(50.0, {"standing": AttributeScale(0.2, 0.9, 1.1)}).gains)
    assert (first.low, first.high) == pytest.approx((0.9, 1.1))
    assert first.gain.estimate == pytest.approx(1.0)


def test_scale_by_hand() -> None:
    poses = pd.DataFrame({"standing": np.arange(101.0), "facing": [1.0] * 9 + [np.nan] * 92, "reach": 3.0})
    assert measure_scale(poses) == {"standing": AttributeScale(34.0, 2.0, 98.0)}
    without = push(scales={})
    assert (without.gains, without.displacements) == ((), push().displacements)


def test_ends() -> None:
    assert end_steps(np.array([1.0, 2.0])) == EndSteps(0, 2)
    assert not end_steps(np.array([0.0]))
    assert str(EndSteps(-3, 3)) == "±3 sd"
    assert str(EndSteps(-1, 2)) == "-1 and +2 sd"


def test_spacing_by_hand() -> None:
    # 0 and 1 share a photograph: their neighbours are 3 (3 and 2 away); 3's is 1; 10's is 3.
    values = np.array([[0.0], [1], [3], [10]], np.float32) + 500
    groups = np.array([7, 7, 8, 9])
    features = FeatureSet(np.arange(4), values, "t", (1,))
    found = measure_neighbour_distances(features, groups, np.arange(4))
    np.testing.assert_allclose(found.distances, [3, 2, 2, 7])
    assert found.quantiles(np.array([1.0, 2.5, 8.0])).tolist() == [0.0, 0.5, 1.0]
    alone = measure_neighbour_distances(features, np.zeros(4, np.int64), np.arange(4))
    assert len(alone.distances) == 0
    assert np.isnan(alone.quantiles(np.array([1.0]))).all()


def test_share_beyond_by_hand() -> None:
    components = Components(np.zeros(2), np.eye(2), np.array([4.0, 1.0]), "t", (2,))
    values = np.array([[-4, 0], [-2.1, 1.5], [0, 0], [5, -3]], np.float32)
    found = fractions_beyond(components, FeatureSet(np.arange(4), values, "t", (2,)), 2, np.array([-1.0, 0.0, 1.0]))
    np.testing.assert_array_equal(found, [[0.5, np.nan, 0.25], [0.25, np.nan, 0.25]])


def test_walks_that_leave_the_data_are_told() -> None:
    spacing = NeighbourDistances(np.linspace(1, 2, 50), np.arange(50))
    near, far = np.full((2, 1, 2), 1.1), np.full((2, 5, 2), 1.9)
    among = claim_data_proximity(EndSteps(-1, 1), np.concatenate([near, far], axis=1), 1, spacing, 0, "s")
    assert among.passed
    assert among.value == pytest.approx(5 / 50)
    assert "stay among people: 0 of their 4 ends lie farther" in among.claim
    assert not claim_data_proximity(EndSteps(-1, 1), np.concatenate([near, far], axis=1), 3, spacing, 0, "s").passed
    left = claim_data_proximity(EndSteps(-9, 9), np.concatenate([far * 2, far * 2], axis=1), 0, spacing, 0, "s")
    assert not left.passed
    assert "leave the data" in left.claim


def test_one_end_that_has_left_is_not_hidden_by_the_others() -> None:
    spacing = NeighbourDistances(np.linspace(1, 2, 50), np.arange(50))
    distances = np.concatenate([np.full((2, 1, 2), 1.1), np.full((2, 5, 2), 1.9)], axis=1)
    distances[1, 0, 0] = 5.0
    found = claim_data_proximity(EndSteps(-3, 2), distances, 0, spacing, 0, "s")
    assert not found.passed
    assert "leave the data: 1 of their 4 ends (component 2 at -3 sd) lie farther" in found.claim
    alike = claim_data_proximity(EndSteps(-3, 2), np.full((2, 6, 2), 1.5), 0, spacing, 0, "s")
    assert not alike.passed
    assert "no nearer to people than any direction of the data" in alike.claim


def test_directions_of_the_data_stay_where_the_data_is() -> None:
    found = ends_with_data_covariance(COMPONENTS, 0, EndSteps(-3, 1), 4000, seed=0)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), np.tile([6.0, 2.0], (4000, 1)))
    assert np.abs(found[..., 2:]).max() == 0
    # Standard deviations of 2 and 1: the angle's cosine exceeds its sine for 2 of 3 (atan 2 = 63 degrees of 90).
    first = (np.abs(found[:, 1, 0]) > np.abs(found[:, 1, 1])).mean()
    assert first == pytest.approx(np.arctan(2) / (np.pi / 2), abs=0.03)


def test_agreement_needs_the_right_pairs() -> None:
    rng = np.random.default_rng(0)
    decoded = rng.uniform(0, 90, (12, 5, 2)).astype(np.float32)
    groups = np.arange(12)
    assert claim_nearest_person_match(decoded, decoded + 1, groups, "p", 0).passed
    shuffled = claim_nearest_person_match(decoded, decoded[rng.permutation(12)], groups, "p", 0)
    assert not shuffled.passed
    assert "do not surely mean what they look like" in shuffled.claim
    assert claim_nearest_person_match(decoded[:1], decoded[:1], groups[:1], "p", 0) is None


def test_findings_of_a_walk(inputs_of, shifting_crops) -> None:
    steps = (-3, -1.5, -1, -0.5, 0.5, 1, 1.5, 3)
    found = LatentTraversal(LatentTraversalOptions(components=1, steps=steps, random_directions=8))(inputs_of(shifting_crops))
    agreement, closeness, movement = found.findings  # two dots have no pose attributes
    assert agreement.passed
    # Half of the other steps' persons are on the other side, 20 px away in one joint of two: 4 of 7 are 10 px farther.
    assert agreement.value == pytest.approx(10 * 4 / 7)
    # One sd are 11.8 of 41 even steps: 23 people stand so near the middle that red changes sides, by 20 px in one joint of two.
    assert movement.passed
    assert movement.value == pytest.approx(10 * 23 / 41)
    assert closeness.control.value == 1.0
    assert found.tables["latent_traversal"]["fraction_beyond"].iloc[0] == 0.0
    row = found.tables["traversal_components"].iloc[0]
    assert row["displacement_px"] == 5.0  # from the mean to one side by 20 px, to the other by none, of one joint of two
    assert (row["perturbed_displacement_px"], row["perturbed_displacement_low_px"]) == (movement.value, movement.low)
    assert (row["random_perturbed_displacement_px"], row["random_perturbed_displacement_high_px"]) == (
        movement.control.value,
        movement.control.high,
    )
    # Persons are evenly spaced: inside, somebody is nearer than they are to each other; at 3 sd the nearest is far away.
    assert found.tables["latent_traversal"]["distance_quantile"].iloc[[0, 3, 7]].tolist() == pytest.approx([1.0, 0.0, 1.0])


def test_noise_makes_no_claim(inputs_of, noise_crops) -> None:
    found = LatentTraversal(LatentTraversalOptions(components=3, random_directions=40))(inputs_of(noise_crops))
    displacements = [finding for finding in found.findings if "the skeleton" in finding.claim]
    assert displacements
    assert not any(finding.passed for finding in displacements)


def test_people_of_one_photograph_make_no_claim_of_movement(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops, image_groups=np.zeros(len(shifting_crops), dtype=np.int64))
    found = LatentTraversal(LatentTraversalOptions(components=1, random_directions=2))(inputs)
    assert not any("the skeleton" in finding.claim for finding in found.findings)
    assert np.isnan(found.tables["traversal_components"]["perturbed_displacement_px"]).all()


def test_pooled_features_are_not_decoded(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops)
    assert describe_patching_obstacle(inputs.model, inputs.features) == ""
    pooled = FeatureSet(inputs.features.person_ids, inputs.features.values[:, ::4], "bottleneck", (3, 1, 1))
    object.__setattr__(inputs, "features", pooled)
    found = LatentTraversal(LatentTraversalOptions())(inputs)
    assert not found.findings
    assert "pooled: (3, 1, 1) a person, where 'bottleneck' carries (3, 2, 2)" in found.note


def test_slider_has_a_position_a_step_and_is_light(inputs_of, shifting_crops) -> None:
    found = LatentTraversal(LatentTraversalOptions(components=2, steps=(-1, 0, 1), random_directions=4))(
        inputs_of(shifting_crops)
    )
    figure = found.plots["traversal_slider"]
    (slider,) = figure.layout.sliders
    assert [step.label for step in slider.steps] == ["-1", "mean", "+1"]
    assert slider.active == 1
    top = figure.layout.yaxis.range
    assert top[0] > top[1]  # y points down
    assert len(figure.layout.updatemenus[0].buttons) == len(found.tables["traversal_components"])
    assert len(json.dumps(figure.to_plotly_json(), default=list)) < 100_000


def test_slider_draws_limbs_as_lines_with_gaps(inputs_of, shifting_crops) -> None:
    table = LatentTraversal(LatentTraversalOptions(components=1, steps=(0.0, 1.0), random_directions=2))(
        inputs_of(shifting_crops)
    ).tables["latent_traversal"]
    joints = decode(np.array([[0.0] * WIDTH, [5.0] * WIDTH]))
    figure = plot_traversals(table, joints, joints, joints[0], COCO_PERSON, (96, 96), ["one"])
    left = next(trace for trace in figure.data if trace.name == "left")
    assert list(left.x[:3]) == [53, 53, None]  # left ankle, left knee
    assert list(left.y[:3]) == [80, 70, None]
    assert len(left.x) == 3 * 8
    moved = figure.layout.sliders[0].steps[1].args[0]["y"][1]
    assert list(moved[:3]) == [90, 70, None]
