"""The access log of the test set."""

from pathlib import Path
from typing import Any, Literal

from kedro.io import Version

from posescope.datasets.stores import StoreDataset
from posescope.evaluation.access_log import AccessLog

__all__ = ["AccessLogDataset"]

_CLASS = f"{AccessLog.__module__}.{AccessLog.__qualname__}"


class AccessLogDataset(StoreDataset):
    """An `AccessLog`: a store that is finished once its last access is completed.

    The file has no versions; with `versioned: true` the log knows the run of an access.

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
        super().__init__(store=_CLASS, filepath=filepath, role=role, metadata=metadata)
        self._version = version
        self._data_dir = data_dir

    def _open(self) -> AccessLog:
        return AccessLog(Path(self._filepath), self._version.save if self._version else None, self._data_dir)
