"""Tests of posescope.artifacts.crop_matching: joints by name, crop size and recipe."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from posescope.artifacts.crop_matching import CropMismatchError, match_crops
from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError
from posescope.core.joint_matching import JointMismatchError
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.data.crops.crop_set import CropSet
from posescope.geometry.crop_recipe import CropRecipe

TURNED = ("nose", "right_hand", "left_hand")
JOINTS = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
VISIBILITY = np.array([[2, 1, 0], [0, 2, 1]], np.uint8)


def crops_of(names: tuple[str, ...], recipe: CropRecipe | None = None, side: int = 32) -> CropSet:
    targets = PoseTargets(np.array([4, 9]), JOINTS, VISIBILITY, joint_names=names)
    return CropSet(targets, (np.zeros((2, side, side, 3), np.uint8),), np.array([[0, 0], [0, 1]]), recipe)


def test_targets_are_reordered_to_the_model(untrained_model: PoseModel) -> None:
    matched = match_crops(untrained_model, crops_of(TURNED, untrained_model.crop))
    targets = matched.targets
    assert targets.joint_names == untrained_model.skeleton.joints == ("nose", "left_hand", "right_hand")
    np.testing.assert_array_equal(targets.joints[0], [[0, 1], [4, 5], [2, 3]])
    np.testing.assert_array_equal(targets.visibility, [[2, 0, 1], [0, 1, 2]])
    assert match_crops(untrained_model, matched) is matched


def test_empty_crops_need_no_joint_names(untrained_model: PoseModel) -> None:
    empty = CropSet(PoseTargets(np.empty(0, np.int64), np.empty((0, 0, 2), np.float32), np.empty((0, 0), np.uint8)), (),
                    np.empty((0, 2), np.int64))  # fmt: skip
    assert len(match_crops(untrained_model, empty)) == 0


@pytest.mark.parametrize("names", [(), ("nose", "left_hand", "tail")])
def test_joints_that_cannot_be_mapped_are_refused(untrained_model: PoseModel, names: tuple[str, ...]) -> None:
    with pytest.raises(JointMismatchError):
        match_crops(untrained_model, crops_of(names))


def recipe(name: str = "padded_square", padding: tuple[int, int, int] = (124, 116, 104), **options: float) -> CropRecipe:
    return CropRecipe(rule=ComponentSpec(name=name, options=options), padding_rgb=padding)


@pytest.mark.parametrize(
    ("found", "side", "what"),
    [
        (recipe("centred_square"), 32, ["rule"]),
        (recipe(margin=0.3), 32, ["rule"]),
        (recipe(padding=(0, 0, 0)), 32, ["padding_rgb"]),
        (recipe(), 64, ["size"]),
        (recipe("centred_square", (0, 0, 0)), 16, ["size", "rule", "padding_rgb"]),
    ],
)
def test_crops_with_another_recipe_are_refused(untrained_model: PoseModel, found: CropRecipe, side: int, what: list[str]) -> None:
    with pytest.raises(CropMismatchError) as caught:
        match_crops(untrained_model, crops_of(untrained_model.skeleton.joints, found, side))
    assert [difference.split(":")[0] for difference in caught.value.differences] == what


def test_option_at_its_default_is_no_difference(untrained_model: PoseModel) -> None:
    crops = crops_of(untrained_model.skeleton.joints, recipe(margin=0.1))
    assert match_crops(untrained_model, crops) is crops
    assert replace(crops, recipe=None).recipe is None


def test_crops_keep_names_and_recipe_on_the_way_to_another_process(untrained_model: PoseModel) -> None:
    sent = pickle.loads(pickle.dumps(crops_of(TURNED, untrained_model.crop)))
    assert (sent.targets.joint_names, sent.recipe) == (TURNED, untrained_model.crop)
    part = sent.subset(np.array([1]))
    assert (part.targets.joint_names, part.recipe, part.targets.person_ids.tolist()) == (TURNED, untrained_model.crop, [9])


def test_names_that_do_not_match_the_arrays_are_refused() -> None:
    for names in (("nose",), ("nose", "nose", "tail")):
        with pytest.raises(DataError):
            PoseTargets(np.array([4, 9]), JOINTS, VISIBILITY, joint_names=names)
