"""Tests of posescope.explorer.latent_words."""

from typing import Any

import numpy as np
import pytest

from posescope.explorer.latent_requests import LatentAnswer, LatentRequest
from posescope.explorer.latent_words import describe_answer, describe_changes, describe_closeness, describe_kept, describe_moves

JOINTS = ("left_dot", "right_dot")
TITLES = {"s1": "skip connection 1", "s2": "skip connection 2", "b": "bottleneck"}
SKIPS = ("s1", "s2")
FARTHER = "closer to their nearest neighbour than these features are to any person"


def answer_of(moved: list[float], scores: list[float], quantile: float) -> LatentAnswer:
    joints, maps = np.zeros((2, 2), np.float32), np.zeros((2, 4, 4), np.float32)
    before = np.array([0.9, 0.9], np.float32)
    return LatentAnswer(joints, np.array(scores, np.float32), maps, joints, before, 0.9, np.array(moved), (1,), quantile)


def patch(layer: str, kind: str = "mean", person_id: int | None = None) -> dict[str, Any]:
    return {"layer": layer, "kind": kind, "person_id": person_id}


def test_summary_names_the_joint_that_moved_most_and_what_is_lost() -> None:
    text = describe_moves(answer_of([1.0, 4.0], [0.8, 0.1], 0.99), JOINTS)
    assert "2.5 px on average" in text
    assert "right dot moved most (4.0 px)" in text
    assert "1 joint found before is not found now" in text
    unchanged = describe_answer(answer_of([0.0, 0.0], [0.9, 0.9], float("nan")), JOINTS)
    assert unchanged == "The joints are where they are without changes."


@pytest.mark.parametrize(
    ("quantile", "expected"),
    [
        (0.0, "Usual: closer to a real person than nearly all persons are to their nearest neighbour."),
        (0.25, "Usual: closer to a real person than 75 of 100 persons are to their nearest neighbour."),
        (0.85, f"Rare: 85 of 100 persons are {FARTHER}."),
        (0.97, f"Unlike any person of the data: 97 of 100 persons are {FARTHER}."),
        (1.0, f"Unlike any person of the data: nearly all persons are {FARTHER}."),
        (float("nan"), ""),
    ],
)  # fmt: skip
def test_closeness_has_levels(quantile: float, expected: str) -> None:
    assert describe_closeness(quantile) == expected


def test_usual_features_without_details_are_explained() -> None:
    assert describe_closeness(0.1, is_reduced=True) != describe_closeness(0.1)
    assert describe_closeness(0.99, is_reduced=True) == describe_closeness(0.99)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "The mean person without changes."),
        ({"person_id": 7, "offsets": (0.0, 0.0)}, "Person 7 without changes."),
        ({"person_id": 7, "offsets": (0.0, -3.94)}, "Person 7 with component 2: -3.9 sd."),
        ({"offsets": (1.0,), "kept_components": 0}, "The mean person with component 1: +1.0 sd; no component kept."),
        ({"kept_components": 1}, "The mean person with first component kept."),
        ({"patches": (patch("s1"), patch("s2"))}, "The mean person with skip connections: mean."),
        ({"patches": (patch("s1"), patch("s2", "zero"))},
         "The mean person with skip connection 1: mean; skip connection 2: zero."),
        ({"patches": (patch("s2"), patch("b", "person", 4))},
         "The mean person with skip connection 2: mean; bottleneck: person 4."),
    ],
)  # fmt: skip
def test_line_of_changes(fields: dict[str, Any], expected: str) -> None:
    assert describe_changes(LatentRequest.model_validate(fields), TITLES, SKIPS) == expected


def test_kept_components_have_their_share_of_the_variance() -> None:
    assert "The first 2 of 3 components: 90.0%" in describe_kept(2, [0.6, 0.3, 0.1])
    assert describe_kept(None, [0.6, 0.3, 0.1]).startswith("All 3 components")
    assert "%" not in describe_kept(0, [0.6, 0.3, 0.1])
