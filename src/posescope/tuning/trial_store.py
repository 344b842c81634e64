"""The folder of searches: a file per finished trial, so that an interrupted search can be continued.

    <folder>/<fingerprint>/trial_0003.json        a finished trial, written atomically
                           trial_0004/            the running trial, or one whose process died; removed when it is finished
                             attempts.json        number of starts
                             <fingerprint>/       checkpoints

Searches with other data, another space or another recipe have another fingerprint and folder.
"""

from dataclasses import dataclass
from pathlib import Path

from posescope.core.errors import DataError
from posescope.core.files import read_json, remove_leftovers, write_json
from posescope.core.mirrors import remove
from posescope.training.checkpoint_store import CheckpointStore
from posescope.tuning.records import TrialRecord

__all__ = ["SearchFolder", "TuningStore"]

_ATTEMPTS = "attempts.json"


@dataclass(frozen=True)
class TuningStore:
    """Folder of searches, written by one process at a time."""

    root: Path

    def is_finished(self) -> bool:
        """Whether a trial of any search is finished; there is no last one, since `trials` may be raised."""
        return any(self.root.glob("*/trial_*.json"))

    def search(self, fingerprint: str) -> "SearchFolder":
        """Return the folder of the search with this fingerprint."""
        return SearchFolder(self.root / fingerprint)


@dataclass(frozen=True)
class SearchFolder:
    """Folder of one search, named by its fingerprint. Trials are numbered from 1."""

    root: Path

    def trials(self) -> tuple[TrialRecord, ...]:
        """Return the finished trials in order.

        Raises:
            DataError: if one cannot be read, or one between others is missing.
        """
        remove_leftovers(self.root)
        paths = sorted(self.root.glob("trial_*.json"))
        expected = [self._record_path(number) for number in range(1, len(paths) + 1)]
        if paths != expected:
            missing = next(path for path, found in zip(expected, paths, strict=True) if path != found)
            raise DataError(
                f"{missing}: expected this trial, since there are later ones. Remove {self.root} to start the search again."
            )
        return tuple(TrialRecord.from_dict(read_json(path)) for path in paths)

    def begin(self, number: int) -> int:
        """Record the start of a trial, and return the number of its starts, including this one."""
        path = self._folder(number) / _ATTEMPTS
        attempt = int(read_json(path)["attempts"]) + 1 if path.exists() else 1
        write_json(path, {"attempts": attempt})
        return attempt

    def checkpoints(self, number: int) -> CheckpointStore:
        """Return the checkpoint store of a running trial."""
        return CheckpointStore(self._folder(number))

    def finish(self, record: TrialRecord) -> None:
        """Write the record of a finished trial and remove its checkpoints."""
        write_json(self._record_path(record.number), record.to_dict())
        remove(self._folder(record.number))

    def _record_path(self, number: int) -> Path:
        return self.root / f"trial_{number:04d}.json"

    def _folder(self, number: int) -> Path:
        return self._record_path(number).with_suffix("")
