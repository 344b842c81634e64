"""Running a model over the crops of a data set."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from tqdm import tqdm

from posescope.artifacts.devices import DEVICE_PATTERN, resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.crops.crop_set import CropSet
from posescope.errors import DataError
from posescope.geometry.affine import apply_affine, invert_affine
from posescope.plugins import Options
from posescope.records import PosePredictions
from posescope.tables import Predictions, join_joints, matrices_of

__all__ = ["CropPredictions", "PredictionOptions", "predict_crops", "predictions_in_images"]


class PredictionOptions(Options):
    """How a model is run."""

    batch_size: int = Field(64, ge=1, description="crops at once")
    flip_test: bool = Field(False, description="average with the mirrored image's heatmaps")
    device: str = Field("auto", pattern=DEVICE_PATTERN, description="auto, cpu, cuda or cuda:N")


@dataclass(frozen=True)
class CropPredictions:
    """What a model says of N crops.

    Attributes:
        predictions: joints in crop px, and scores.
        mse: mean over cells of the squared difference between heatmaps and targets, then over all maps, each counting with the
            codec's weight; NaN where no map counts.
    """

    predictions: PosePredictions
    mse: float


def predict_crops(model: PoseModel, crops: CropSet, options: PredictionOptions) -> CropPredictions:
    """Run the model over all crops, batch by batch.

    Raises:
        DataError: if the crops have another size, or other joints, than the model's.
    """
    _check(model, crops)
    model = model.to(resolve_device(options.device))
    joints, scores = [np.empty((0, crops.joint_count, 2), np.float32)], [np.empty((0, crops.joint_count), np.float32)]
    squared_error, weight = 0.0, 0.0
    starts = range(0, len(crops), options.batch_size)
    for start in tqdm(starts, desc="predicting", unit="batch", disable=len(starts) < 2):
        rows = np.arange(start, min(start + options.batch_size, len(crops)))
        heatmaps = model.heatmaps(torch.from_numpy(crops.read_images(rows)), flip_test=options.flip_test)
        batch_error, batch_weight = _squared_error(model, crops, rows, heatmaps)
        squared_error, weight = squared_error + batch_error, weight + batch_weight
        decoded = model.codec.decode(heatmaps)
        joints.append(decoded.joints.cpu().numpy())
        scores.append(decoded.scores.cpu().numpy())
    predictions = PosePredictions(crops.targets.person_ids, np.concatenate(joints), np.concatenate(scores))
    return CropPredictions(predictions, squared_error / weight if weight else float("nan"))


def predictions_in_images(predictions: PosePredictions, crop_boxes: pd.DataFrame) -> pd.DataFrame:
    """Predictions in crop px -> a `Predictions` table in image px."""
    crop_from_image = matrices_of(crop_boxes.set_index("person_id").loc[predictions.person_ids])
    joints = apply_affine(invert_affine(crop_from_image), predictions.joints)
    return pd.DataFrame(Predictions.validate(join_joints(predictions.person_ids, joints, predictions.scores, "score")))


def _check(model: PoseModel, crops: CropSet) -> None:
    if not crops.shards:
        return  # an empty store: there is no size to compare
    for what, expected, found in (
        ("crops of (height, width) px", model.crop_size, crops.crop_size),
        ("joints a person", len(model.skeleton), crops.joint_count),
    ):
        if expected != found:
            raise DataError(
                f"Model and crops do not belong together: {what}: the model expects {expected}, the data has {found}. Take "
                "a model that was trained on this data, or run the pipeline data_engineering with that model's options."
            )


def _squared_error(model: PoseModel, crops: CropSet, rows: np.ndarray, heatmaps: torch.Tensor) -> tuple[float, float]:
    """Sum over the maps of weight x mean over cells, and the sum of the weights."""
    joints = torch.from_numpy(crops.targets.joints[rows]).to(heatmaps.device)
    visibility = torch.from_numpy(crops.targets.visibility[rows]).to(heatmaps.device)
    target = model.codec.encode(joints, visibility)
    weights = target.weights.double()
    errors = ((heatmaps - target.heatmaps) ** 2).double().mean(dim=(2, 3))
    return float((weights * errors).sum()), float(weights.sum())
