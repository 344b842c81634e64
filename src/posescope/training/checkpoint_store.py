"""Store of the checkpoints of training runs: a killed run continues after its last complete epoch, with the same results.

    <folder>/<fingerprint>/epoch_0003/      one checkpoint (`checkpoint_state`)
    <folder>/<fingerprint>/finished.json    the run is finished and its model is saved elsewhere

The fingerprint is computed of options and data, so a run with other options has its own folder.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from posescope.core.files import atomic_folder, remove_leftovers, write_json
from posescope.core.mirrors import remote_of, remove
from posescope.training.checkpoint_state import (
    STATE,
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
    """Folder with the checkpoints of runs, each written by one process at a time.

    Args:
        folder: folder of the runs; it is created by the first `save`.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def latest(self, fingerprint: str) -> TrainingState | None:
        """Return the last intact state of an unfinished run, or None if there is no such run.

        A damaged checkpoint is skipped with a warning, and the previous one is used.

        Raises:
            CheckpointError: All checkpoints are damaged, or one has another format or belongs to another run.
        """
        run = self.root / fingerprint
        epochs = self._epochs(fingerprint)
        if (run / FINISHED).exists() or not epochs:
            return None
        for epoch in reversed(epochs):
            try:
                return self._read_with_best(fingerprint, epoch)
            except DamagedCheckpointError as error:
                log.warning("%s Using the previous checkpoint.", error)
        raise CheckpointError(f"{run}: all checkpoints are damaged. Remove this folder to train from the start.")

    def check_resumable(self, run: str, fingerprint: str, run_identity: Mapping[str, Any]) -> None:
        """Check that a run can be resumed.

        Args:
            run: name of the run to resume.
            fingerprint: fingerprint of the present options and data.
            run_identity: JSON-like options and data that `fingerprint` is computed of.

        Raises:
            CheckpointError: The run has no checkpoint, is finished, or has other options or data, which the message lists.
        """
        epochs = self._epochs(run)
        if not epochs:
            raise CheckpointError(
                f"{self.root / run}: no checkpoint of a run '{run}'. Found runs: {', '.join(self._runs()) or 'none'}. "
                "Set modelling.training.resume to one of them or to null."
            )
        if run != fingerprint:
            stored = read_checkpoint(self._place(run, epochs[-1])).run_identity
            raise CheckpointError(
                f"{self.root / run}: the run has other options or data ({_differences(stored, run_identity)}). Restore them to "
                f"resume it, or set modelling.training.resume to null to train run '{fingerprint}' and keep this one."
            )
        if (self.root / run / FINISHED).exists():
            raise CheckpointError(
                f"{self.root / run}: the run is finished and its model is saved. "
                "Set modelling.training.resume to null to train it again."
            )

    def begin(self, fingerprint: str) -> None:
        """Prepare a run from the start: remove a finished run of the same fingerprint, with a log message."""
        run = self.root / fingerprint
        if (run / FINISHED).exists():
            log.info("%s: removing the checkpoints of a finished run with the same options and data.", run)
            for epoch in self._epochs(fingerprint):
                remove(self._place(fingerprint, epoch))
            remove(run)  # finished.json is removed last: if the process is killed before, the run is still finished

    def clean(self, fingerprint: str) -> None:
        """Remove incomplete files of killed processes of this run."""
        remove_leftovers(self.root / fingerprint)

    def save(self, state: TrainingState, keep: int) -> None:
        """Write the checkpoint of an epoch and remove old ones (`prune`).

        Args:
            state: state after the epoch.
            keep: number of latest checkpoints to keep, >= 1.
        """
        with atomic_folder(self._place(state.fingerprint, state.epoch)) as folder:
            write_checkpoint(folder, state)
        self.prune(state, keep)

    def prune(self, state: TrainingState, keep: int) -> None:
        """Remove old checkpoints.

        The last `keep` stay, and for each of them the best checkpoint until then, so that each of them suffices to continue if
        later ones are damaged.

        Args:
            state: the last state.
            keep: number of latest checkpoints to keep, >= 1.
        """
        last = [epoch for epoch in self._epochs(state.fingerprint) if epoch <= state.epoch][-keep:]
        kept = {*last, *(best_record(state.history[:epoch]).epoch for epoch in last)}
        for epoch in set(self._epochs(state.fingerprint)) - kept:
            remove(self._place(state.fingerprint, epoch))

    def read(self, fingerprint: str, epoch: int) -> TrainingState:
        """Return the state after an epoch.

        Args:
            fingerprint: fingerprint of the run.
            epoch: number of the epoch, from 1.

        Raises:
            CheckpointError: The checkpoint is missing or damaged, has another format or belongs to another run.
        """
        place = self._place(fingerprint, epoch)
        state = read_checkpoint(place)
        if state.fingerprint != fingerprint:
            raise CheckpointError(
                f"{place}: expected a checkpoint of run '{fingerprint}', found one of run '{state.fingerprint}', which has other "
                "options or data. If the folder was renamed or copied, move it back."
            )
        return state

    def finish(self, fingerprint: str) -> None:
        """Mark a run as finished: it is not resumed, and its checkpoints are removed when it begins again.

        Call it after the trained model is saved: until then the model exists only as checkpoints. A finished run, or one without
        checkpoints, is not changed.
        """
        epochs, mark = self._epochs(fingerprint), self.root / fingerprint / FINISHED
        if epochs and not mark.is_file():
            write_json(mark, {"epochs": epochs[-1]})

    def _read_with_best(self, fingerprint: str, epoch: int) -> TrainingState:
        """Return the state if its best epoch is intact too, since the final weights may be those."""
        state = self.read(fingerprint, epoch)
        best = best_record(state.history).epoch
        if best != epoch:
            self.read(fingerprint, best)
        return state

    def _place(self, fingerprint: str, epoch: int) -> Path:
        return self.root / fingerprint / f"epoch_{epoch:04d}"

    def _epochs(self, fingerprint: str) -> list[int]:
        """Return the epochs with a checkpoint, which may be damaged.

        In an object store a folder without `state.json`, which is uploaded last, is what a killed process left: no checkpoint.
        """
        places = (self.root / fingerprint).glob("epoch_*")
        is_stored = remote_of(self.root) is not None
        found = (place for place in places if not is_stored or (place / STATE).is_file())
        return sorted(int(place.name.removeprefix("epoch_")) for place in found)

    def _runs(self) -> list[str]:
        return sorted(path.name for path in self.root.glob("*") if path.is_dir() and self._epochs(path.name))

    def unfinished_runs(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the name and the run identity of each unfinished run; runs without an intact checkpoint are left out."""
        for run in self._runs():
            if (self.root / run / FINISHED).exists():
                continue
            for epoch in reversed(self._epochs(run)):
                try:
                    yield run, read_checkpoint(self._place(run, epoch)).run_identity
                except CheckpointError:
                    continue
                break

    def log_others(self, fingerprint: str) -> None:
        """Log the other unfinished runs of the store."""
        for run in self._runs():
            if run != fingerprint and not (self.root / run / FINISHED).exists():
                log.info("%s: an unfinished run with other options or data; it is kept.", self.root / run)


def _differences(stored: Mapping[str, Any], present: Mapping[str, Any]) -> str:
    """Return the differences of two runs as `name: stored 1, now 2`."""
    first, second = _flatten(stored), _flatten(present)
    names = [name for name in sorted({*first, *second}) if first.get(name) != second.get(name)]
    shown = [f"{name}: stored {first.get(name)!r}, now {second.get(name)!r}" for name in names[:_SHOWN_DIFFERENCES]]
    more = [f"and {len(names) - len(shown)} more"] if len(names) > len(shown) else []
    return "; ".join([*shown, *more]) or "the fingerprints differ"


def _flatten(content: Any, name: str = "") -> dict[str, Any]:
    """Return nested mappings as one mapping of dotted names, {"a": {"b": 1}} -> {"a.b": 1}; lists are values."""
    if not isinstance(content, Mapping):
        return {name: list(content) if isinstance(content, tuple) else content}
    return {key: value for part, inner in content.items() for key, value in _flatten(inner, f"{name}.{part}".lstrip(".")).items()}
