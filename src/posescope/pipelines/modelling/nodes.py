"""Nodes of modelling: unpack, one call, return."""

from typing import Any

import pandas as pd
from plotly.graph_objects import Figure

from posescope.artifacts.model_folder import fingerprint_of_model
from posescope.artifacts.pose_model import PoseModel
from posescope.core.files import fingerprint
from posescope.core.origin import Origin, origin_of_table, with_origin
from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import History, ids_of, people_fingerprint, table_of
from posescope.data.crops.crop_statistics import CropStatistics, check_current
from posescope.data.crops.crop_store import CropStore
from posescope.reporting.plots.training_plots import plot_history
from posescope.reporting.result_filter import mark_figure
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.initialisation import build_untrained
from posescope.training.options import TrainingOptions
from posescope.training.trainer import train
from posescope.training.validation_grids import SheetFolder

__all__: list[str] = []


def train_model(
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    skeleton: Skeleton,
    statistics: CropStatistics,
    checkpoints: CheckpointStore,
    sheets: SheetFolder,
    codec: ComponentSpec,
    model: ComponentSpec,
    training: TrainingOptions,
) -> dict[str, Any]:
    """Train the network, or go on with an unfinished run of the same options and data."""
    check_current(statistics, crops, persons, targets)
    untrained = build_untrained(model, codec, skeleton, statistics.crop_size, statistics.mean_rgb, statistics.crop, training.seed)
    made_of = {
        "data_engineering": {"codec": codec.model_dump(mode="json")},
        "modelling": {"model": model.model_dump(mode="json"), "training": training.identity()},
        "crop_statistics": statistics.to_dict(),
        "skeleton": skeleton.to_dict(),
        "test_people": people_fingerprint(persons, "test"),
    }
    train_set, val_set = (crops.select(targets, ids_of(persons, split)) for split in ("train", "val"))
    outcome = train(
        untrained, train_set, val_set, training, checkpoints, fingerprint(made_of), made_of=made_of, sheets=sheets
    )  # fmt: skip
    origin = Origin(model=fingerprint_of_model(outcome.model), data=statistics.data_fingerprint)
    history = with_origin(table_of(History, outcome.history), origin)
    return {"model": outcome.model, "history": history, "history_to_read": history}


def finish_training(model: PoseModel, checkpoints: CheckpointStore) -> None:
    """Mark the run as over, now that model and history are saved: the next one starts afresh."""
    checkpoints.finish(model.provenance["fingerprint"])


def draw_history(history: pd.DataFrame) -> Figure:
    """Losses and PCK, epoch by epoch."""
    return mark_figure(plot_history(history), origin_of_table(history))
