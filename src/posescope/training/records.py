"""Records of a training run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from posescope.artifacts.pose_model import PoseModel

__all__ = ["EpochRecord", "TrainingOutcome", "best_record", "epochs_without_better"]


@dataclass(frozen=True)
class EpochRecord:
    """Results of one epoch.

    Attributes:
        epoch: number of the epoch, from 1.
        train_loss: mean over the training persons during the epoch, summed over stacks.
        val_loss: mean over the validation persons after the epoch, summed over stacks.
        val_pck_thesis: the thesis's PCK, 0..1, mean over the validation persons with a labelled joint.
        learning_rate: learning rate of the last step.
        seconds: wall time, for information only.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_pck_thesis: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class TrainingOutcome:
    """Trained model and history of its training.

    Attributes:
        model: model with the final weights (`TrainingOptions.final_weights`), on the training device, in evaluation mode.
        history: one record per epoch, including those before a resumption.
    """

    model: PoseModel
    history: tuple[EpochRecord, ...]


def best_record(history: Sequence[EpochRecord]) -> EpochRecord:
    """Return the epoch with the highest validation PCK; among equals that with the lowest validation loss, then the first."""
    return min(history, key=lambda record: (-record.val_pck_thesis, _or_infinite(record.val_loss), record.epoch))


def epochs_without_better(history: Sequence[EpochRecord]) -> int:
    """Return the number of epochs since the first one with the highest validation PCK; 0 without history."""
    if not history:
        return 0
    pcks = [record.val_pck_thesis for record in history]
    return len(pcks) - 1 - pcks.index(max(pcks))


def _or_infinite(value: float) -> float:
    return value if math.isfinite(value) else math.inf
