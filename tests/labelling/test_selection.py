"""The images to label next: uncertainty first, then variety of poses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.labelling.label_examples import SKELETON

from posescope.labelling.label_set import Joint, LabelError, LabelledImage, LabelledPerson, LabelSet
from posescope.labelling.selection import (
    SelectionOptions,
    describe_pose,
    person_uncertainty,
    select_images,
    write_ranking,
)


def person(head_x: float, score: float = 0.5, **side: object) -> LabelledPerson:
    joints = (Joint(head_x, 5, 2, score), Joint(2, 8, 2, score), Joint(8, 8, 2, score))
    return LabelledPerson(joints, (0, 0, 10, 20), None, side, score)


def pool(**persons: LabelledPerson) -> LabelSet:
    return LabelSet(SKELETON, "person", tuple(LabelledImage(name, 50, 50, (one,)) for name, one in persons.items()))


def test_uncertainty_is_the_mean_radius_by_the_box_else_the_missing_score() -> None:
    assert person_uncertainty(person(5, radii=[1, None, 3])) == pytest.approx(0.1)
    assert person_uncertainty(person(5, 0.25)) == 0.75
    assert person_uncertainty(person(5, 1.5)) == 0
    assert person_uncertainty(replace(person(5), joints=(Joint(1, 1, 2),) * 3)) == 1


def test_pose_does_not_depend_on_place_and_size() -> None:
    joints = tuple(Joint(7 + 3 * joint.x, 9 + 3 * joint.y, 2) for joint in person(4).joints)
    scaled = LabelledPerson(joints, (7, 9, 30, 60))
    assert describe_pose(person(4)) == pytest.approx(describe_pose(scaled))
    assert describe_pose(person(4))[:2] == pytest.approx([-0.05, -0.25])


def test_uncertain_images_come_first_without_variety() -> None:
    images = pool(a=person(5, 0.9), b=person(5, 0.1), c=person(5, 0.5))
    chosen = select_images(images, SelectionOptions(number=2, candidates=1))
    assert [(one.rank, one.name, one.uncertainty) for one in chosen] == [(1, "b", pytest.approx(0.9)), (2, "c", 0.5)]


def test_equal_poses_come_last_among_the_candidates() -> None:
    images = pool(a=person(5, 0.1), copy=person(5, 0.2), b=person(9, 0.3), certain=person(0, 0.99))
    chosen = select_images(images, SelectionOptions(number=2, candidates=1.5))
    assert [one.name for one in chosen] == ["a", "b"]
    assert chosen[0].distance == np.inf
    assert chosen[1].distance == pytest.approx(0.2)  # 4 px of a box of 20 px


def test_labelled_images_are_left_out_and_their_poses_avoided() -> None:
    images = pool(a=person(5, 0.1), b=person(9, 0.3), c=person(5, 0.1))
    labelled = pool(c=person(5))
    chosen = select_images(images, SelectionOptions(number=5), labelled)
    assert [one.name for one in chosen] == ["b", "a"]
    with pytest.raises(LabelError):
        select_images(labelled, SelectionOptions(), labelled)
    with pytest.raises(LabelError):
        select_images(replace(images, images=(LabelledImage("a", 5, 5),)), SelectionOptions())


def test_the_most_uncertain_person_counts() -> None:
    both = LabelledImage("both", 50, 50, (person(5, 0.9), person(5, 0.2)))
    one = LabelledImage("one", 50, 50, (person(5, 0.5),))
    chosen = select_images(LabelSet(SKELETON, "person", (one, both)), SelectionOptions(number=1, candidates=1))
    assert (chosen[0].name, chosen[0].persons, chosen[0].uncertainty) == ("both", 2, pytest.approx(0.8))


def test_table_is_safe_in_spreadsheets(tmp_path: Path) -> None:
    chosen = select_images(pool(**{"=a": person(5, 0.1), "b": person(9, 0.3)}), SelectionOptions(number=2))
    write_ranking(chosen, tmp_path / "next.csv")
    assert (tmp_path / "next.csv").read_text().splitlines() == [
        "rank,file_name,persons,uncertainty,distance",
        "1,'=a,1,0.9000,",
        "2,b,1,0.7000,0.2000",
    ]
