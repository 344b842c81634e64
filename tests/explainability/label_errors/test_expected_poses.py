import numpy as np
import pytest

from posescope.explainability.label_errors.expected_poses import expect_poses


def test_expectations_are_near_the_right_joints(poses) -> None:
    expected = expect_poses(poses, seed=0)
    errors = np.linalg.norm(expected.joints - poses.annotated, axis=2)
    assert np.median(errors) < 0.02
    assert (np.sign(expected.offsets[..., 0]) == np.sign(poses.offsets(poses.annotated)[..., 0])).mean() > 0.99
    assert (np.sign(expected.offsets_of_neighbours[..., 0]) == np.sign(poses.offsets(poses.annotated)[..., 0])).mean() > 0.95


def test_an_annotation_is_not_fitted_to_itself(poses) -> None:
    """Otherwise a wrong annotation would be expected. It is only seen through the mean poses of its neighbours."""
    changed = poses.annotated.copy()
    changed[0, 5] += 0.4
    before, after = expect_poses(poses, seed=0), expect_poses(poses.with_annotations(changed), seed=0)
    assert after.joints[0, 5] == pytest.approx(before.joints[0, 5], abs=2e-3)
    assert after.joints[0, 4] != pytest.approx(before.joints[0, 4], abs=5e-3)


def test_persons_of_one_photograph(poses) -> None:
    """Nothing can be learned from other photographs."""
    one = poses.with_annotations(np.full(poses.annotated.shape, np.nan))
    assert np.isfinite(expect_poses(one, seed=0).joints).all()
