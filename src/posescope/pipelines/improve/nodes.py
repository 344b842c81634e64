"""Nodes of the pipeline `improve`."""

from typing import Any

import pandas as pd

from posescope.artifacts.devices import resolve_device
from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.origin import Origin, add_origin, check_origins, origin_of_table
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import History, ids_of, table_of
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.evaluation.scoring_options import ScoringOptions
from posescope.explainability.features.row_blocks import sample_rows
from posescope.improvement import bottleneck_features, variant_comparison
from posescope.improvement.autoencoder_insertion import train_and_insert
from posescope.improvement.bottleneck_features import BottleneckFeatureStore
from posescope.improvement.code_size import CodeSize
from posescope.improvement.options import AutoencoderTraining, ComparisonOptions, FineTuning
from posescope.improvement.variant_comparison import compare_by_joint, compare_by_person
from posescope.improvement.variants import check_same_start, describe_training_data, mean_ablate_bottlenecks, training_options_of
from posescope.prediction.options import PredictionOptions
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.options import TrainingOptions
from posescope.training.trainer import fine_tune

__all__: list[str] = []


def extract_bottleneck_features(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    statistics: CropStatistics,
    persons: pd.DataFrame,
    workspace: BottleneckFeatureStore,
    prediction: PredictionOptions,
) -> BottleneckFeatureStore:
    """Run the network on all training persons and store the bottleneck activations of each stack.

    Args:
        model: the trained model.
        crops, targets, statistics: crops of the data set, their joints and statistics.
        persons: `Persons` with splits.
        workspace: store that is filled.
        prediction: batch size and device.

    Returns:
        The finished store.
    """
    check_current(statistics, crops, persons, targets)
    chosen = crops.select(targets, ids_of(persons, "train"))
    device = resolve_device(prediction.device)
    return bottleneck_features.extract_bottleneck_features(
        model.to(device), chosen, workspace, statistics.data_fingerprint, prediction.batch_size
    )


def train_autoencoders(
    model: PoseModel,
    features: BottleneckFeatureStore,
    persons: pd.DataFrame,
    code_size: CodeSize,
    options: AutoencoderTraining,
    training: TrainingOptions,
) -> dict[str, Any]:
    """Train one autoencoder per stack, and insert them into the network.

    Args:
        model: the trained model.
        features: bottleneck activations of the training persons.
        persons: `Persons` with splits.
        code_size: code size of the autoencoders.
        options: training of the autoencoders.
        training: device and threads.

    Returns:
        `model` (with autoencoders), `history` and `reconstruction` (tables).
    """
    device = resolve_device(training.device)
    opened, own = features.open(), fingerprint_of_model(model)
    check_origins(Origin(model=own), {one.layer: Origin(model=one.model, data=one.data) for one in opened}, "improve")
    made = train_and_insert(model, opened, persons, code_size, options, device, training.threads)
    origin = Origin(model=own, data=opened[0].data)
    return {
        "model": made.model,
        "history": add_origin(made.history, origin),
        "reconstruction": add_origin(made.reconstruction, origin),
    }


def fine_tune_model(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    statistics: CropStatistics,
    persons: pd.DataFrame,
    checkpoints: CheckpointStore,
    training: TrainingOptions,
    options: FineTuning,
) -> dict[str, Any]:
    """Fine-tune a model on the training persons, scored on the validation persons.

    Args:
        model: the model to fine-tune.
        crops, targets, statistics: crops of the data set, their joints and statistics.
        persons: `Persons` with splits.
        checkpoints: store of the checkpoints.
        training, options: options of the training, and those that fine-tuning changes.

    Returns:
        `model` and `history` (`History`).
    """
    check_current(statistics, crops, persons, targets)
    run_identity = describe_training_data(model, statistics, persons)
    train_set, val_set = (crops.select(targets, ids_of(persons, split)) for split in ("train", "val"))
    chosen = options.apply_to(training, training_options_of(model))
    outcome = fine_tune(model, train_set, val_set, chosen, checkpoints, run_identity)
    origin = Origin(model=fingerprint_of_model(outcome.model), data=statistics.data_fingerprint)
    return {"model": outcome.model, "history": add_origin(table_of(History, outcome.history), origin)}


