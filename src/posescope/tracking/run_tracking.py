"""The tracking of one run of posescope: observers for its trainings, and its end.

    with use_tracking(tracking):                   # a hook of the run
        train(..., observer=observe_training())    # a node

Without parameters in `tracking.loggers` there is no tracking, and no logger is imported.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from posescope.core.flat_parameters import flatten_parameters
from posescope.tracking.options import TrackingOptions
from posescope.tracking.records import Outcome, Progress, TrackedRun
from posescope.tracking.tracked_names import read_run_name
from posescope.tracking.training_observer import TrainingTracker, TrialOfSearch, close_loggers, open_loggers

__all__ = ["RunTracking", "observe_training", "observe_trial", "use_tracking"]

_FACTS = ("run_id", "env", "started_utc", "runner")


@dataclass(frozen=True)
class RunTracking:
    """The experiment loggers of a run of posescope.

    Attributes:
        options: parameters `tracking`.
        run: the tracked run, under the id of the run of posescope.
    """

    options: TrackingOptions
    run: TrackedRun

    @classmethod
    def of_record(cls, record: Mapping[str, Any], folder: Path) -> "RunTracking":
        """Return the tracking of a run.

        Args:
            record: content of run.json.
            folder: folder of the reports (`08_reporting`).
        """
        parameters = {name: value for name, value in record["parameters"].items() if name != "tracking"}
        facts = {name: str(record[name]) for name in _FACTS if record.get(name) is not None}
        facts |= {"pipelines": ", ".join(record["pipelines"])}
        facts |= {f"version.{name}": str(value) for name, value in record["versions"].items() if value is not None}
        run = TrackedRun(record["run_id"], folder, flatten_parameters(parameters), facts)
        return cls(TrackingOptions.model_validate(record["parameters"].get("tracking", {})), run)

    def observe_training(self) -> TrainingTracker:
        """Return the observer of the training of this run."""
        return TrainingTracker(self.run, self.run.name, self.options.loggers, self.options.timeout_s)

    def observe_trial(self, number: int, values: Mapping[str, Any], search: str) -> TrainingTracker:
        """Return the observer of a trial of a search.

        Args:
            number: number of the trial, from 1.
            values: searched parameters by their dotted paths.
            search: fingerprint of the search; a resumed search continues the tracked run that it began.
        """
        parameters = {**self.run.parameters, **flatten_parameters(values)}
        run = replace(self.run, name=f"{self.run.name}/trial_{number:04d}", parameters=parameters, parent=self.run)
        place = TrialOfSearch(search, number)
        return TrainingTracker(run, self.run.name, self.options.loggers, self.options.timeout_s, place)

    def finish(self, outcome: Outcome) -> None:
        """Log the end of the run in the tracked run of its training, at most for the time limit.

        Args:
            outcome: how the run ended, with its metrics and files.

        Raises:
            DataError: the note of the training is damaged.
        """
        run = replace(self.run, name=read_run_name(self.run.folder, self.run.name))
        loggers = open_loggers(run, self.options.loggers)
        for logger in loggers:
            logger.submit(Progress(outcome=outcome))
        close_loggers(loggers, self.options.timeout_s)


_CURRENT: ContextVar[RunTracking | None] = ContextVar("run_tracking", default=None)


@contextmanager
def use_tracking(tracking: RunTracking | None) -> Iterator[None]:
    """Run the code of this block with the tracking of a run; None: without one."""
    before = _CURRENT.set(tracking)
    try:
        yield
    finally:
        _CURRENT.reset(before)


def observe_training() -> TrainingTracker | None:
    """Return an observer of the training of the current run; None: it is not tracked."""
    tracking = _CURRENT.get()
    return tracking.observe_training() if tracking else None


def observe_trial(number: int, values: Mapping[str, Any], search: str) -> TrainingTracker | None:
    """Return an observer of a trial of the current run; None: it is not tracked.

    Args:
        number: number of the trial, from 1.
        values: searched parameters by their dotted paths.
        search: fingerprint of the search.
    """
    tracking = _CURRENT.get()
    return tracking.observe_trial(number, values, search) if tracking else None
