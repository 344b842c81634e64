"""The folder of searches: a file for each trial that is over, so that a killed search goes on where it was.

    <folder>/<fingerprint>/trial_0003.json        written when the trial is over, all at once
                           trial_0004/            of the trial that is running, or whose process died; gone when it is over
                             attempts.json        how often it was begun
                             <fingerprint>/       checkpoints

A trial without a file is not over, whatever became of its process. Other data, another space or another recipe have another
fingerprint, and so a folder of their own.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from posescope.core.errors import DataError
from posescope.core.files import read_json, remove_leftovers, write_json
from posescope.training.checkpoint_store import CheckpointStore
from posescope.tuning.records import TrialRecord

__all__ = ["TuningStore"]

_ATTEMPTS = "attempts.json"


@dataclass(frozen=True)
class TuningStore:
    """Owns the folder. Nodes get it from the catalog; one process at a time may fill it."""

    root: Path

    def is_finished(self) -> bool:
        """True once a trial of any search is over: there is no last one, for `trials` may be raised."""
        return any(self.root.glob("*/trial_*.json"))

    def trials(self, fingerprint: str) -> tuple[TrialRecord, ...]:
        """The trials that are over, in order.

        Raises:
            DataError: if one cannot be read, or one in between is missing.
        """
        folder = self.root / fingerprint
        remove_leftovers(folder)
        paths = sorted(folder.glob("trial_*.json"))
        expected = [self._place(fingerprint, number) for number in range(1, len(paths) + 1)]
        if paths != expected:
            missing = next(path for path, found in zip(expected, paths, strict=True) if path != found)
            raise DataError(f"{missing}: this trial is missing, but later ones are there. Remove {folder} to search anew.")
        return tuple(TrialRecord.from_dict(read_json(path)) for path in paths)

    def begin(self, fingerprint: str, number: int) -> int:
        """Note that a trial begins, and return how often it has, this time included."""
        path = self._workplace(fingerprint, number) / _ATTEMPTS
        attempt = int(read_json(path)["attempts"]) + 1 if path.exists() else 1
        write_json(path, {"attempts": attempt})
        return attempt

    def checkpoints(self, fingerprint: str, number: int) -> CheckpointStore:
        """Where the checkpoints of a running trial go."""
        return CheckpointStore(self._workplace(fingerprint, number))

    def finish(self, fingerprint: str, record: TrialRecord) -> None:
        """Write the record of a trial that is over; its checkpoints go."""
        write_json(self._place(fingerprint, record.number), record.to_dict())
        shutil.rmtree(self._workplace(fingerprint, record.number), ignore_errors=True)

    def _place(self, fingerprint: str, number: int) -> Path:
        return self.root / fingerprint / f"trial_{number:04d}.json"

    def _workplace(self, fingerprint: str, number: int) -> Path:
        return self._place(fingerprint, number).with_suffix("")
