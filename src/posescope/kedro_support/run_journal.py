"""The journal of a run: a file with one line per node that starts or ends, and per dataset that is saved.

Nodes of a `ParallelRunner` write to it from other processes, and it survives a killed run. The record of the run is made from it
at the end; then it is removed.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["RunJournal"]

Event = Literal["started", "computed", "saved"]


@dataclass(frozen=True)
class RunJournal:
    """The journal of a run; processes and threads may write to it concurrently.

    Attributes:
        path: The file.
    """

    path: Path

    def append(self, node: str, event: Event, **details: Any) -> None:
        """Append a line in a single write, so that lines of several writers do not mix.

        Args:
            node: Name of the node.
            event: Kind of the line.
            **details: `read` (paths) for started, `dataset` for saved.
        """
        line = json.dumps({"node": node, "event": event, **details}) + "\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    def read(self) -> list[dict[str, Any]]:
        """Return the lines, each with `node`, `event` and its details; a line that was truncated by a kill is ignored."""
        text = self.path.read_text(encoding="utf-8") if self.path.is_file() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def remove(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)
