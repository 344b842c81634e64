"""Progress bar of a training run: loss, last validation PCK, persons per second, and the remaining time of the run.

epoch 3/17:  45%|████▌     | 558/1240 [00:12<00:15, 46.1 persons/s, loss=0.0312, PCK=0.431, remaining=0:07:51]
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TextIO

from tqdm import tqdm

from posescope.training.batches import Batch

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """Progress of the epochs of one process, which may have started in the middle of a run.

    Args:
        epochs: number of epochs of the run.
        persons: number of persons per epoch.
        clock: returns seconds.
        stream: where the bar is written; None: stderr.
        shown: whether there is a bar; there is none if the output is no terminal.
    """

    def __init__(
        self,
        epochs: int,
        persons: int,
        clock: Callable[[], float] = time.perf_counter,
        stream: TextIO | None = None,
        shown: bool = True,
    ) -> None:
        self.epochs, self.persons = epochs, persons
        self._clock, self._stream = clock, stream
        self._disabled = None if shown else True  # None: tqdm disables the bar where the output is no terminal
        self._started_s, self._trained = clock(), 0
        self._loss, self._pck = "?", "?"

    def watch(self, batches: Iterable[Batch], epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch and count their persons."""
        title, disabled, stream = f"epoch {epoch}/{self.epochs}", self._disabled, self._stream
        with tqdm(desc=title, total=self.persons, unit=" persons", leave=False, disable=disabled, file=stream) as bar:
            for batch in batches:
                yield batch
                self._trained += len(batch)
                bar.set_postfix(self._values(epoch, int(bar.n) + len(batch)), refresh=False)
                bar.update(len(batch))

    def note_loss(self, loss: float) -> None:
        """Show the loss of the last step."""
        self._loss = f"{loss:.3g}"

    def note_pck(self, pck: float) -> None:
        """Show the PCK of the last validation."""
        self._pck = f"{pck:.3f}"

    def remaining_s(self, epoch: int, done: int) -> float:
        """Return the seconds until the end of the run at the present speed, including validations.

        Args:
            epoch: number of the present epoch, from 1.
            done: number of its persons that are trained.
        """
        remaining = (self.epochs - epoch + 1) * self.persons - done
        return remaining * (self._clock() - self._started_s) / max(self._trained, 1)

    def _values(self, epoch: int, done: int) -> dict[str, str]:
        remaining = timedelta(seconds=round(self.remaining_s(epoch, done)))
        return {"loss": self._loss, "PCK": self._pck, "remaining": str(remaining)}
