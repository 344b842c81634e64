"""The contract of the group `posescope.experiment_loggers`, and the check that the packages of a logger are installed.

    component(options, run: TrackedRun) -> ExperimentLogger

A logger is built and called in a thread of its own, never in the thread that trains, so it may wait for a server and may raise
any exception. Its packages are imported where it is built, not by its module.
"""

from collections.abc import Collection, Iterable, Sequence
from importlib.util import find_spec
from typing import Protocol

from posescope.core.extras import MissingPackageError
from posescope.core.plugins import ComponentSpec, load_component
from posescope.tracking.records import Epoch, EpochImage, Outcome

__all__ = ["ExperimentLogger", "check_installed"]


class ExperimentLogger(Protocol):
    """A run of a tracker that is open for writing."""

    def logged_epochs(self) -> Collection[int]:
        """Return the numbers of the epochs that the tracker holds already, from an earlier process of the same run."""
        ...

    def log_epochs(self, epochs: Sequence[Epoch]) -> None:
        """Log the metrics of epochs that it does not hold yet."""
        ...

    def log_image(self, image: EpochImage) -> None:
        """Log an image grid; it comes before the metrics of its epoch."""
        ...

    def finish(self, outcome: Outcome) -> None:
        """Log the metrics and files of the whole run, and its status."""
        ...

    def close(self) -> None:
        """Write what is not written yet; the run may be continued by another process."""
        ...


def check_installed(loggers: Iterable[ComponentSpec]) -> None:
    """Check that the modules of all loggers are installed. A component names them in its attribute `requires`.

    Args:
        loggers: components of `experiment_loggers`.

    Raises:
        MissingPackageError: a module is missing.
    """
    for spec in loggers:
        for module in getattr(load_component("experiment_loggers", spec.name), "requires", ()):
            if find_spec(module) is None:
                raise MissingPackageError(f"tracking.loggers: {spec.name}", module, "track")
