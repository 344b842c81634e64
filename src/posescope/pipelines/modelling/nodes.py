"""Nodes of the pipeline `modelling`."""

from typing import Any

import pandas as pd

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.uncertainty import Uncertainty
from posescope.core.files import fingerprint
from posescope.core.origin import Origin, add_origin
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import History, ids_of, split_fingerprint, table_of
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.evaluation.conformal import UncertaintyOptions
from posescope.prediction import uncertainty_calibration
from posescope.prediction.options import PredictionOptions
from posescope.runs.trained_models import TrainedModels
from posescope.tracking.run_tracking import observe_training
from posescope.training.automatic_options import resolve_automatic
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.distributed.placement import find_placement
from posescope.training.initialisation import build_untrained
from posescope.training.options import TrainingOptions
from posescope.training.trainer import train
from posescope.training.validation_grids import ImageGridFolder
from posescope.training.weight_transfer import InitialiseOptions, identify_start, start_from

__all__: list[str] = []


def train_model(
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    skeleton: Skeleton,
    statistics: CropStatistics,
    checkpoints: CheckpointStore,
    image_grids: ImageGridFolder,
    trained_models: TrainedModels,
    codec: ComponentSpec,
    model: ComponentSpec,
    training: TrainingOptions,
    initialise: InitialiseOptions,
) -> dict[str, Any]:
    """Train the network from random weights or from a trained model, or resume an unfinished run with the same options and data.

    Args:
        crops, targets, statistics: crops of the data set, their joints and statistics.
        persons: `Persons` with splits.
        skeleton: joints and limbs.
        checkpoints: store of the checkpoints.
        image_grids: folder of the image grids of validation crops.
        trained_models: models that the training may start from.
        codec, model: components of posescope.codecs and posescope.models.
        training: options of the training.
        initialise: the model to start from, and the parts that are trained.

    Returns:
        `model`, and as `history` and `history_table` the same `History` table.

    Raises:
        NoResultError: this process has trained for the main process on another node.
    """
    check_current(statistics, crops, persons, targets)
    placement = find_placement(training)
    training = placement.resolve(training)
    start = trained_models.read(initialise.from_model) if initialise.from_model else None
    untrained = build_untrained(
        model, codec, skeleton, statistics.crop_size, statistics.mean_rgb, statistics.crop, training.seed,
        load_pretrained=start is None,
    )  # fmt: skip
    run_identity = {
        "data_engineering": {"codec": codec.model_dump(mode="json")},
        "modelling": {
            "model": model.model_dump(mode="json"),
            "training": training.identity(),
            **identify_start(initialise, start),
        },
        "crop_statistics": statistics.to_dict(),
        "skeleton": skeleton.to_dict(),
        "test_set_fingerprint": split_fingerprint(persons, "test"),
    }
    train_set, val_set = (crops.select(targets, ids_of(persons, split)) for split in ("train", "val"))
    initial = start_from(untrained, start, initialise) if start else untrained
    training, run_identity = resolve_automatic(untrained, training, len(train_set), checkpoints, run_identity)
    outcome = train(
        initial, train_set, val_set, training, checkpoints, fingerprint(run_identity),
        run_identity=run_identity, image_grids=image_grids, parts=initialise, placement=placement,
        observer=observe_training(),
    )  # fmt: skip
    origin = Origin(model=fingerprint_of_model(outcome.model), data=statistics.data_fingerprint)
    history = add_origin(table_of(History, outcome.history), origin)
    return {"model": outcome.model, "history": history, "history_table": history}


def finish_training(model: PoseModel, checkpoints: CheckpointStore) -> None:
    """Mark the run as finished once model and history are saved, so that the next run starts anew.

    Args:
        model: the trained model.
        checkpoints: store of the checkpoints.
    """
    checkpoints.finish(model.provenance["fingerprint"])


def calibrate_uncertainty(
    model: PoseModel,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    statistics: CropStatistics,
    options: UncertaintyOptions,
    prediction: PredictionOptions,
) -> Uncertainty:
    """Compute the radii of the joints from the errors of the calibration persons.

    Args:
        model: the trained model.
        crops, targets, statistics: crops of the data set, their joints and statistics.
        persons: `Persons` with splits.
        options: levels and ranges of scores.
        prediction: batch size and device.
    """
    check_current(statistics, crops, persons, targets)
    chosen = crops.select(targets, ids_of(persons, "calibration"))
    photographs = uncertainty_calibration.photographs_of(persons, chosen.targets.person_ids)
    return uncertainty_calibration.calibrate_uncertainty(
        model, chosen, photographs, statistics.data_fingerprint, options, prediction
    )
