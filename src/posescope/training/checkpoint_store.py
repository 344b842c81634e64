"""Checkpoints of training runs: a killed run goes on where its last whole epoch ended, and comes to the same numbers.

    <folder>/<fingerprint>/epoch_0003/      one checkpoint (`checkpoint_files`)
    <folder>/<fingerprint>/finished.json    the run is over: its model is saved elsewhere

The fingerprint stands for options and data: a run of other options has a folder of its own, and is left alone.
"""

import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posescope.core.files import atomic_folder, remove_leftovers, write_json
from posescope.training.checkpoint_state import (
    CheckpointError,
    DamagedCheckpointError,
    TrainingState,
    read_checkpoint,
    write_checkpoint,
)
from posescope.training.records import best_record

__all__ = ["CheckpointError", "CheckpointStore", "DamagedCheckpointError", "TrainingState"]

log = logging.getLogger(__name__)

FINISHED = "finished.json"
_SHOWN_DIFFERENCES = 6


class CheckpointStore:
    """Owns a folder of runs. Nothing is read or made before it is needed. A run is written by one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def latest(self, fingerprint: str) -> TrainingState | None:
        """The last whole state of the unfinished run of this fingerprint; None if there is none.

        A damaged checkpoint is passed over with a warning, and the one before it is taken.

        Raises:
            CheckpointError: if there are checkpoints but none is whole, or one is of another format or another run.
        """
        run = self.root / fingerprint
        epochs = self._epochs(fingerprint)
        if (run / FINISHED).exists() or not epochs:
            return None
        for epoch in reversed(epochs):
            try:
                return self._read_with_best(fingerprint, epoch)
            except DamagedCheckpointError as error:
                log.warning("%s The checkpoint before it is taken.", error)
        raise CheckpointError(f"{run}: none of its checkpoints is whole. Remove this folder to train from the start.")

    def require(self, run: str, fingerprint: str, run_identity: Mapping[str, Any]) -> None:
        """See that `run` can be gone on with by a run of this fingerprint.

        Raises:
            CheckpointError: if it has no checkpoint, is finished, or is of other options or data; the message tells which.
        """
        epochs = self._epochs(run)
        if not epochs:
            raise CheckpointError(
                f"{self.root / run}: there is no checkpoint of a run '{run}'. "
                f"Runs here: {', '.join(self._runs()) or 'none'}. Set modelling.training.resume to one of them or to null."
            )
        if run != fingerprint:
            there = read_checkpoint(self._place(run, epochs[-1])).run_identity
            raise CheckpointError(
                f"{self.root / run}: refused, for this run is of other options or data ({_differences(there, run_identity)}). "
                f"Put them back to go on with it, or set modelling.training.resume to null: then run '{fingerprint}' is "
                "trained, and this one is left alone."
            )
        if (self.root / run / FINISHED).exists():
            raise CheckpointError(
                f"{self.root / run}: refused, for this run is finished and its model is saved. "
                "Set modelling.training.resume to null to train it again."
            )

    def begin(self, fingerprint: str) -> None:
        """Make room for a run from the start: a finished one of the same fingerprint is removed, with a log message."""
        run = self.root / fingerprint
        if (run / FINISHED).exists():
            log.info("%s: a finished run of the same options and data; its checkpoints make room for the new run.", run)
            for epoch in self._epochs(fingerprint):
                _remove(self._place(fingerprint, epoch))
            shutil.rmtree(run)  # the mark goes last: until then a killed process has left a finished run

    def clean(self, fingerprint: str) -> None:
        """Remove what killed processes of this run left half-written."""
        remove_leftovers(self.root / fingerprint)

    def save(self, state: TrainingState, keep: int) -> None:
        """Write the checkpoint of an epoch; then `prune`."""
        with atomic_folder(self._place(state.fingerprint, state.epoch)) as folder:
            write_checkpoint(folder, state)
        self.prune(state, keep)

    def prune(self, state: TrainingState, keep: int) -> None:
        """Remove all but the last `keep` up to this state, and the best as each of these saw it.

        So each of the last `keep` is enough to go on from, should those after it be damaged.
        """
        last = [epoch for epoch in self._epochs(state.fingerprint) if epoch <= state.epoch][-keep:]
        kept = {*last, *(best_record(state.history[:epoch]).epoch for epoch in last)}
        for epoch in set(self._epochs(state.fingerprint)) - kept:
            _remove(self._place(state.fingerprint, epoch))

    def read(self, fingerprint: str, epoch: int) -> TrainingState:
        """The state after one epoch.

        Raises:
            CheckpointError: if it is missing, damaged, of another format or of another run.
        """
        place = self._place(fingerprint, epoch)
        state = read_checkpoint(place)
        if state.fingerprint != fingerprint:
            raise CheckpointError(
                f"{place}: refused, for this checkpoint is of run '{state.fingerprint}', which has other options or data. "
                "Was the folder renamed or copied? Move it back."
            )
        return state

    def finish(self, fingerprint: str) -> None:
        """Mark a run as over: it is never resumed, and its checkpoints go when it is begun again.

        Call it only when the trained model is saved: until then the checkpoints are all there is of it. A run that is marked, or
        whose checkpoints somebody has removed since, stays as it is.
        """
        epochs, mark = self._epochs(fingerprint), self.root / fingerprint / FINISHED
        if epochs and not mark.is_file():
            write_json(mark, {"epochs": epochs[-1]})

    def _read_with_best(self, fingerprint: str, epoch: int) -> TrainingState:
        """The state, once its best epoch is known to be whole too: the model may have to come from there."""
        state = self.read(fingerprint, epoch)
        best = best_record(state.history).epoch
        if best != epoch:
            self.read(fingerprint, best)
        return state

    def _place(self, fingerprint: str, epoch: int) -> Path:
        return self.root / fingerprint / f"epoch_{epoch:04d}"

    def _epochs(self, fingerprint: str) -> list[int]:
        return sorted(int(path.name.removeprefix("epoch_")) for path in (self.root / fingerprint).glob("epoch_*"))

    def _runs(self) -> list[str]:
        return sorted(path.name for path in self.root.glob("*") if path.is_dir() and self._epochs(path.name))

    def log_others(self, fingerprint: str) -> None:
        """Say which unfinished runs lie here that are not of this fingerprint."""
        for run in self._runs():
            if run != fingerprint and not (self.root / run / FINISHED).exists():
                log.info("%s: an unfinished run of other options or data; it is left where it is.", self.root / run)


def _remove(place: Path) -> None:
    """Rename, then remove: a process killed meanwhile leaves nothing that looks like a checkpoint."""
    condemned = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    os.replace(place, condemned)
    shutil.rmtree(condemned)


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """What differs between two runs, as `name: there 1, here 2`."""
    first, second = _flatten(there), _flatten(here)
    names = [name for name in sorted({*first, *second}) if first.get(name) != second.get(name)]
    told = [f"{name}: there {first.get(name)!r}, here {second.get(name)!r}" for name in names[:_SHOWN_DIFFERENCES]]
    more = [f"and {len(names) - len(told)} more"] if len(names) > len(told) else []
    return "; ".join([*told, *more]) or "their fingerprints differ"


def _flatten(content: Any, name: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}; lists are taken as they are."""
    if not isinstance(content, Mapping):
        return {name: list(content) if isinstance(content, tuple) else content}
    return {key: value for part, inner in content.items() for key, value in _flatten(inner, f"{name}.{part}".lstrip(".")).items()}
