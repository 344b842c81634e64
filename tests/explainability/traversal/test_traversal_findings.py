import numpy as np
import pytest

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.traversal.neighbour_distances import NeighbourDistances
from posescope.explainability.traversal.perturbation import AttributeEffect, Displacement, Perturbation
from posescope.explainability.traversal.random_directions import EndSteps
from posescope.explainability.traversal.traversal_findings import (
    claim_attribute_effect,
    claim_data_proximity,
    claim_displacement,
    claim_nearest_person_match,
)

PERTURBATION = Perturbation(40, 1.0)
NEIGHBOURS = NeighbourDistances(np.linspace(1, 2, 50), np.arange(50))


def test_displacement_finding_has_the_numbers_of_the_displacement() -> None:
    own, random = Interval(0.94, 0.9, 1.0), Interval(0.08, 0.05, 0.1)
    found = claim_displacement(Displacement(1, own, random), PERTURBATION, "traversal_pc1")
    assert (found.is_supported, found.value, found.low, found.high) == (True, 0.94, 0.9, 1.0)
    assert (found.control.value, found.control.high) == (0.08, 0.1)
    assert "40 persons move 0.94 px per joint [0.90, 1.00]" in found.statement
    assert not claim_displacement(Displacement(2, random, own), PERTURBATION, "traversal_pc2").is_supported


def test_effect_finding_names_the_ends_of_the_attribute() -> None:
    none, large = Interval(0.0, -0.1, 0.1), Interval(1.3, 1.2, 1.4)
    found = claim_attribute_effect(AttributeEffect(1, "standing", large, none, 1.2, 1.5), PERTURBATION, "p")
    assert found.is_supported
    assert "from 'sitting or lying' to 'standing'" in found.statement
    reverse = AttributeEffect(1, "standing", Interval(-0.3, -0.4, -0.2), none, 1.5, 1.4)
    assert "slightly from 'standing' to 'sitting or lying'" in claim_attribute_effect(reverse, PERTURBATION, "p").statement
    assert not claim_attribute_effect(AttributeEffect(2, "standing", none, none, 1.2, 1.2), PERTURBATION, "p").is_supported


def proximity(own: float, random: float, outside: int, ends: EndSteps = EndSteps(-1, 1)):  # noqa: B008
    distances = np.concatenate([np.full((2, 1, 2), own), np.full((2, 5, 2), random)], axis=1)
    return claim_data_proximity(ends, distances, outside, NEIGHBOURS, 0, "s")


def test_proximity_holds_if_ends_are_nearer_than_random_directions() -> None:
    found = proximity(1.1, 1.9, outside=1)
    assert (found.is_supported, found.value) == (True, pytest.approx(5 / 50))


@pytest.mark.parametrize(("own", "random", "outside"), [(1.1, 1.9, 3), (3.8, 3.8, 0), (1.5, 1.5, 0)])
def test_proximity_fails_for_ends_outside_the_data_or_like_random_directions(own, random, outside) -> None:
    assert not proximity(own, random, outside).is_supported


def test_proximity_fails_if_a_single_end_has_left_the_data() -> None:
    distances = np.concatenate([np.full((2, 1, 2), 1.1), np.full((2, 5, 2), 1.9)], axis=1)
    distances[1, 0, 0] = 5.0
    found = claim_data_proximity(EndSteps(-3, 2), distances, 0, NEIGHBOURS, 0, "s")
    assert not found.is_supported
    assert "1 of the 4 end points (component 2 at -3 sd)" in found.statement


def test_nearest_person_match_needs_the_right_pairs() -> None:
    rng = np.random.default_rng(0)
    decoded = rng.uniform(0, 90, (12, 5, 2)).astype(np.float32)
    groups = np.arange(12)
    assert claim_nearest_person_match(decoded, decoded + 1, groups, "p", 0).is_supported
    assert not claim_nearest_person_match(decoded, decoded[rng.permutation(12)], groups, "p", 0).is_supported
    assert claim_nearest_person_match(decoded[:1], decoded[:1], groups[:1], "p", 0) is None
