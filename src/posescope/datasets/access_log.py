"""The access log of the test set."""

from pathlib import Path, PurePosixPath
from typing import Any, Literal

from kedro.io import AbstractDataset, DatasetError, Version

from posescope.core.errors import DataError
from posescope.evaluation.access_log import AccessLog

__all__ = ["AccessLogDataset"]


class AccessLogDataset(AbstractDataset[AccessLog, AccessLog]):
    """An `AccessLog`. The file has no versions; with `versioned: true` the log knows the run of an access.

    The catalog has two entries, as for a store (docs/decisions/0001-stores.md): a workspace, which always exists, and a result,
    which exists once the access of the run is completed.

    Example:
    ```yaml
    test_access_log:
      type: posescope.datasets.AccessLogDataset
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
        """Create the dataset.

        Args:
            filepath: path of the JSON file.
            version: version of Kedro.
            role: `workspace` or `result`.
            data_dir: data folder of the run, recorded with the access.
            metadata: read by Kedro-Viz.
        """
        if role not in ("workspace", "result"):
            raise DatasetError(f"AccessLogDataset: role: expected 'workspace' or 'result', found '{role}'.")
        self._filepath = PurePosixPath(filepath)
        self._version = version
        self._role = role
        self._data_dir = data_dir
        self.metadata = metadata

    def load(self) -> AccessLog:
        """Return the log; as a result, only if its last access is completed."""
        log = self._log()
        if self._role == "result" and not log.is_finished():
            raise DataError(f"{self._filepath}: no access to the test set is completed.")
        return log

    def save(self, data: AccessLog) -> None:
        """Check that the node returned the log of this file with its access completed; its content is on disk already."""
        if not isinstance(data, AccessLog) or data.root != Path(self._filepath) or not data.is_finished():
            raise DatasetError(f"Expected the log {self._filepath} with its last access completed, found {data!r}.")

    def _exists(self) -> bool:
        return self._role == "workspace" or self._log().is_finished()

    def _log(self) -> AccessLog:
        return AccessLog(Path(self._filepath), self._version.save if self._version else None, self._data_dir)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "role": self._role}
