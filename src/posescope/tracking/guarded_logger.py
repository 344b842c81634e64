"""An experiment logger that cannot end or delay a training: it runs in a thread of its own, and its first failure
is one warning. A second one follows if the end of the run could not be logged.

    training ──submit(progress)──> slot of one ──> thread: log the epochs that the tracker lacks

The slot holds the newest progress only, which contains all earlier ones: a slow tracker costs no memory, and after a failure the
next attempt logs all that is missing.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import count

from posescope.tracking.base import ExperimentLogger
from posescope.tracking.records import Progress

__all__ = ["GuardedLogger"]

log = logging.getLogger(__name__)

_ATTEMPTS, _PAUSE_S = 3, 2.0  # for the end of a run, which no later progress repeats

# Loggers of this process that have failed, by scope and name: the training and the end of a run have one warning together.
_FAILED: set[tuple[str, str]] = set()
_NUMBERS = count()


class GuardedLogger:
    """Logs the progress of one run by one logger."""

    def __init__(self, name: str, open_logger: Callable[[], ExperimentLogger], scope: str = "") -> None:
        """Start the thread; nothing is opened yet.

        Args:
            name: name of the logger, for messages.
            open_logger: function that opens the run of the tracker; called in the thread, and again after a failure.
            scope: run of posescope and options of the logger; the logger warns of failures once in it. Empty: this object warns
                once. That the end of a run is not logged is always a warning.
        """
        self.name, self._key = name, (scope or f"logger {next(_NUMBERS)}", name)
        self._open_logger = open_logger
        self._logger: ExperimentLogger | None = None
        self._logged: set[int] = set()
        self._condition = threading.Condition()
        self._is_failing = False
        self._pending: Progress | None = None
        self._is_closing = False
        self._outcome_is_missing = False
        # A daemon: a tracker that never answers does not keep the process alive.
        self._thread = threading.Thread(target=self._run, name=f"experiment-logger-{name}", daemon=True)
        self._thread.start()

    @property
    def has_failed(self) -> bool:
        """Whether it, or another logger of its name in its scope, has failed before."""
        return self._key in _FAILED

    def submit(self, progress: Progress) -> None:
        """Log a progress later; never waits and never raises.

        Args:
            progress: all that is known of the run; it replaces one that is not logged yet.
        """
        with self._condition:
            self._pending = progress
            self._outcome_is_missing |= progress.outcome is not None
            self._condition.notify()

    def close(self, deadline: float) -> None:
        """Wait until all is logged and the logger is closed, at most until a time.

        Args:
            deadline: time of `time.monotonic`, in seconds.
        """
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._warn("it has not answered in time (tracking.timeout_s)")
            self._warn_of_missing_outcome()

    def _run(self) -> None:
        while (progress := self._next()) is not None:
            attempts = _ATTEMPTS if progress.outcome else 1
            while not self._try(partial(self._log, progress)) and (attempts := attempts - 1):
                time.sleep(_PAUSE_S)
            if progress.outcome and not attempts:
                self._warn_of_missing_outcome()
        self._close_logger()

    def _next(self) -> Progress | None:
        """Wait for the next progress; None: there will be none."""
        with self._condition:
            self._condition.wait_for(lambda: self._pending is not None or self._is_closing)
            progress, self._pending = self._pending, None
            return progress

    def _log(self, progress: Progress) -> None:
        if self._logger is None:
            self._logger = self._open_logger()
            self._logged = set(self._logger.logged_epochs())
        missing = {epoch.number: epoch for epoch in progress.epochs if epoch.number not in self._logged}
        for image in progress.images:
            if image.epoch in missing:  # before the metrics, which tell a later process that the epoch is complete
                self._logger.log_image(image)
        if missing:
            self._logger.log_epochs(list(missing.values()))
            self._logged.update(missing)
        if progress.outcome is not None:
            self._logger.finish(progress.outcome)
            self._outcome_is_missing = False

    def _try(self, action: Callable[[], None]) -> bool:
        """Return whether the action succeeded; otherwise the logger is closed, and the next action opens it again."""
        try:
            action()
            if self._is_failing:
                self._is_failing = False
                log.info("Experiment logger %s works again, and has what it missed.", self.name)
        except Exception as error:  # a tracker may raise anything, and must not end the training
            self._warn(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
            log.debug("Experiment logger %s failed.", self.name, exc_info=True)
            self._close_logger()
            self._is_failing = True
            return False
        return True

    def _close_logger(self) -> None:
        """Close the logger; the next progress opens it again."""
        logger, self._logger = self._logger, None
        if logger is not None:
            self._try(logger.close)

    def _warn_of_missing_outcome(self) -> None:
        """Warn that the end of the run is not logged, if there is one: the tracker shows the run as running."""
        with self._condition:
            is_missing, self._outcome_is_missing = self._outcome_is_missing, False
        if is_missing:
            log.warning(
                "Experiment logger %s has not logged the end of the run (status, final metrics, files); the tracker may show "
                "it as running. The results of the run are complete without it.",
                self.name,
            )

    def _warn(self, reason: str) -> None:
        with self._condition:
            if self._key in _FAILED:
                return
            _FAILED.add(self._key)
        log.warning(
            "Experiment logger %s failed; the run continues, and its results are complete without it. %s", self.name, reason
        )
