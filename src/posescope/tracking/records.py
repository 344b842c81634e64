"""What an experiment logger receives: the tracked run, its epochs and images, and its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

__all__ = ["Epoch", "EpochImage", "FinalMetric", "Outcome", "Progress", "RunStatus", "TrackedRun"]

RunStatus: TypeAlias = Literal["completed", "failed", "interrupted", "pruned"]


@dataclass(frozen=True)
class TrackedRun:
    """A run of a tracker. A resumed training continues the run of its first process.

    Attributes:
        name: id of the run of posescope that began it; for a trial of a search the number follows, as in `<id>/trial_0003`.
        folder: folder of the reports of the data folder (`08_reporting`), for loggers that write files.
        parameters: parameters by their dotted paths.
        facts: what is known of the run beside its parameters: pipelines, environment, versions.
        parent: the run that a trial belongs to; None: it stands alone.
    """

    name: str
    folder: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    parent: "TrackedRun | None" = None


@dataclass(frozen=True)
class Epoch:
    """Metrics after an epoch.

    Attributes:
        number: number of the epoch, from 1; the step of the tracker.
        values: metrics by name: train_loss, val_loss, val_pck_thesis (0..1), learning_rate, epoch_s (seconds).
    """

    number: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class EpochImage:
    """An image grid of validation persons after an epoch.

    Attributes:
        epoch: number of the epoch.
        path: PNG file.
    """

    epoch: int
    path: Path


@dataclass(frozen=True)
class FinalMetric:
    """A metric of the finished run.

    Attributes:
        name: split and metric, as in `val/oks`.
        value: the value.
        low, high: its confidence interval; None without one.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Outcome:
    """The end of a run.

    Attributes:
        status: how it ended; `pruned`: a trial that its search ended early.
        error: type and message of its error, or the reason of pruning, in one line; None without error.
        metrics: metrics of the evaluation; empty if it was not part of the run.
        files: model folder, report and findings by their names in the catalog, as far as the run made them.
        images: PNG files by their names in the catalog.
    """

    status: RunStatus
    error: str | None = None
    metrics: tuple[FinalMetric, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)
    images: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """All that is known of a tracked run so far. A later one contains an earlier one, except for a missing outcome.

    Attributes:
        epochs: finished epochs, in order.
        images: image grids of some epochs.
        outcome: end of the run; None while it runs.
    """

    epochs: tuple[Epoch, ...] = ()
    images: tuple[EpochImage, ...] = ()
    outcome: Outcome | None = None
