"""Matching of crops to a model: joints by name, crop size and crop recipe.

All code that runs a model on crops with targets calls `match_crops`: training, prediction, evaluation, explainability,
improvement. Beside a model, targets are in the joint order of the model; `predict_crops` returns the joint order of the given
crops.
"""

from collections.abc import Sequence

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import DataError
from posescope.data.crops.crop_set import CropSet

__all__ = ["CropMismatchError", "match_crops"]


class CropMismatchError(DataError):
    """Crops differ from those that the model was trained on.

    Attributes:
        differences: One phrase per difference, with both values.
    """

    def __init__(self, message: str, differences: Sequence[str]) -> None:
        super().__init__(message)
        self.differences = tuple(differences)


def match_crops(model: PoseModel, crops: CropSet) -> CropSet:
    """Check that crops match a model, and return them with targets in the joint order of the model.

    Args:
        model: The model.
        crops: N persons. The recipe of a set that was made in memory is not checked.

    Raises:
        JointMismatchError: if the joints cannot be matched by name.
        CropMismatchError: if the crops have another size, crop rule or padding colour.
    """
    if not len(crops) and not crops.targets.joint_names:
        return crops
    matched = crops.with_joint_order(model.skeleton.joints)
    _check_recipe(model, crops)
    return matched


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
