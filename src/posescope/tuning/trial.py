"""One trial: train with a drawn recipe by the training loop of `modelling`, and watch its validation PCK."""

from dataclasses import dataclass
from typing import Any

import torch

from posescope.artifacts.pose_model import PoseModel
from posescope.core.errors import OptionsError
from posescope.core.files import fingerprint
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.training.checkpoint_store import CheckpointStore
from posescope.training.initialisation import build_untrained
from posescope.training.records import EpochRecord
from posescope.training.trainer import NonFiniteLossError, train
from posescope.tuning.options import Recipe
from posescope.tuning.optuna_sampler import LiveTrial
from posescope.tuning.records import TrialRecord, TrialState

__all__ = ["TuningData", "build_model", "run_trial"]


@dataclass(frozen=True)
class TuningData:
    """What all trials learn from and are measured by. There is no test set in it.

    Attributes:
        train_set, val_set: crops of the training and validation persons.
        skeleton: of the data.
        statistics: of the crops.
    """

    train_set: CropSet
    val_set: CropSet
    skeleton: Skeleton
    statistics: CropStatistics

    def to_dict(self) -> dict[str, Any]:
        """As JSON-like content that stands for the data."""
        return {"statistics": self.statistics.to_dict(), "skeleton": self.skeleton.to_dict()}


class _GivenUpError(Exception):
    """Ends a training from within; never leaves this module."""


class _Watch:
    """Follows a trial epoch by epoch."""

    def __init__(self, live: LiveTrial, epochs: int) -> None:
        self.live, self.epochs = live, epochs
        self.pcks: list[float] = []
        self.seconds = 0.0

    def __call__(self, record: EpochRecord) -> None:
        self.pcks.append(record.val_pck_thesis)
        self.seconds += record.seconds
        # After the last epoch there is nothing left to save.
        if self.live.should_prune(record.epoch, record.val_pck_thesis) and record.epoch < self.epochs:
            raise _GivenUpError


def build_model(recipe: Recipe, data: TuningData) -> PoseModel:
    """The untrained model of a recipe.

    Raises:
        OptionsError: if codec and network do not fit each other.
    """
    statistics, seed = data.statistics, recipe.training.seed
    return build_untrained(
        recipe.model, recipe.codec, data.skeleton, statistics.crop_size, statistics.mean_rgb, statistics.crop, seed
    )


def run_trial(number: int, recipe: Recipe, data: TuningData, live: LiveTrial, checkpoints: CheckpointStore) -> TrialRecord:
    """Train, until the last epoch or until the trial is given up; from its last checkpoint, if its process died before.

    A loss that is not finite, a network that does not fit its codec, and too little memory on the GPU end the trial as failed,
    not the search.
    """
    watch = _Watch(live, recipe.training.epochs)
    try:
        _train(recipe, data, watch, checkpoints)
    except _GivenUpError:
        return _over(number, "pruned", watch)
    except (NonFiniteLossError, OptionsError, torch.OutOfMemoryError) as error:
        return _over(number, "failed", watch, f"{type(error).__name__}: {' '.join(str(error).split())}")
    return _over(number, "completed", watch)


def _train(recipe: Recipe, data: TuningData, watch: _Watch, checkpoints: CheckpointStore) -> None:
    mark = fingerprint([recipe.model_dump(mode="json"), data.to_dict()])
    before = checkpoints.latest(mark)
    for record in before.history if before else ():
        watch(record)
    train(build_model(recipe, data), data.train_set, data.val_set, recipe.training, checkpoints, mark, on_epoch=watch)


def _over(number: int, state: TrialState, watch: _Watch, reason: str = "") -> TrialRecord:
    live = watch.live
    return TrialRecord(number, state, live.sampled, tuple(watch.pcks), watch.seconds, reason, live.sampler_attrs)
