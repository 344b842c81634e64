"""Persons and joints of two tables, matched by what they are."""

from pathlib import Path

import numpy as np
import pytest
from tests.explorer.two_runs import JOINTS, SIDE, SKELETON, TRUE, make_run

from posescope.core.errors import DataError
from posescope.explorer.person_matching import match_persons
from posescope.explorer.table_metadata import SkeletonAbout

ZEROS = np.zeros((4, 3))
OTHER = "3" * 16  # fingerprint of other data


def test_same_data_are_matched_by_person_id(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", ZEROS)
    errors = np.arange(12.0).reshape(4, 3)
    second = make_run(tmp_path / "b", errors, order=(2, 0, 3), columns={"annotation_id": 99})
    found = match_persons(first, second)
    assert first.person_ids[found.rows_a].tolist() == [10, 12, 13]
    assert second.person_ids[found.rows_b].tolist() == [10, 12, 13]
    assert (found.persons_only_a, found.persons_only_b) == (1, 0)
    assert found.same_crops
    assert found.same_labels.all()
    offsets = found.frame_a.second[..., 0] - found.frame_a.true[..., 0]
    np.testing.assert_allclose(offsets, errors[[0, 2, 3]], atol=1e-5)


def test_other_data_are_matched_by_file_and_annotation(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", ZEROS)
    second = make_run(tmp_path / "b", ZEROS, order=(3, 1), data=OTHER, columns={"person_id": np.arange(4) + 70})
    found = match_persons(first, second)
    assert first.person_ids[found.rows_a].tolist() == [11, 13]
    assert second.person_ids[found.rows_b].tolist() == [71, 73]


def test_names_of_splits_do_not_matter_if_none_agrees(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", ZEROS)
    second = make_run(tmp_path / "b", ZEROS, data=OTHER, explanation=True, columns={"source_split": "judged"})
    assert len(match_persons(first, second)) == 4


def test_image_ids_replace_file_names_that_are_not_shown(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", ZEROS)
    second = make_run(tmp_path / "b", ZEROS, data=OTHER, photographs="none", columns={"file_name": ""})
    assert len(match_persons(first, second)) == 4


def test_repeated_annotations_name_no_person(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", ZEROS)
    twice = {"annotation_id": [0, 1, 2, 2], "file_name": ["0.jpg", "1.jpg", "2.jpg", "2.jpg"]}
    second = make_run(tmp_path / "b", ZEROS, data=OTHER, columns=twice)
    assert len(match_persons(first, second)) == 2


def test_runs_without_a_common_person_are_an_error(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", ZEROS)
    second = make_run(tmp_path / "b", ZEROS, data=OTHER, columns={"file_name": "other.jpg", "annotation_id": np.arange(4) + 9})
    with pytest.raises(DataError) as caught:
        match_persons(first, second)
    assert str(second.places.table) in str(caught.value)
    assert "4 persons of val2017" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("scale", "shift"), [(0.5, (0.0, 0.0)), (2.0, (-30.0, 12.0)), (1.0, (3.0, 0.0))])
def test_joints_of_other_crops_are_converted(tmp_path: Path, scale: float, shift: tuple[float, float]) -> None:
    errors = np.array([[1.0, 2, 3], [4, 5, 6]])
    first = make_run(tmp_path / "a", errors)
    true = np.tile(scale * TRUE + shift, (2, 1, 1))
    size = (round(scale * SIDE), round(scale * SIDE))
    second = make_run(tmp_path / "b", scale * errors, true=true, data=OTHER, crop_size=size)
    found = match_persons(first, second)
    assert not found.same_crops
    np.testing.assert_allclose(found.frame_a.second, found.frame_a.first, atol=1e-3)
    np.testing.assert_allclose(found.frame_b.first, found.frame_b.second, atol=1e-3)
    assert found.frame_b.crop_size == size


def test_other_crops_need_two_labels(tmp_path: Path) -> None:
    one = np.tile(TRUE, (3, 1, 1))
    one[1, 1:] = np.nan  # one label
    one[2] = np.nan
    first = make_run(tmp_path / "a", np.zeros((3, 3)), true=one)
    second = make_run(tmp_path / "b", np.zeros((3, 3)), true=one / 2, data=OTHER)
    found = match_persons(first, second)
    assert found.rows_a.tolist() == [0]
    assert found.no_map == 2
    same = match_persons(first, first)
    assert len(same) == 3
    assert same.labelled.sum(axis=1).tolist() == [3, 1, 0]


def test_other_annotations_are_left_out(tmp_path: Path) -> None:
    true = np.tile(TRUE, (4, 1, 1))
    first = make_run(tmp_path / "a", ZEROS, true=true)
    true[2, 0] += 8
    second = make_run(tmp_path / "b", ZEROS, true=true, data=OTHER)
    found = match_persons(first, second)
    assert found.rows_a.tolist() == [0, 1, 3]
    assert found.other_annotation == 1
    assert found.same_crops


@pytest.mark.parametrize("changed", [TRUE[::-1], TRUE * (-1, 1), TRUE[:, ::-1]], ids=["reversed", "mirrored", "turned"])
def test_other_annotations_of_most_persons_are_an_error(tmp_path: Path, changed: np.ndarray) -> None:
    first = make_run(tmp_path / "a", ZEROS)
    second = make_run(tmp_path / "b", ZEROS, true=np.tile(changed, (4, 1, 1)), data=OTHER)
    with pytest.raises(DataError, match="4 of 4"):
        match_persons(first, second)


def test_joints_are_matched_by_name(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a", [[1.0, 2, 3]])
    turned = SkeletonAbout(joints=(JOINTS[2], "extra", JOINTS[0]))
    true = np.stack([TRUE[[2, 1, 0]]])
    second = make_run(tmp_path / "b", [[7.0, 8, 9]], true=true, skeleton=turned)
    found = match_persons(first, second)
    assert found.joints == (JOINTS[0], JOINTS[2])
    assert (found.only_a, found.only_b) == ((JOINTS[1],), ("extra",))
    assert not found.same_labels.any()
    np.testing.assert_allclose((found.frame_a.first - found.frame_a.true)[0, :, 0], [1, 3], atol=1e-5)
    np.testing.assert_allclose((found.frame_a.second - found.frame_a.true)[0, :, 0], [9, 7], atol=1e-5)
    with pytest.raises(DataError, match="extra"):
        match_persons(first, make_run(tmp_path / "c", [[0.0]], skeleton=SkeletonAbout(joints=("extra",))))


def test_joints_labelled_in_one_table_do_not_count(tmp_path: Path) -> None:
    true = np.tile(TRUE, (4, 1, 1))
    true[1, 2] = np.nan
    first = make_run(tmp_path / "a", ZEROS)
    found = match_persons(first, make_run(tmp_path / "b", ZEROS, true=true, skeleton=SKELETON))
    assert found.single_labels.tolist() == [0, 1, 0, 0]
    assert found.labelled.sum() == 11
    assert found.same_labels.tolist() == [True, False, True, True]
