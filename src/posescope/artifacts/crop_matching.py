"""Matching of crops to a model: joints by name, crop size and crop recipe.

All code that runs a model on crops with targets calls `match_crops`: training, prediction, evaluation, explainability,
improvement. Beside a model, targets are in the joint order of the model; `predict_crops` returns the joint order of the given
crops.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError
from posescope.core.joint_matching import JointMap, match_joints
from posescope.data.crops.crop_set import CropSet

__all__ = ["CropMismatchError", "MatchedCrops", "match_crops"]


class CropMismatchError(DataError):
    """Crops differ from those that the model was trained on.

    Attributes:
        differences: One phrase per difference, with both values.
    """

    def __init__(self, message: str, differences: Sequence[str]) -> None:
        super().__init__(message)
        self.differences = tuple(differences)


@dataclass(frozen=True)
class MatchedCrops:
    """Crops that match a model.

    Attributes:
        crops: The crops; the targets are in the joint order of the model.
        joints: The joint orders of the model and of the given crops.
    """

    crops: CropSet
    joints: JointMap


def match_crops(model: PoseModel, crops: CropSet) -> MatchedCrops:
    """Check that crops match a model, and reorder their joints to the order of the model.

    Args:
        model: The model.
        crops: N persons. The recipe of a set that was made in memory is not checked.

    Raises:
        JointMismatchError: if the joints cannot be matched by name.
        CropMismatchError: if the crops have another size, crop rule or padding colour.
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
            f"The crops differ from those that the model was trained on. {'; '.join(differences)}. Use a model that was trained "
            "on such crops, or run the pipeline data_engineering with the options of the model (data_engineering.crop).",
            differences,
        )
