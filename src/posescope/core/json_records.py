"""Records that are written as one JSON list, without all of them in memory: the poses of a long video, for example."""

import json
import shutil
import textwrap
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

from posescope.core.files import atomic_write

__all__ = ["JsonRecords"]

_SPOOLED_BYTES = 16 * 1024**2  # of records in memory


class JsonRecords:
    """Records that become one JSON list; until it is written they are on the disk, so the memory does not grow.

    Example:
        >>> records = JsonRecords()
        >>> records.append({"score": 0.5})
        >>> len(records)
        1
    """

    def __init__(self) -> None:
        self._count = 0
        self._spool = SpooledTemporaryFile(_SPOOLED_BYTES, mode="w+", encoding="utf-8")  # noqa: SIM115 (closed with the object)

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Remove the records from the disk."""
        self._spool.close()

    def append(self, record: Any) -> None:
        """Add a record.

        Args:
            record: JSON-like content.

        Raises:
            ValueError: if a number is NaN or infinite.
        """
        text = textwrap.indent(json.dumps(record, indent=2, sort_keys=True, allow_nan=False), "  ")
        self._spool.write(f",\n{text}" if self._count else text)
        self._count += 1

    def write(self, path: Path) -> None:
        """Write the file that `write_json` writes of a list of these records, atomically.

        Args:
            path: The file.
        """
        self._spool.seek(0)
        with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as sink:
            sink.write("[\n" if self._count else "[")
            shutil.copyfileobj(self._spool, sink)
            sink.write("\n]\n" if self._count else "]\n")
