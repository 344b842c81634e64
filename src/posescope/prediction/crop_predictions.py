"""Running a model over the crops of a data set."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.devices import DEVICE_PATTERN, resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.core.plugins import Options
from posescope.core.records import PosePredictions
from posescope.core.tables import Predictions, join_joints, matrices_of
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.table_schemas import HeatmapErrors
from posescope.geometry.affine import apply_affine, invert_affine

__all__ = ["CropPredictions", "PredictionOptions", "heatmap_errors", "predict_crops", "predictions_table"]


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
        person_mse: (N,) float64 the same of each person.
        person_weights: (N,) float64 sum of the weights of each person's maps: `mse` is the mean of `person_mse` with them.
    """

    predictions: PosePredictions
    mse: float
    person_mse: NDArray[np.float64]
    person_weights: NDArray[np.float64]


def predict_crops(model: PoseModel, crops: CropSet, options: PredictionOptions) -> CropPredictions:
    """Run the model over all crops, batch by batch.

    Args:
        model: its joints are matched with those of the crops by name.
        crops: N persons.
        options: how the model is run.

    Returns:
        Joints in the order of the crops' own targets, whatever the model's order.

    Raises:
        JointMismatchError: if the joints cannot be matched by name.
        CropMismatchError: if the crops have another size than the model's, or were cut in another way.
    """
    matched = match_crops(model, crops)
    crops, order = matched.crops, matched.joints
    model = model.to(resolve_device(options.device))
    # Filled in place: thousands of small answers, kept between large maps that come and go, would tear holes in the memory (3 GB
    # for 124,000 persons).
    shape = (len(crops), crops.joint_count)
    joints, scores = np.empty((*shape, 2), dtype=np.float32), np.empty(shape, dtype=np.float32)
    errors, weights = np.empty(len(crops)), np.empty(len(crops))
    starts = range(0, len(crops), options.batch_size)
    for start in tqdm(starts, desc="predicting", unit="batch", disable=len(starts) < 2):
        rows = np.arange(start, min(start + options.batch_size, len(crops)))
        heatmaps = model.heatmaps(torch.from_numpy(crops.read_images(rows)), flip_test=options.flip_test)
        errors[rows], weights[rows] = _squared_errors(model, crops, rows, heatmaps)
        decoded = model.codec.decode(heatmaps)
        joints[rows], scores[rows] = decoded.joints.cpu().numpy(), decoded.scores.cpu().numpy()
    found = PosePredictions(crops.targets.person_ids, order.to_data_order(joints), order.to_data_order(scores))
    return CropPredictions(found, *_mean_errors(errors, weights))


def predictions_table(predictions: PosePredictions, crop_boxes: pd.DataFrame) -> pd.DataFrame:
    """Return a `Predictions` table: image px beside the crop px of the predictions.

    Args:
        predictions: of N persons.
        crop_boxes: a `CropBoxes` table that holds these persons.
    """
    crop_from_image = matrices_of(crop_boxes.set_index("person_id").loc[predictions.person_ids])
    joints = apply_affine(invert_affine(crop_from_image), predictions.joints)
    table = join_joints(predictions.person_ids, joints, predictions.scores, "score", crop_joints=predictions.joints)
    return pd.DataFrame(Predictions.validate(table))


def heatmap_errors(found: CropPredictions, persons: pd.DataFrame) -> pd.DataFrame:
    """How far each person's heatmaps are from their targets: a `HeatmapErrors` table.

    Args:
        found: of N persons.
        persons: a `Persons` table that has every one of them.
    """
    person_ids = found.predictions.person_ids
    images = persons.set_index("person_id").loc[person_ids, "image_id"].to_numpy(dtype=np.int64)
    columns = {"person_id": person_ids, "image_id": images, "mse": found.person_mse, "weight": found.person_weights}
    return pd.DataFrame(HeatmapErrors.validate(pd.DataFrame(columns)))


def _mean_errors(
    errors: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """The mean over all maps, that of each person (NaN where no map counts), and the weights."""
    per_person = np.divide(errors, weights, out=np.full(len(errors), np.nan), where=weights > 0)
    return float(errors.sum() / weights.sum()) if weights.any() else float("nan"), per_person, weights


def _squared_errors(
    model: PoseModel, crops: CropSet, rows: NDArray[np.int64], heatmaps: torch.Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each person: the sum over the maps of weight x mean over cells, and the sum of the weights."""
    joints = torch.from_numpy(crops.targets.joints[rows]).to(heatmaps.device)
    visibility = torch.from_numpy(crops.targets.visibility[rows]).to(heatmaps.device)
    target = model.codec.encode(joints, visibility)
    weights = target.weights.double()
    errors = ((heatmaps - target.heatmaps) ** 2).double().mean(dim=(2, 3))
    return (weights * errors).sum(dim=1).cpu().numpy(), weights.sum(dim=1).cpu().numpy()
