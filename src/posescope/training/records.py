"""What a training run leaves behind."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from posescope.artifacts.pose_model import PoseModel

__all__ = ["EpochRecord", "TrainingOutcome", "best_record"]


@dataclass(frozen=True)
class EpochRecord:
    """One epoch.

    Attributes:
        epoch: 1-based.
        train_loss: mean over the training persons, while the weights were changing; summed over stacks.
        val_loss: mean over the validation persons, after the epoch; summed over stacks.
        val_pck_thesis: 0..1, the study's PCK, mean over the validation persons with a labelled joint.
        learning_rate: of the epoch's last step.
        seconds: wall time. Nothing else depends on it.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_pck_thesis: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class TrainingOutcome:
    """A trained model and how it came about.

    Attributes:
        model: with the weights of the best epoch by validation PCK, on the training device, in evaluation mode.
        history: one record an epoch, those before a resume included.
    """

    model: PoseModel
    history: tuple[EpochRecord, ...]


def best_record(history: Sequence[EpochRecord]) -> EpochRecord:
    """The epoch with the highest validation PCK; of several, the one with the lowest validation loss, then the first."""
    return min(history, key=lambda record: (-record.val_pck_thesis, _or_infinite(record.val_loss), record.epoch))


def _or_infinite(value: float) -> float:
    return value if math.isfinite(value) else math.inf
