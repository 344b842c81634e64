"""Checkpoints of training runs: a killed run goes on where its last whole epoch ended, and comes to the same numbers.

    <folder>/<fingerprint>/epoch_0003/tensors.safetensors   network, optimiser, average, generators
                                      state.json            epoch, step, history, the rest of the optimiser
    <folder>/<fingerprint>/finished.json                    the run is over: its model is saved elsewhere

The fingerprint stands for options and data: a run of other options has a folder of its own, and is left alone. No pickle.
"""

import dataclasses
import json
import logging
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file, save_file
from torch import Tensor

from posescope.errors import DataError
from posescope.files import atomic_folder, read_json, write_json
from posescope.training.records import EpochRecord, best_record

__all__ = ["CheckpointError", "CheckpointStore", "TrainingState"]

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
TENSORS, STATE, FINISHED = "tensors.safetensors", "state.json", "finished.json"


class CheckpointError(DataError):
    """A checkpoint cannot be read."""


@dataclass(frozen=True)
class TrainingState:
    """Everything from which a run goes on.

    Attributes:
        fingerprint: of options and data.
        epoch: how many are complete.
        step: optimiser steps so far.
        history: one record a complete epoch.
        tensors: by name; the first word says whose: `network.`, `average.`, `optimiser.`, `generator.`.
        optimiser: JSON-like: what the optimiser keeps beside tensors.
    """

    fingerprint: str
    epoch: int
    step: int
    history: tuple[EpochRecord, ...]
    tensors: Mapping[str, Tensor]
    optimiser: Mapping[str, Any] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with `prefix.`, without it."""
        head = f"{prefix}."
        return {name.removeprefix(head): tensor for name, tensor in self.tensors.items() if name.startswith(head)}


class CheckpointStore:
    """Owns a folder of runs. Nothing is read or made before it is needed."""

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def latest(self, fingerprint: str) -> TrainingState | None:
        """The last state of the unfinished run of this fingerprint; None if there is none.

        Raises:
            CheckpointError: if the checkpoint is damaged or of a newer format.
        """
        self._log_others(fingerprint)
        run = self.root / fingerprint
        epochs = self._epochs(fingerprint)
        if (run / FINISHED).exists() or not epochs:
            return None
        return self.read(fingerprint, epochs[-1])

    def begin(self, fingerprint: str) -> None:
        """Make room for a run from the start: a finished one of the same fingerprint is removed, with a log message."""
        run = self.root / fingerprint
        if (run / FINISHED).exists():
            log.info("%s: a finished run of the same options and data; its checkpoints make room for the new run.", run)
            shutil.rmtree(run)

    def save(self, state: TrainingState, keep: int) -> None:
        """Write the checkpoint of an epoch; then remove all but the last `keep` and the best."""
        with atomic_folder(self._place(state.fingerprint, state.epoch)) as folder:
            tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
            save_file(tensors, folder / TENSORS)
            write_json(folder / STATE, _to_json(state))
        kept = {*self._epochs(state.fingerprint)[-keep:], best_record(state.history).epoch}
        for epoch in set(self._epochs(state.fingerprint)) - kept:
            shutil.rmtree(self._place(state.fingerprint, epoch))
        for half_written in (self.root / state.fingerprint).glob(".epoch_*.tmp"):  # by a run that was killed
            shutil.rmtree(half_written)

    def read(self, fingerprint: str, epoch: int) -> TrainingState:
        """The state after one epoch.

        Raises:
            CheckpointError: if it is missing, damaged or of a newer format.
        """
        place = self._place(fingerprint, epoch)
        try:
            content = read_json(place / STATE)
            if content["format_version"] > FORMAT_VERSION:
                raise CheckpointError(f"{place}: format {content['format_version']}; this version reads up to {FORMAT_VERSION}.")
            return _from_json(content, load_file(place / TENSORS))
        except CheckpointError:
            raise
        except (DataError, OSError, KeyError, TypeError, safetensors.SafetensorError) as error:
            raise CheckpointError(f"{place}: not a whole checkpoint ({error!r}); remove it to go on without.") from error

    def finish(self, fingerprint: str) -> None:
        """Mark a run as over: it is never resumed, and its checkpoints go when it is begun again.

        Call it only when the trained model is saved: until then the checkpoints are all there is of it.

        Raises:
            CheckpointError: if there is no such run.
        """
        epochs = self._epochs(fingerprint)
        if not epochs:
            raise CheckpointError(f"{self.root / fingerprint}: no run with a checkpoint here that could be marked as finished.")
        write_json(self.root / fingerprint / FINISHED, {"epochs": epochs[-1]})

    def _place(self, fingerprint: str, epoch: int) -> Path:
        return self.root / fingerprint / f"epoch_{epoch:04d}"

    def _epochs(self, fingerprint: str) -> list[int]:
        return sorted(int(path.name.removeprefix("epoch_")) for path in (self.root / fingerprint).glob("epoch_*"))

    def _log_others(self, fingerprint: str) -> None:
        runs = sorted(path for path in self.root.glob("*") if path.is_dir() and path.name != fingerprint)
        for run in runs:
            if not (run / FINISHED).exists() and self._epochs(run.name):
                log.info("%s: an unfinished run of other options or data; it is left where it is.", run)


def _to_json(state: TrainingState) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "fingerprint": state.fingerprint,
        "epoch": state.epoch,
        "step": state.step,
        "history": [_without_nan(dataclasses.asdict(record)) for record in state.history],
        # Through text and back, so that a value that JSON cannot hold is refused here and not at the resume.
        "optimiser": json.loads(json.dumps(state.optimiser, allow_nan=False)),
    }


def _from_json(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> TrainingState:
    return TrainingState(
        fingerprint=content["fingerprint"],
        epoch=content["epoch"],
        step=content["step"],
        history=_read_history(content["history"]),
        tensors=tensors,
        optimiser=content["optimiser"],
    )


def _without_nan(record: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN: null stands for it."""
    return {name: value if math.isfinite(value) else None for name, value in record.items()}


def _read_history(rows: Sequence[Mapping[str, Any]]) -> tuple[EpochRecord, ...]:
    return tuple(EpochRecord(**_with_nan(row)) for row in rows)


def _with_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in row.items()}
