"""The observer of a training that passes its epochs to the experiment loggers."""

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from posescope.core.errors import PosescopeError
from posescope.core.plugins import ComponentSpec, build
from posescope.tracking.guarded_logger import GuardedLogger
from posescope.tracking.records import Epoch, EpochImage, Outcome, Progress, TrackedRun
from posescope.tracking.tracked_names import resolve_name
from posescope.training.observer import TrainingStoppedError
from posescope.training.records import EpochRecord

__all__ = ["TrainingTracker", "TrialOfSearch", "close_loggers", "open_loggers"]

log = logging.getLogger(__name__)

_SHORT_S = 1.0


@dataclass(frozen=True)
class TrialOfSearch:
    """Place of a trial.

    Attributes:
        search: fingerprint of the search.
        number: number of the trial, from 1.
    """

    search: str
    number: int


class TrainingTracker:
    """A `posescope.training.observer.TrainingObserver`; it can be pickled until its first update."""

    def __init__(
        self,
        run: TrackedRun,
        run_id: str,
        loggers: Sequence[ComponentSpec],
        timeout_s: float,
        trial: TrialOfSearch | None = None,
    ) -> None:
        """Prepare the observation; the loggers are opened by the first update.

        Args:
            run: the tracked run if the training begins now.
            run_id: id of this run of posescope.
            loggers: components of `experiment_loggers`.
            timeout_s: how long `close` waits for them, in seconds.
            trial: place of the trial; None: the training belongs to no search, or to one that `run.parent` names already.
        """
        self._trial = trial
        self._run, self._run_id = run, run_id
        self._specs, self._timeout_s = tuple(loggers), timeout_s
        self._loggers: tuple[GuardedLogger, ...] | None = None
        self._progress = Progress()

    def update(self, fingerprint: str, history: tuple[EpochRecord, ...], image_grids: Path | None) -> None:
        """Pass all epochs so far to the loggers, which log those that they lack."""
        if self._loggers is None:
            self._loggers = self._open(fingerprint, is_resumed=bool(history))
        if self._loggers:
            self._progress = Progress(tuple(map(_epoch_of, history)), _images_in(image_grids))
            for logger in self._loggers:
                logger.submit(self._progress)

    def close(self, error: BaseException | None = None) -> None:
        """Wait for the loggers, at most for the time limit; for one that has failed in an earlier trial only briefly.

        Args:
            error: exception that ended the training; None: the training is complete.
        """
        loggers = self._loggers or ()
        if self._run.parent is not None:  # a trial ends with its training; other runs are evaluated afterwards
            for logger in loggers:
                logger.submit(replace(self._progress, outcome=_outcome_of(error)))
        is_slow = self._run.parent is not None and any(logger.has_failed for logger in loggers)
        close_loggers(loggers, min(self._timeout_s, _SHORT_S) if is_slow else self._timeout_s)
        self._loggers = ()

    def _open(self, fingerprint: str, is_resumed: bool) -> tuple[GuardedLogger, ...]:
        try:
            run = self._run_of_search(is_resumed)
            name = resolve_name(run.folder, self._run_id, fingerprint, run.name, is_resumed)
        except (PosescopeError, OSError) as error:
            log.warning("Experiment loggers are off in this training; its results are complete without them. %s", error)
            return ()
        parent = run.parent and replace(run.parent, name=name.partition("/")[0])
        return open_loggers(replace(run, name=name, parent=parent), self._specs)

    def _run_of_search(self, is_resumed: bool) -> TrackedRun:
        """Return the tracked run, below the run of the process that began its search.

        Args:
            is_resumed: whether an earlier process trained some epochs of this trial.
        """
        run, trial = self._run, self._trial
        if trial is None or run.parent is None:
            return run
        continues = is_resumed or trial.number > 1
        begun = resolve_name(run.folder, self._run_id, trial.search, run.parent.name, is_resumed=continues)
        return replace(run, name=f"{begun}/{run.name.rpartition('/')[2]}")


def open_loggers(run: TrackedRun, specs: Sequence[ComponentSpec]) -> tuple[GuardedLogger, ...]:
    """Start the loggers of a tracked run, each in a thread of its own.

    Args:
        run: the tracked run.
        specs: components of `experiment_loggers`.
    """
    place = run.folder / (run.parent or run).name
    # Two loggers of one name, such as two servers, fail independently of each other.
    return tuple(GuardedLogger(spec.name, partial(_build, spec, run), f"{place} {spec!r}") for spec in specs)


def close_loggers(loggers: Sequence[GuardedLogger], timeout_s: float) -> None:
    """Close the loggers, and wait for all of them together at most for the time limit.

    Args:
        loggers: the loggers.
        timeout_s: limit in seconds.
    """
    deadline = time.monotonic() + timeout_s
    for logger in loggers:
        logger.close(deadline)


def _build(spec: ComponentSpec, run: TrackedRun) -> Any:
    return build("experiment_loggers", spec, run=run)


def _outcome_of(error: BaseException | None) -> Outcome:
    """Return the outcome of a trial whose training ended with an exception; None: without one."""
    if error is None:
        return Outcome("completed")
    text = " ".join(str(error).split())
    if isinstance(error, TrainingStoppedError):
        return Outcome("pruned", text)
    is_interrupted = isinstance(error, KeyboardInterrupt | SystemExit)
    return Outcome("interrupted" if is_interrupted else "failed", f"{type(error).__name__}: {text}")


def _epoch_of(record: EpochRecord) -> Epoch:
    values = {
        "train_loss": record.train_loss,
        "val_loss": record.val_loss,
        "val_pck_thesis": record.val_pck_thesis,
        "learning_rate": record.learning_rate,
        "epoch_s": record.seconds,
    }
    return Epoch(record.epoch, values)


def _images_in(folder: Path | None) -> tuple[EpochImage, ...]:
    paths = sorted(folder.glob("epoch_*.png")) if folder else []
    named = [(re.fullmatch(r"epoch_(\d+)", path.stem), path) for path in paths]
    return tuple(EpochImage(int(found[1]), path) for found, path in named if found)
