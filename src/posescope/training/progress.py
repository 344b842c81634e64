"""The bar of a training run: loss, last validation PCK, persons a second, and the time that the whole run still takes.

epoch 3/17:  45%|████▌     | 558/1240 [00:12<00:15, 46.1 persons/s, loss=0.0312, PCK=0.431, run left=0:07:51]
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TextIO

from tqdm import tqdm

from posescope.training.batches import Batch

__all__ = ["TrainingProgress"]


class TrainingProgress:
    """Shows the epochs of one process, which may have begun in the middle of a run."""

    def __init__(
        self,
        epochs: int,
        persons: int,
        clock: Callable[[], float] = time.perf_counter,
        stream: TextIO | None = None,
        shown: bool = True,
    ) -> None:
        """Args: epochs: of the run; persons: of an epoch; clock: seconds; stream: where to (None: stderr); shown: or not."""
        self.epochs, self.persons = epochs, persons
        self._clock, self._stream = clock, stream
        # None: no bar where nobody watches (a log file).
        self._hidden = None if shown else True
        self._started_s, self._trained = clock(), 0
        self._loss, self._pck = "?", "?"

    def watch(self, batches: Iterable[Batch], epoch: int) -> Iterator[Batch]:
        """Pass the batches of an epoch on, while the bar counts their persons."""
        title, hidden, stream = f"epoch {epoch}/{self.epochs}", self._hidden, self._stream
        with tqdm(desc=title, total=self.persons, unit=" persons", leave=False, disable=hidden, file=stream) as bar:
            for batch in batches:
                yield batch
                self._trained += len(batch)
                bar.set_postfix(self._figures(epoch, int(bar.n) + len(batch)), refresh=False)
                bar.update(len(batch))

    def note_loss(self, loss: float) -> None:
        """The loss of the last step."""
        self._loss = f"{loss:.3g}"

    def note_pck(self, pck: float) -> None:
        """The PCK of the last validation."""
        self._pck = f"{pck:.3f}"

    def seconds_left(self, epoch: int, done: int) -> float:
        """Until the end of the run, at the speed so far, validations included.

        Args:
            epoch: the current one, 1-based.
            done: persons of it that are trained.
        """
        left = (self.epochs - epoch + 1) * self.persons - done
        return left * (self._clock() - self._started_s) / max(self._trained, 1)

    def _figures(self, epoch: int, done: int) -> dict[str, str]:
        left = timedelta(seconds=round(self.seconds_left(epoch, done)))
        return {"loss": self._loss, "PCK": self._pck, "run left": str(left)}
