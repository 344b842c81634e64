import numpy as np
import pytest
from tests.explainability.conftest import TOY_SKELETON

from posescope.explainability.attribution.explained_joints import choose_joints, patch_nearness, select_explained_joints
from posescope.explainability.errors import ExplainabilityError


def test_joints_are_one_of_each_pair_or_the_named_ones() -> None:
    assert choose_joints(TOY_SKELETON, None).tolist() == [0]
    assert choose_joints(TOY_SKELETON, ("right_dot",)).tolist() == [1]
    with pytest.raises(ExplainabilityError, match="left_foot"):
        choose_joints(TOY_SKELETON, ("left_foot",))


def test_annotated_heatmap_px_are_those_of_the_joints(inputs_of, scattered_crops) -> None:
    explained = select_explained_joints(inputs_of(scattered_crops), ("left_dot", "right_dot"), 4, "annotated")
    np.testing.assert_allclose(explained.points, scattered_crops.targets.joints[explained.rows])  # centres of heatmap px


def test_predicted_heatmap_px_are_the_maxima(inputs_of, scattered_crops) -> None:
    explained = select_explained_joints(inputs_of(scattered_crops), None, 4, "predicted")
    assert explained.names == ("left_dot",)
    np.testing.assert_allclose(explained.points[:, 0], scattered_crops.targets.joints[explained.rows, 0])
    assert explained.correct.all()


def test_patch_nearness_is_the_negative_distance() -> None:
    found = patch_nearness(np.array([[[1.5, 5.5]]]), (8, 8), 4)
    # Centres are at 1.5 and 5.5; the point is the centre of the left patch in the second row.
    np.testing.assert_allclose(found[0, 0], [-4, -np.hypot(4, 4), 0, -4])
