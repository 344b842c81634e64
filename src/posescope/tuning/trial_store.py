"""The folder of searches: a file per finished trial, so that an interrupted search can be continued.

    <folder>/<fingerprint>/trial_0003.json        a finished trial, written atomically
                           trial_0004/            the running trial, or one whose process died; removed when it is finished
                             attempts.json        number of starts
                             <fingerprint>/       checkpoints

Searches with other data, another space or another recipe have another fingerprint and folder.
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
    """Folder of searches, written by one process at a time."""

    root: Path

    def is_finished(self) -> bool:
        """Whether a trial of any search is finished; there is no last one, since `trials` may be raised."""
        return any(self.root.glob("*/trial_*.json"))

    def trials(self, fingerprint: str) -> tuple[TrialRecord, ...]:
        """Return the finished trials in order.

        Raises:
            DataError: if one cannot be read, or one between others is missing.
        """
        folder = self.root / fingerprint
        remove_leftovers(folder)
        paths = sorted(folder.glob("trial_*.json"))
        expected = [self._record_path(fingerprint, number) for number in range(1, len(paths) + 1)]
        if paths != expected:
            missing = next(path for path, found in zip(expected, paths, strict=True) if path != found)
            raise DataError(
                f"{missing}: expected this trial, since there are later ones. Remove {folder} to start the search again."
            )
        return tuple(TrialRecord.from_dict(read_json(path)) for path in paths)

    def begin(self, fingerprint: str, number: int) -> int:
        """Record the start of a trial.

        Args:
            fingerprint: fingerprint of the search.
            number: number of the trial, from 1.

        Returns:
            The number of its starts, including this one.
        """
        path = self._folder(fingerprint, number) / _ATTEMPTS
        attempt = int(read_json(path)["attempts"]) + 1 if path.exists() else 1
        write_json(path, {"attempts": attempt})
        return attempt

    def checkpoints(self, fingerprint: str, number: int) -> CheckpointStore:
        """Return the checkpoint store of a running trial.

        Args:
            fingerprint: fingerprint of the search.
            number: number of the trial, from 1.
        """
        return CheckpointStore(self._folder(fingerprint, number))

    def finish(self, fingerprint: str, record: TrialRecord) -> None:
        """Write the record of a finished trial and remove its checkpoints.

        Args:
            fingerprint: fingerprint of the search.
            record: record of the trial.
        """
        write_json(self._record_path(fingerprint, record.number), record.to_dict())
        shutil.rmtree(self._folder(fingerprint, record.number), ignore_errors=True)

    def _record_path(self, fingerprint: str, number: int) -> Path:
        return self.root / fingerprint / f"trial_{number:04d}.json"

    def _folder(self, fingerprint: str, number: int) -> Path:
        return self._record_path(fingerprint, number).with_suffix("")
