"""Tests of posescope.core.records: shapes are checked, targets round-trip."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.core.records import PosePredictions, PoseTargets

IDS = np.array([5, 2])
JOINTS = np.array([[[1, 2], [np.nan, np.nan], [3, 4]], [[0, 0], [5, 6], [7, 8]]], np.float32)
VISIBILITY = np.array([[2, 0, 1], [2, 2, 2]], np.uint8)


def test_targets_round_trip(tmp_path):
    names = ("nose", "linke_hand_ä", "right hand")
    PoseTargets(IDS, JOINTS, VISIBILITY, "squares", names).save(tmp_path / "deep" / "targets.npz")
    found = PoseTargets.load(tmp_path / "deep" / "targets.npz")
    assert (found.squares, found.joint_names) == ("squares", names)
    for name, expected in {"person_ids": IDS, "joints": JOINTS, "visibility": VISIBILITY}.items():
        np.testing.assert_array_equal(getattr(found, name), expected)
        assert getattr(found, name).dtype == expected.dtype


def test_no_targets_round_trip(tmp_path):
    PoseTargets(IDS[:0], JOINTS[:0], VISIBILITY[:0]).save(tmp_path / "targets.npz")
    found = PoseTargets.load(tmp_path / "targets.npz")
    assert (len(found), found.joints.shape, found.visibility.shape) == (0, (0, 3, 2), (0, 3))


def test_weights_round_trip_and_follow_the_persons(tmp_path):
    weights = np.array([[1, 0.5, 0], [2, 2, 2]], np.float32)
    targets = PoseTargets(IDS, JOINTS, VISIBILITY, weights=weights)
    targets.save(tmp_path / "targets.npz")
    found = PoseTargets.load(tmp_path / "targets.npz")
    np.testing.assert_array_equal(found.weights, weights)
    assert found.annotated.tolist() == [[True, True, False], [True, True, True]]
    np.testing.assert_array_equal(found.subset(np.array([1])).weights, weights[1:])


def test_targets_without_weights_have_no_such_array(tmp_path):
    targets = PoseTargets(IDS, JOINTS, VISIBILITY)
    targets.save(tmp_path / "targets.npz")
    with np.load(tmp_path / "targets.npz") as content:
        assert "weights" not in content
    assert PoseTargets.load(tmp_path / "targets.npz").weights is None
    assert targets.annotated.all()


def test_weights_of_another_shape_are_refused():
    with pytest.raises(DataError, match="weights"):
        PoseTargets(IDS, JOINTS, VISIBILITY, weights=np.ones((2, 2), np.float32))


@pytest.mark.parametrize(
    ("joints", "visibility"),
    [
        (JOINTS[:1], VISIBILITY),
        (JOINTS, VISIBILITY[:1]),
        (JOINTS[..., :1], VISIBILITY),
        (JOINTS, VISIBILITY[:, :2]),
        (JOINTS[:, 0], VISIBILITY[:, :2]),  # (N, 2) twice: a person's single joint without its axis
    ],
)
def test_inconsistent_shapes_are_refused(joints, visibility):
    with pytest.raises(DataError, match=r"expected joints \(N, K, 2\) and visibility \(N, K\) for N = 2, found") as caught:
        PoseTargets(IDS, joints, visibility)
    assert f"{joints.shape} and {visibility.shape}" in str(caught.value)


def test_records_are_frozen():
    with pytest.raises(FrozenInstanceError):
        PoseTargets(IDS, JOINTS, VISIBILITY).joints = JOINTS


def test_lengths_are_persons():
    assert len(PoseTargets(IDS, JOINTS, VISIBILITY)) == len(PosePredictions(IDS, JOINTS, np.ones((2, 3), np.float32))) == 2


def write_missing(path):
    path.unlink(missing_ok=True)


def write_other_arrays(path):
    np.savez(path, joints=JOINTS)


def write_one_array(path):
    with path.open("wb") as stream:
        np.save(stream, JOINTS)


def write_objects(path):
    np.savez(path, person_ids=np.array([None]), joints=JOINTS, visibility=VISIBILITY)


def write_half(path):
    PoseTargets(IDS, JOINTS, VISIBILITY).save(path)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])


def write_nothing(path):
    path.touch()


@pytest.mark.parametrize("spoil", [write_missing, write_other_arrays, write_one_array, write_objects, write_half, write_nothing])
def test_file_without_targets_is_an_error(tmp_path, spoil):
    path = tmp_path / "targets.npz"
    spoil(path)
    with pytest.raises(DataError, match=r"targets\.npz: .*person_ids") as caught:
        PoseTargets.load(path)
    assert caught.value.__cause__ is not None
