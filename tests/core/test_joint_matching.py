"""Tests of posescope.core.joint_matching: orders are matched by name, different names are refused."""

import numpy as np
import pytest

from posescope.core.joint_matching import JointMap, JointMismatchError, match_joints, reorder_skeleton
from posescope.core.skeleton import COCO_PERSON, Skeleton

MODEL, DATA = ("nose", "left_hand", "right_hand"), ("right_hand", "nose", "left_hand")


def test_joints_are_matched_by_name():
    order = match_joints(MODEL, DATA)
    assert (order, order.is_identity) == (JointMap(MODEL, DATA), False)
    # The data's columns are right, nose, left: 30, 10, 20.
    np.testing.assert_array_equal(order.to_model_order(np.array([[30, 10, 20]])), [[10, 20, 30]])
    np.testing.assert_array_equal(order.to_data_order(np.array([[10, 20, 30]])), [[30, 10, 20]])
    places = np.array([[3.0, 3], [1, 1], [2, 2]])
    np.testing.assert_array_equal(order.to_model_order(places, axis=0), [[1, 1], [2, 2], [3, 3]])


@pytest.mark.parametrize("seed", range(5))
def test_reordering_there_and_back_is_the_identity(seed):
    rng = np.random.default_rng(seed)
    joints = COCO_PERSON.joints
    order = match_joints(joints, tuple(rng.permutation(joints).tolist()))
    values = rng.normal(size=(4, len(joints), 2))
    np.testing.assert_array_equal(order.to_data_order(order.to_model_order(values)), values)
    assert [order.data[row] for row in order.to_model_order(np.arange(len(joints)), axis=0)] == list(joints)


def test_equal_orders_copy_nothing():
    values = np.zeros((0, 3, 2))
    order = match_joints(MODEL, list(MODEL))
    assert order.is_identity
    assert order.to_model_order(values) is values
    assert order.to_data_order(values) is values


@pytest.mark.parametrize(
    ("data", "only_in_model", "only_in_data"),
    [
        (("nose", "left_hand"), ("right_hand",), ()),
        ((*MODEL, "tail"), (), ("tail",)),
        (("Nose", "left_hand", "right_hand"), ("nose",), ("Nose",)),
        ((), (), ()),
    ],
)
def test_different_names_are_refused_with_both_lists(data, only_in_model, only_in_data):
    with pytest.raises(JointMismatchError) as caught:
        match_joints(MODEL, data)
    assert (caught.value.only_in_model, caught.value.only_in_data) == (only_in_model, only_in_data)
    if data:
        assert ", ".join(MODEL) in str(caught.value)
        assert ", ".join(data) in str(caught.value)


@pytest.mark.parametrize(("model", "data"), [(("a", "b"), ("a", "a", "b")), (("a", "a", "b"), ("a", "b"))])
def test_repeated_name_is_refused(model, data):
    with pytest.raises(JointMismatchError, match="several"):
        match_joints(model, data)


@pytest.mark.parametrize(
    ("model", "data"), [("nose", "Nose"), ("nose", "nose "), ("left_eye", "left eye"), ("\u00e9", "e\u0301")]
)
def test_names_with_another_spelling_are_refused_and_listed(model, data):
    """The message shows a trailing space and different forms of a letter."""
    with pytest.raises(JointMismatchError) as caught:
        match_joints((model, "tail"), (data, "tail"))
    assert f"{model!a} and {data!a}" in str(caught.value)


def test_skeleton_in_another_order_keeps_its_limbs_sigmas_and_pairs():
    skeleton = Skeleton(MODEL, limbs=((0, 1), (0, 2)), oks_sigmas=(0.1, 0.2, 0.3), guessed_sigmas=("nose",), category_id=4)
    turned = reorder_skeleton(skeleton, DATA)
    assert turned.joints == DATA
    assert turned.limbs == ((1, 2), (1, 0))
    assert turned.oks_sigmas == (0.3, 0.1, 0.2)
    assert turned.flip_indices == (2, 1, 0)
    assert (turned.guessed_sigmas, turned.category_id) == (("nose",), 4)
    assert reorder_skeleton(turned, MODEL) == skeleton
    assert reorder_skeleton(skeleton, MODEL) is skeleton
