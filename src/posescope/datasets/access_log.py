"""The ledger of the test set."""

from pathlib import Path, PurePosixPath
from typing import Any, Literal

from kedro.io import AbstractDataset, DatasetError, Version

from posescope.core.errors import DataError
from posescope.evaluation.access_log import AccessLog

__all__ = ["AccessLogDataset"]


class AccessLogDataset(AbstractDataset[AccessLog, AccessLog]):
    """A `AccessLog`. The file itself has no versions; `versioned: true` tells the ledger which run opens the seal.

    Like a store it stands twice in the catalog: as workspace, which is always there, and as result, which is there once the use
    of the run is completed (docs/decisions/0001-stores.md).

    Example:
    ```yaml
    test_access_log:
      type: posescope.datasets.LedgerDataset
      filepath: data/08_reporting/test_access_log.json
      data_dir: data
      versioned: true
    ```
    """

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        role: Literal["workspace", "result"] = "result",
        data_dir: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Args: filepath: the JSON file; version: Kedro's; role: see above; data_dir: of the run, for it to be found again from
        its use; metadata: for Kedro-Viz.
        """
        if role not in ("workspace", "result"):
            raise DatasetError(f"LedgerDataset: role: expected 'workspace' or 'result', found '{role}'.")
        self._filepath = PurePosixPath(filepath)
        self._version = version
        self._role = role
        self._data_dir = data_dir
        self.metadata = metadata

    def load(self) -> AccessLog:
        """The ledger; as a result, only once the use of the run (or the last one) is completed."""
        ledger = self._ledger()
        if self._role == "result" and not ledger.is_finished():
            raise DataError(f"{self._filepath}: no use of the test set is completed here yet.")
        return ledger

    def save(self, data: AccessLog) -> None:
        """See that the node gives back the ledger of this file, with its use completed. Its content is on disk already."""
        if not isinstance(data, AccessLog) or data.root != Path(self._filepath) or not data.is_finished():
            raise DatasetError(f"Expected the ledger {self._filepath} with its last use completed, found {data!r}.")

    def _exists(self) -> bool:
        return self._role == "workspace" or self._ledger().is_finished()

    def _ledger(self) -> AccessLog:
        return AccessLog(Path(self._filepath), self._version.save if self._version else None, self._data_dir)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "role": self._role}
