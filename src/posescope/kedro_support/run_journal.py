"""The journal of a run: a line for every node that begins or ends, and for every dataset that is saved.

It is a file: the nodes of a `ParallelRunner` run in other processes, and a killed run leaves word of what it had made. The record
of the run is made from it at the end; then it is removed.
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
    """What a journal says.

    Attributes:
        started: names of the nodes whose inputs were loaded, in order.
        computed: of those whose function has returned.
        saved: names of the datasets that each node has saved.
        read: where each dataset lay that a node has loaded.
    """

    started: list[str] = field(default_factory=list)
    computed: set[str] = field(default_factory=set)
    saved: dict[str, set[str]] = field(default_factory=dict)
    read: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunJournal:
    """The journal of one run; several processes and threads may write to it.

    Attributes:
        path: of its file.
    """

    path: Path

    def note(self, node: str, event: Event, **more: Any) -> None:
        """Append a line; a single write, so that lines of several writers do not mix."""
        line = json.dumps({"node": node, "event": event, **more}) + "\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    def read(self) -> JournalContent:
        """Return what was noted; a line that was cut short by a kill is left out."""
        content = JournalContent()
        text = self.path.read_text(encoding="utf-8") if self.path.is_file() else ""
        for line in text.splitlines(keepends=True):
            if line.endswith("\n"):
                _add(content, json.loads(line))
        return content

    def remove(self) -> None:
        """Remove the file, once all of it is in the record."""
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
