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
        mse: mean over all cells and joints of the squared difference between heatmaps and targets; NaN for nobody.
    """

    predictions: PosePredictions
    mse: float


def predict_crops(model: PoseModel, crops: CropSet, options: PredictionOptions) -> CropPredictions:
    """Run the model over all crops, batch by batch."""
    model = model.to(resolve_device(options.device))
    joints, scores = [np.empty((0, crops.joint_count, 2), np.float32)], [np.empty((0, crops.joint_count), np.float32)]
    squared_error = 0.0
    starts = range(0, len(crops), options.batch_size)
    for start in tqdm(starts, desc="predicting", unit="batch", disable=len(starts) < 2):
        rows = np.arange(start, min(start + options.batch_size, len(crops)))
        heatmaps = model.heatmaps(torch.from_numpy(crops.read_images(rows)), flip_test=options.flip_test)
        squared_error += _squared_error(model, crops, rows, heatmaps)
        decoded = model.codec.decode(heatmaps)
        joints.append(decoded.joints.cpu().numpy())
        scores.append(decoded.scores.cpu().numpy())
    predictions = PosePredictions(crops.targets.person_ids, np.concatenate(joints), np.concatenate(scores))
    return CropPredictions(predictions, squared_error / len(crops) if len(crops) else float("nan"))


def predictions_in_images(predictions: PosePredictions, crop_boxes: pd.DataFrame) -> pd.DataFrame:
    """Predictions in crop px -> a `Predictions` table in image px."""
    crop_from_image = matrices_of(crop_boxes.set_index("person_id").loc[predictions.person_ids])
    joints = apply_affine(invert_affine(crop_from_image), predictions.joints)
    return pd.DataFrame(Predictions.validate(join_joints(predictions.person_ids, joints, predictions.scores, "score")))


def _squared_error(model: PoseModel, crops: CropSet, rows: np.ndarray, heatmaps: torch.Tensor) -> float:
    """Sum over the persons of the mean over joints and cells."""
    joints = torch.from_numpy(crops.targets.joints[rows]).to(heatmaps.device)
    visibility = torch.from_numpy(crops.targets.visibility[rows]).to(heatmaps.device)
    target = model.codec.encode(joints, visibility).heatmaps
    return float(((heatmaps - target) ** 2).double().mean(dim=(1, 2, 3)).sum())
