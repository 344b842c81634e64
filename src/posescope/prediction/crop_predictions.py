"""Predictions for the crops of a data set, and the errors of their heatmaps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.devices import resolve_device, run_on_threads
from posescope.artifacts.pose_model import PoseModel
from posescope.codecs.base import encode_weighted
from posescope.core.compute import current_cluster
from posescope.core.joint_matching import match_joints
from posescope.core.records import CropJoints, PosePredictions
from posescope.core.tables import Predictions, join_joints, matrices_of
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.shard_reader import ShardReader
from posescope.evaluation.table_schemas import HeatmapErrors
from posescope.geometry.affine import apply_affine, invert_affine
from posescope.prediction.backends.torch_backend import TorchBackend
from posescope.prediction.options import PredictionOptions
from posescope.prediction.predictor import Predictor

__all__ = ["BATCHES_PER_TASK", "CropPredictions", "heatmap_errors", "predict_crops", "predictions_table"]

# Batches that a worker of a cluster gets together: seconds of work for a few milliseconds of transfer.
BATCHES_PER_TASK = 4


@dataclass(frozen=True)
class CropPredictions:
    """Predictions for N crops.

    Attributes:
        predictions: joints in crop px, and scores.
        person_mse: (N,) float64, mean squared difference between heatmaps and targets over heatmap px, then over the heatmaps of
            the person with the codec's weights; NaN where no heatmap has a weight.
        person_weights: (N,) float64, sum of the weights of each person's heatmaps.
    """

    predictions: PosePredictions
    person_mse: NDArray[np.float64]
    person_weights: NDArray[np.float64]


def predict_crops(model: PoseModel, crops: CropSet, options: PredictionOptions) -> CropPredictions:
    """Predict all persons of a crop set, batch by batch, on the current cluster if there is one.

    Args:
        model: its joints are matched with those of the crops by name.
        crops: N persons.
        options: how the model is run.

    Returns:
        Predictions in the joint order of the crops' targets, whatever the model's order.

    Raises:
        JointMismatchError: if the joints cannot be matched by name.
        CropMismatchError: if the crops have another size than the model's, or were made in another way.
    """
    order = match_joints(model.skeleton.joints, crops.targets.joint_names or model.skeleton.joints)
    crops = match_crops(model, crops)
    # Filled in place: thousands of small arrays kept between large heatmaps fragment the memory (3 GB for 124,000 persons).
    shape = (len(crops), crops.joint_count)
    joints, scores = np.empty((*shape, 2), dtype=np.float32), np.empty(shape, dtype=np.float32)
    errors, weights = np.empty(len(crops)), np.empty(len(crops))
    for rows, found in _predict_batches(model, crops, options):
        joints[rows], scores[rows] = found.joints.joints, found.joints.scores
        errors[rows], weights[rows] = found.errors, found.weights
    predictions = PosePredictions(crops.targets.person_ids, order.to_data_order(joints), order.to_data_order(scores))
    means = np.divide(errors, weights, out=np.full(len(errors), np.nan), where=weights > 0)
    return CropPredictions(predictions, means, weights)


def predictions_table(predictions: PosePredictions, crop_boxes: pd.DataFrame) -> pd.DataFrame:
    """Return a `Predictions` table: image px beside the crop px of the predictions.

    Args:
        predictions: predictions of N persons.
        crop_boxes: a `CropBoxes` table that holds these persons.
    """
    crop_from_image = matrices_of(crop_boxes.set_index("person_id").loc[predictions.person_ids])
    joints = apply_affine(invert_affine(crop_from_image), predictions.joints)
    table = join_joints(predictions.person_ids, joints, predictions.scores, "score", crop_joints=predictions.joints)
    return pd.DataFrame(Predictions.validate(table))


def heatmap_errors(found: CropPredictions, persons: pd.DataFrame) -> pd.DataFrame:
    """Return the mean squared heatmap error of each person, a `HeatmapErrors` table.

    Args:
        found: predictions for N persons.
        persons: a `Persons` table that holds these persons.
    """
    person_ids = found.predictions.person_ids
    images = persons.set_index("person_id").loc[person_ids, "image_id"].to_numpy(dtype=np.int64)
    columns = {"person_id": person_ids, "image_id": images, "mse": found.person_mse, "weight": found.person_weights}
    return pd.DataFrame(HeatmapErrors.validate(pd.DataFrame(columns)))


@dataclass(frozen=True)
class _Batch:
    """Attributes: joints: of n persons; errors, weights: (n,) float64, see `_squared_errors`."""

    joints: CropJoints
    errors: NDArray[np.float64]
    weights: NDArray[np.float64]


def _predict_batches(model: PoseModel, crops: CropSet, options: PredictionOptions) -> Iterator[tuple[NDArray[np.int64], _Batch]]:
    """Yield the rows and the predictions of each batch; the batches are the same with and without a cluster."""
    cluster = current_cluster()
    if cluster is None:
        backend = TorchBackend(model.to(resolve_device(options.device)))
        for rows, images in Predictor(model, backend, options.batch_size).read_batches(crops, "predicting"):
            yield rows, _predict_images(backend, crops, rows, images, options.flip_test)
        return
    batches = [
        np.arange(start, min(start + options.batch_size, len(crops))) for start in range(0, len(crops), options.batch_size)
    ]
    shared = (model.to(torch.device("cpu")), crops.shards, options, torch.get_num_threads())
    found = cluster.map(_predict_detached, map(crops.detach, batches), shared=shared, batch_size=BATCHES_PER_TASK)
    yield from zip(batches, tqdm(found, total=len(batches), desc="predicting", unit="batch"), strict=True)


def _predict_detached(
    crops: CropSet, model: PoseModel, shards: ShardReader | Sequence[NDArray[np.uint8]], options: PredictionOptions, threads: int
) -> _Batch:
    """Predict the persons of one batch in a worker of a cluster."""
    rows, whole = np.arange(len(crops)), crops.attach(shards)
    with run_on_threads(threads):
        backend = TorchBackend(model.to(resolve_device(options.device)))
        return _predict_images(backend, whole, rows, whole.read_images(rows), options.flip_test)


def _predict_images(
    backend: TorchBackend, crops: CropSet, rows: NDArray[np.int64], images: NDArray[np.uint8], flip_test: bool
) -> _Batch:
    heatmaps = backend.heatmaps(images, flip_test)
    return _Batch(backend.decode(heatmaps), *_squared_errors(backend.model, crops, rows, heatmaps))


def _squared_errors(
    model: PoseModel, crops: CropSet, rows: NDArray[np.int64], heatmaps: torch.Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return per person the weighted sum of the heatmaps' mean squared errors, and the sum of the weights."""
    joints = torch.from_numpy(crops.targets.joints[rows]).to(heatmaps.device)
    visibility = torch.from_numpy(crops.targets.visibility[rows]).to(heatmaps.device)
    annotated = torch.from_numpy(crops.targets.subset(rows).annotated).to(heatmaps.device)
    target = encode_weighted(model.codec, joints, visibility, annotated)
    weights = target.weights.double()
    errors = ((heatmaps - target.heatmaps) ** 2).double().mean(dim=(2, 3))
    return (weights * errors).sum(dim=1).cpu().numpy(), weights.sum(dim=1).cpu().numpy()
