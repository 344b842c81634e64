"""The one place where a model meets crops: joints by name, crop size and crop recipe.

Everything that runs a model on crops with targets passes through `match_crops`: training, prediction, evaluation, explanation,
improvement. The rule for the order of joints: beside a model, targets are in the model's order. What `predict_crops` returns is
in the order of the crops that it was given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError
from posescope.core.joint_matching import JointMap, match_joints
from posescope.data.crops.crop_set import CropSet

__all__ = ["CropMismatchError", "MatchedCrops", "match_crops"]


class CropMismatchError(DataError):
    """A model meets crops that were cut in another way than those of its training.

    Attributes:
        differences: one phrase for each thing that differs, with both values.
    """

    def __init__(self, message: str, differences: Sequence[str]) -> None:
        super().__init__(message)
        self.differences = tuple(differences)


@dataclass(frozen=True)
class MatchedCrops:
    """Crops that belong to a model.

    Attributes:
        crops: the targets have their joints in the model's order.
        joints: the model's order and that of the crops as they came.
    """

    crops: CropSet
    joints: JointMap


def match_crops(model: PoseModel, crops: CropSet) -> MatchedCrops:
    """Check that crops belong to a model and put their joints into the model's order.

    Args:
        model: names its joints, its crop size and its crop recipe.
        crops: N persons. A set without a recipe was made in memory: its maker answers for how it was cut.

    Raises:
        JointMismatchError: if the joints cannot be matched by name.
        CropMismatchError: if the crops have another size, or were cut by another rule or padded with another colour.
    """
    if not len(crops) and not crops.targets.joint_names:
        return MatchedCrops(crops, JointMap(model.skeleton.joints, model.skeleton.joints))
    joints = match_joints(model.skeleton.joints, crops.targets.joint_names)
    _check_recipe(model, crops)
    return MatchedCrops(crops.with_joint_order(model.skeleton.joints), joints)


def _check_recipe(model: PoseModel, crops: CropSet) -> None:
    differences = [] if crops.recipe is None else list(model.crop.differences(crops.recipe))
    if crops.shards and model.crop_size != crops.crop_size:
        expected, found = (f"{height} x {width} px" for height, width in (model.crop_size, crops.crop_size))
        differences.insert(0, f"size: {expected} for the model, {found} here")
    if differences:
        raise CropMismatchError(
            f"The model was trained on crops of another kind than these. {'; '.join(differences)}. Take a model that was trained "
            "on such crops, or run the pipeline data_engineering with the options that the model was trained with "
            "(data_engineering.crop).",
            differences,
        )
