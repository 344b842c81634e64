"""Tests of guarded experiment loggers: nothing that a logger does ends or delays the caller."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from posescope.tracking import guarded_logger
from posescope.tracking.guarded_logger import GuardedLogger
from posescope.tracking.records import Epoch, EpochImage, Outcome, Progress


class Memory:
    """A logger that keeps what it gets; `fails` counts the calls of `log_epochs` that raise."""

    def __init__(self, known: Sequence[int] = (), fails: int = 0) -> None:
        self.known, self.fails = list(known), fails
        self.epochs: list[int] = []
        self.images: list[int] = []
        self.outcomes: list[Outcome] = []
        self.closed = 0

    def logged_epochs(self) -> list[int]:
        return [*self.known, *self.epochs]

    def log_epochs(self, epochs: Sequence[Epoch]) -> None:
        if self.fails:
            self.fails -= 1
            raise ConnectionError("gone\nfor good")
        self.epochs += [epoch.number for epoch in epochs]

    def log_image(self, image: EpochImage) -> None:
        self.images.append(image.epoch)

    def finish(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def close(self) -> None:
        self.closed += 1


def progress_of(count: int, **more: object) -> Progress:
    images = tuple(EpochImage(number, Path(f"{number}.png")) for number in range(2, count + 1, 2))
    return Progress(tuple(Epoch(number, {"val_loss": 1.0}) for number in range(1, count + 1)), images, **more)


def close(logger: GuardedLogger, limit_s: float = 10) -> None:
    logger.close(time.monotonic() + limit_s)


def test_every_epoch_and_image_is_logged_once():
    memory = Memory()
    logger = GuardedLogger("memory", lambda: memory)
    for count in (0, 1, 2, 3, 4):
        logger.submit(progress_of(count))
    close(logger)
    assert (memory.epochs, memory.images, memory.outcomes, memory.closed) == ([1, 2, 3, 4], [2, 4], [], 1)


def test_epochs_that_the_tracker_holds_are_not_logged_again():
    memory = Memory(known=(1, 2))
    logger = GuardedLogger("memory", lambda: memory)
    logger.submit(progress_of(4, outcome=Outcome("completed")))
    close(logger)
    assert (memory.epochs, memory.images, [outcome.status for outcome in memory.outcomes]) == ([3, 4], [4], ["completed"])


def test_unused_logger_is_never_opened():
    close(GuardedLogger("memory", lambda: pytest.fail("opened")))


def test_failure_is_one_warning_and_the_missing_epochs_follow(caplog):
    memory = Memory(fails=2)
    logger = GuardedLogger("memory", lambda: memory)
    for count in (1, 2, 3):
        closed = memory.closed
        logger.submit(progress_of(count))
        while count < 3 and memory.closed == closed:
            time.sleep(0.001)
    with caplog.at_level(logging.INFO):
        close(logger)
    assert memory.epochs == [1, 2, 3]
    assert "works again" in caplog.records[-1].getMessage()
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "memory" in warning
    assert "ConnectionError: gone for good" in warning


def test_logger_that_never_answers_is_left_behind_with_one_warning(caplog):
    logger = GuardedLogger("slow", lambda: time.sleep(60))
    started = time.monotonic()
    for count in (1, 2, 3):
        logger.submit(progress_of(count))
    assert time.monotonic() - started < 0.05
    close(logger, limit_s=0.1)
    close(logger, limit_s=0.1)
    assert time.monotonic() - started < 1
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "slow" in warning
    assert "timeout_s" in warning


def test_end_of_a_run_is_tried_again(monkeypatch):
    monkeypatch.setattr(guarded_logger, "_PAUSE_S", 0.01)
    memory = Memory(fails=2)
    logger = GuardedLogger("memory", lambda: memory)
    logger.submit(progress_of(1, outcome=Outcome("completed")))
    close(logger)
    assert (memory.epochs, len(memory.outcomes)) == ([1], 1)


def test_training_and_end_of_a_run_warn_once(caplog, tmp_path):
    for _ in range(2):
        logger = GuardedLogger("memory", lambda: Memory(fails=1), scope=str(tmp_path))
        logger.submit(progress_of(1))
        close(logger)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1


@pytest.mark.parametrize("limit_s", [10, 0])
def test_end_that_is_not_logged_is_always_a_warning(caplog, tmp_path, monkeypatch, limit_s):
    monkeypatch.setattr(guarded_logger, "_PAUSE_S", 0.2)
    for outcome in (None, Outcome("completed")):
        logger = GuardedLogger("memory", lambda: Memory(fails=3), scope=str(tmp_path))
        logger.submit(progress_of(1, outcome=outcome))
        close(logger, limit_s if outcome else 10)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 2
    assert "end of the run" in warnings[1]
