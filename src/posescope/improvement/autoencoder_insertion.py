"""Insertion of trained autoencoders into the bottlenecks of a network, and measurement of their reconstruction."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from posescope.artifacts.model_assembly import insert_autoencoders
from posescope.artifacts.pose_model import PoseModel
from posescope.evaluation.bootstrap import Interval, resample_images
from posescope.explainability.components.pca import LARGEST_MATRIX, principal_components
from posescope.explainability.explained_persons import image_groups_of
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explainability.findings import MIN_IMAGES
from posescope.improvement.autoencoder_training import (
    FeatureSplit,
    TrainedAutoencoder,
    autoencoder_options,
    reconstruct,
    split_features,
    train_autoencoder,
)
from posescope.improvement.code_size import CodeSize
from posescope.improvement.errors import ImprovementError
from posescope.improvement.options import AutoencoderTraining
from posescope.models.hourglass_autoencoder import Autoencoder

__all__ = ["InsertedAutoencoders", "reconstruction_table", "train_and_insert"]

_RESAMPLES = 1000


@dataclass(frozen=True)
class InsertedAutoencoders:
    """A network with separately trained autoencoders.

    Attributes:
        model: not fine-tuned yet.
        history: a row per stack and epoch: stack, and the fields of `AutoencoderEpoch`.
        reconstruction: `reconstruction_table` of every stack, with the column stack.
    """

    model: PoseModel
    history: pd.DataFrame
    reconstruction: pd.DataFrame


def train_and_insert(
    model: PoseModel,
    features: tuple[FeatureSet, ...],
    persons: pd.DataFrame,
    code_size: CodeSize,
    options: AutoencoderTraining,
    device: torch.device,
    threads: int = 0,
) -> InsertedAutoencoders:
    """Train an autoencoder on the features of each stack and insert them into the bottlenecks.

    Args:
        model: a trained `hourglass`.
        features: bottleneck features, the first stack first.
        persons: a `Persons` table with the persons of the features.
        code_size: code size of each autoencoder.
        options: training options.
        device: training device.
        threads: CPU threads of torch; 0: torch's default.

    Raises:
        OptionsError: if the model is no plain hourglass.
        ImprovementError: if the code is not smaller than the features, the persons are of fewer than three images, or a loss is
            NaN or infinite.
    """
    trained, histories, tables = [], [], []
    for stack, values in enumerate(features, start=1):
        _check_size(values, code_size)
        groups = image_groups_of(persons, values.person_ids)
        split = split_features(groups, options.validation_fraction, options.evaluation_fraction, options.seed)
        architecture = autoencoder_options(options, code_size.dimensions, values.shape[0])
        trained.append(train_autoencoder(values, split, architecture, options, device, threads))
        rows = [{"stack": stack, **dataclasses.asdict(record)} for record in trained[-1].history]
        histories.append(pd.DataFrame(rows))
        table = reconstruction_table(trained[-1].autoencoder, values, split, groups, options.seed)
        tables.append(table.assign(stack=stack)[["stack", *table.columns]])
    joined = insert_autoencoders(model, [one.autoencoder for one in trained], _provenance(trained, code_size, options))
    return InsertedAutoencoders(joined, pd.concat(histories, ignore_index=True), pd.concat(tables, ignore_index=True))


def reconstruction_table(
    autoencoder: Autoencoder, features: FeatureSet, split: FeatureSplit, image_groups: NDArray[np.int64], seed: int
) -> pd.DataFrame:
    """Measure how well an autoencoder reconstructs evaluation persons, compared with PCA and the mean of its training persons.

    Args:
        autoencoder: trained.
        features: features of N persons.
        split: split of these persons.
        image_groups: (N,) the image of each, the unit of the bootstrap.
        seed: random seed of the bootstrap.

    Returns:
        A row per method (autoencoder, pca, mean): method; dimensions of the code; active_dimensions, which vary between persons;
        persons; mse; explained_variance, 1 - mse / (mse of the mean); difference_to_pca in explained variance, with low and high
        of its 95 % interval, NaN for fewer than ten images.
    """
    rows, size = split.evaluation, autoencoder.options.code_size
    truth = features.values[rows].astype(np.float64)
    pca = principal_components(_training_features(features, split.train, seed), size)
    found = [
        (restored.flatten(1).double().cpu(), code.flatten(1).cpu())
        for _, code, restored in reconstruct(autoencoder, features, rows)
    ]
    code = np.concatenate([own.numpy() for _, own in found])
    errors = {
        "autoencoder": _errors(np.concatenate([restored.numpy() for restored, _ in found]), truth),
        "pca": _errors(pca.reconstruct(pca.project(truth)), truth),
        "mean": _errors(pca.mean, truth),
    }
    dimensions = {"autoencoder": size, "pca": len(pca), "mean": 0}
    in_use = {**dimensions, "autoencoder": int((np.ptp(code, axis=0) > 0).sum())}
    spread, groups = float(errors["mean"].mean()), image_groups[rows]
    draws = resample_images(groups, seed, _RESAMPLES)
    table = []
    for method, error in errors.items():
        against = draws.mean_interval((errors["pca"] - error) / spread, groups)
        if len(draws.image_ids) < MIN_IMAGES:
            against = Interval(against.estimate, math.nan, math.nan)
        table.append(
            {
                "method": method,
                "dimensions": dimensions[method],
                "active_dimensions": in_use[method],
                "persons": len(rows),
                "mse": float(error.mean()),
                "explained_variance": 1 - float(error.mean()) / spread,
                "difference_to_pca": against.estimate,
                "low": against.low,
                "high": against.high,
            }
        )
    return pd.DataFrame(table)


def _training_features(features: FeatureSet, rows: NDArray[np.int64], seed: int) -> FeatureSet:
    """Return the features of the training persons in memory, a sample of them if both persons and dimensions are many."""
    width = features.values.shape[1]
    chosen = rows if width <= LARGEST_MATRIX else rows[sample_rows(len(rows), LARGEST_MATRIX, seed)]
    return dataclasses.replace(features, person_ids=features.person_ids[chosen], values=np.asarray(features.values[chosen]))


def _errors(found: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) mean squared error per person."""
    return np.asarray(((found - truth) ** 2).mean(axis=1))


def _check_size(features: FeatureSet, code_size: CodeSize) -> None:
    if code_size.dimensions >= features.values.shape[1]:
        raise ImprovementError(
            f"Expected a code smaller than the {features.values.shape[1]} values of the bottleneck '{features.layer}', found "
            f"{code_size.dimensions} ({code_size.reason}). Lower improve.autoencoder.code_size."
        )


def _provenance(trained: Sequence[TrainedAutoencoder], code_size: CodeSize, options: AutoencoderTraining) -> dict[str, Any]:
    return {
        "code_size": code_size.to_dict(),
        "training": options.model_dump(mode="json"),
        "best_epochs": [one.best.epoch for one in trained],
        "val_losses": [one.best.val_loss for one in trained],
    }
