"""Tests of posescope.training.progress."""

import io
from collections.abc import Iterator

import pytest

from posescope.training.progress import TrainingProgress


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Clock that advances by ten seconds per batch."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def batches(self, *sizes: int) -> Iterator[list[int]]:
        for size in sizes:
            self.now_s += 10
            yield [0] * size


def test_remaining_time_is_that_of_the_whole_run() -> None:
    clock = Clock()
    progress = TrainingProgress(epochs=3, persons=6, clock=clock, stream=io.StringIO())
    assert list(map(len, progress.watch(clock.batches(4, 2), epoch=1))) == [4, 2]
    # 6 persons in 20 s, then a validation of 10 s: 5 s per person. 12 persons remain.
    clock.now_s += 10
    assert progress.remaining_s(epoch=2, done=0) == pytest.approx(60)
    assert progress.remaining_s(epoch=3, done=4) == pytest.approx(10)


def test_remaining_time_of_a_resumed_run_uses_its_own_speed() -> None:
    clock = Clock()
    progress = TrainingProgress(epochs=10, persons=4, clock=clock, stream=io.StringIO())
    list(progress.watch(clock.batches(4), epoch=9))
    assert progress.remaining_s(epoch=10, done=0) == pytest.approx(10)


def test_bar_shows_loss_pck_speed_and_remaining_time() -> None:
    clock, screen = Clock(), Screen()
    progress = TrainingProgress(epochs=17, persons=6, clock=clock, stream=screen)
    progress.note_pck(0.43125)
    for number, _ in enumerate(progress.watch(clock.batches(3, 3), epoch=3)):
        progress.note_loss(0.5 / (number + 1))
    # At the end of epoch 3: 14 epochs of 6 persons, 20 s for 6 persons. tqdm may not have printed all before.
    last = [line for line in screen.getvalue().split("\r") if "epoch 3/17" in line]
    assert last
    assert "persons/s" in screen.getvalue()
    assert progress._values(3, 6) == {"loss": "0.25", "PCK": "0.431", "remaining": "0:04:40"}


def test_no_bar_in_a_log_file() -> None:
    clock, log_file = Clock(), io.StringIO()
    progress = TrainingProgress(epochs=1, persons=2, clock=clock, stream=log_file)
    list(progress.watch(clock.batches(2), epoch=1))
    assert log_file.getvalue() == ""
