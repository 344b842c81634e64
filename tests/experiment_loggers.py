"""Experiment loggers for tests: one that writes its calls to a file, one that fails, one that never answers."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from posescope.core.plugins import Options
from posescope.tracking.records import Epoch, EpochImage, Outcome, TrackedRun

__all__ = ["FILE", "FAILING", "HANGING", "FailingLogger", "FileLogger", "HangingLogger", "read_calls"]

FILE, FAILING, HANGING = (f"tests.experiment_loggers:{kind}Logger" for kind in ("File", "Failing", "Hanging"))


class NoOptions(Options):
    pass


class FileLogger:
    """Writes a line of JSON per call to `<folder>/<run>.jsonl`."""

    Options = NoOptions

    def __init__(self, options: NoOptions, run: TrackedRun) -> None:
        self.path = run.folder / f"{run.name.replace('/', '_')}.jsonl"
        self.known = {call["epoch"] for call in read_calls(self.path) if call["call"] == "epoch"}
        self._write(
            "open", parent=run.parent.name if run.parent else None, parameters=dict(run.parameters), facts=dict(run.facts)
        )

    def _write(self, call: str, **content: Any) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps({"call": call, **content}) + "\n")

    def logged_epochs(self) -> set[int]:
        return self.known

    def log_epochs(self, epochs: Sequence[Epoch]) -> None:
        for epoch in epochs:
            self._write("epoch", epoch=epoch.number, values=dict(epoch.values))

    def log_image(self, image: EpochImage) -> None:
        self._write("image", epoch=image.epoch, name=image.path.name)

    def finish(self, outcome: Outcome) -> None:
        metrics = {metric.name: [metric.value, metric.low, metric.high] for metric in outcome.metrics}
        self._write(
            "finish", status=outcome.status, error=outcome.error, metrics=metrics,
            files={name: str(path) for name, path in outcome.files.items()}, images=sorted(outcome.images),
        )  # fmt: skip

    def close(self) -> None:
        self._write("close")


class FailingLogger:
    """Cannot be opened, as if its server were gone."""

    Options = NoOptions

    def __init__(self, options: NoOptions, run: TrackedRun) -> None:
        raise ConnectionError("no server")


class HangingLogger:
    """Never answers."""

    Options = NoOptions

    def __init__(self, options: NoOptions, run: TrackedRun) -> None:
        threading.Event().wait()


def read_calls(path: Path) -> list[dict[str, Any]]:
    """Return the calls of a `FileLogger`."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
