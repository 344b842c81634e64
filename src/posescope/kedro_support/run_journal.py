"""The journal of a run: a file with one line per node that starts or ends, and per dataset that is saved.

Nodes of a `ParallelRunner` write to it from other processes, and it survives a killed run. The record of the run is made from it
at the end; then it is removed.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = ["JournalContent", "RunJournal"]

Event = Literal["started", "computed", "saved"]


@dataclass
class JournalContent:
    """Content of a journal.

    Attributes:
        started: Names of the nodes whose inputs were loaded, in order.
        computed: Names of the nodes whose function has returned.
        saved: Node -> names of the datasets that it saved.
        read: Dataset -> path from which a node loaded it.
    """

    started: list[str] = field(default_factory=list)
    computed: set[str] = field(default_factory=set)
    saved: dict[str, set[str]] = field(default_factory=dict)
    read: dict[str, str] = field(default_factory=dict)


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

    def read(self) -> JournalContent:
        """Return the content; a line that was truncated by a kill is ignored."""
        content = JournalContent()
        text = self.path.read_text(encoding="utf-8") if self.path.is_file() else ""
        for line in text.splitlines(keepends=True):
            if line.endswith("\n"):
                _add(content, json.loads(line))
        return content

    def remove(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def _add(content: JournalContent, line: Mapping[str, Any]) -> None:
    node, event = line["node"], line["event"]
    if event == "started":
        content.started += [] if node in content.started else [node]
        content.read |= line["read"]
    elif event == "computed":
        content.computed.add(node)
    else:
        content.saved.setdefault(node, set()).add(line["dataset"])
