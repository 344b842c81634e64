"""The contract of an observer of a training, which the caller passes in: an experiment logger, for example."""

from pathlib import Path
from typing import Protocol

from posescope.training.records import EpochRecord

__all__ = ["TrainingObserver", "TrainingStoppedError"]


class TrainingStoppedError(Exception):
    """A callback ends a training on purpose, as when a search prunes a trial: the training has not failed."""


class TrainingObserver(Protocol):
    """Is called by the main process of a training; it must not wait for other programs. An exception of it is one warning.

    With several training processes it is pickled and sent to the main one.
    """

    def update(self, fingerprint: str, history: tuple[EpochRecord, ...], image_grids: Path | None) -> None:
        """Take note of the epochs so far: once at the start, with the epochs of earlier processes, and after each checkpoint.

        Args:
            fingerprint: fingerprint of the training.
            history: all finished epochs, in order.
            image_grids: folder with the image grids of this training (`epoch_0005.png`); None: there are none.
        """
        ...

    def close(self, error: BaseException | None = None) -> None:
        """End the observation in this process.

        Args:
            error: exception that ended the training; None: the training is complete.
        """
        ...