def finish_fine_tuning(continued: PoseModel, improved: PoseModel, checkpoints: CheckpointStore) -> None:
    """Mark both trainings as finished once their models are saved.

    Args:
        continued, improved: the fine-tuned models.
        checkpoints: store of the checkpoints.
    """
    checkpoints.finish(continued.provenance["fingerprint"])
    checkpoints.finish(improved.provenance["fingerprint"])


def score_variants(
    original: PoseModel,
    features: BottleneckFeatureStore,
    inserted: PoseModel,
    continued: PoseModel,
    improved: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    statistics: CropStatistics,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    prediction: PredictionOptions,
    scoring: ScoringOptions,
) -> dict[str, pd.DataFrame]:
    """Score all variants on the validation persons.

    Args:
        original, inserted, continued, improved: the model, the same with autoencoders, and both fine-tuned.
        features: bottleneck activations of the training persons.
        crops, targets, statistics: crops of the data set, their joints and statistics.
        persons, keypoints, crop_boxes: `Persons`, `Keypoints` and `CropBoxes`.
        skeleton: joints and OKS sigmas.
        prediction: batch size, device and flip test.
        scoring: the metrics.

    Returns:
        `person_scores` and `joint_hits`.
    """
    check_current(statistics, crops, persons, targets)
    check_same_start(original, {"inserted": inserted, "continued": continued, "improved": improved})
    crops.check_boxes(crop_boxes)
    chosen = crops.select(targets, ids_of(persons, "val"))
    mean_ablated = mean_ablate_bottlenecks(original, features.open())
    variants = {
        "original": original, "mean_ablated": mean_ablated, "inserted": inserted, "continued": continued, "improved": improved
    }  # fmt: skip
    tables = variant_comparison.score_variants(
        variants, chosen, persons, keypoints, crop_boxes, skeleton, prediction, scoring.metrics
    )
    origin = Origin(model=fingerprint_of_model(original), data=statistics.data_fingerprint)
    return {name: add_origin(table, origin) for name, table in tables.items()}


def compare_variants(
    person_scores: pd.DataFrame, joint_hits: pd.DataFrame, options: ComparisonOptions
) -> dict[str, pd.DataFrame]:
    """Compare the variants by paired differences, per person and per joint.

    Args:
        person_scores, joint_hits: tables of `score_variants`.
        options: seed and resamples.

    Returns:
        `figures` and `joints` (tables).
    """
    origin = origin_of_table(person_scores)
    check_origins(origin, {"joint_hits": origin_of_table(joint_hits)}, "improve")
    return {
        "figures": add_origin(compare_by_person(person_scores, options.seed, options.resamples), origin or Origin()),
        "joints": add_origin(compare_by_joint(joint_hits, options.seed, options.resamples), origin or Origin()),
    }


def measure_bottlenecks(
    original: PoseModel,
    continued: PoseModel,
    improved: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    statistics: CropStatistics,
    persons: pd.DataFrame,
    prediction: PredictionOptions,
    options: ComparisonOptions,
) -> pd.DataFrame:
    """Measure the effective dimensions of the bottlenecks.

    Args:
        original, continued, improved: the model, and the fine-tuned ones without and with autoencoders.
        crops, targets, statistics: crops of the data set, their joints and statistics.
        persons: `Persons` with splits.
        prediction: batch size and device.
        options: number of persons and seed.
    """
    check_current(statistics, crops, persons, targets)
    check_same_start(original, {"continued": continued, "improved": improved})
    origin = Origin(model=fingerprint_of_model(original), data=statistics.data_fingerprint)
    ids, device = ids_of(persons, "train"), resolve_device(prediction.device)
    chosen = crops.select(targets, ids[sample_rows(len(ids), options.persons, options.seed)])
    variants = {"original": original.to(device), "continued": continued.to(device), "improved": improved.to(device)}
    return add_origin(bottleneck_features.measure_bottlenecks(variants, chosen, prediction.batch_size), origin)
