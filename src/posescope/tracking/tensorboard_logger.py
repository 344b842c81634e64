"""Experiment logger for TensorBoard: event files in one folder per run, written by PyTorch's writer."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import Field

from posescope.core.mirrors import publish_changed
from posescope.core.plugins import Options
from posescope.tracking.records import Epoch, EpochImage, Outcome, TrackedRun

__all__ = ["TensorBoardLogger", "TensorBoardOptions"]

# One chart for both losses, and one for each other value.
_TAGS = {
    "train_loss": "loss/train",
    "val_loss": "loss/validation",
    "val_pck_thesis": "pck_thesis/validation",
    "learning_rate": "learning_rate",
    "epoch_s": "epoch_s",
}
_IMAGE = "validation_persons"
# Parameters of the page HPARAMS, which shows the first few of them; the page TEXT has all.
_RECIPE = ("modelling.", "data_engineering.")


class TensorBoardOptions(Options):
    """Options of the logger `tensorboard`."""

    folder: str | None = Field(
        None, description="Folder with a folder of event files per run; null: 08_reporting/tensorboard of data_dir"
    )
    images: bool = Field(True, description="Whether image grids are logged")


class TensorBoardLogger:
    """Write the scalars, image grids and parameters of a run as event files of TensorBoard."""

    Options = TensorBoardOptions
    requires = ("tensorboard",)

    def __init__(self, options: TensorBoardOptions, run: TrackedRun) -> None:
        """Open the folder of the run; it may hold event files of an earlier process."""
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 (extra `track`)

        root = Path(options.folder).expanduser() if options.folder else run.folder / "tensorboard"
        self._options, self._run = options, run
        self.folder = root / run.name.replace(":", ".")
        self._last_epoch, self._is_new = 0, not any(self.folder.glob("events.*"))
        self._writer: Any = SummaryWriter(str(self.folder))

    def logged_epochs(self) -> frozenset[int]:
        """Return the epochs of the event files; a new run gets its parameters first."""
        if self._is_new:
            self._writer.add_text("parameters", _as_table(self._run.parameters))
            self._writer.add_text("run", _as_table(self._run.facts))
            return frozenset()
        steps = _read_steps(self.folder, _TAGS["val_loss"])
        self._last_epoch = max(steps, default=0)
        return steps

    def log_epochs(self, epochs: Sequence[Epoch]) -> None:
        """Write the metrics as scalars; the step is the epoch."""
        for epoch in epochs:
            for name, value in epoch.values.items():
                self._writer.add_scalar(_TAGS.get(name, name), value, epoch.number)
            self._last_epoch = max(self._last_epoch, epoch.number)
        self._writer.flush()

    def log_image(self, image: EpochImage) -> None:
        """Write an image grid; the step is the epoch."""
        if self._options.images:
            self._writer.add_image(_IMAGE, _read_image(image.path), image.epoch, dataformats="HWC")

    def finish(self, outcome: Outcome) -> None:
        """Write final metrics as scalars and as results of the parameters (the page HPARAMS), images, and places of the files."""
        values = {
            f"final/{metric.name}{end}": value
            for metric in outcome.metrics
            for end, value in (("", metric.value), ("_low", metric.low), ("_high", metric.high))
            if value is not None
        }
        for name, value in values.items():
            self._writer.add_scalar(name, value, self._last_epoch)
        if self._options.images:
            for name, path in outcome.images.items():
                self._writer.add_image(f"final/{name}", _read_image(path), self._last_epoch, dataformats="HWC")
        ended = {"status": outcome.status, **({"error": outcome.error} if outcome.error else {})}
        self._writer.add_text("end", _as_table({**ended, **outcome.files}), self._last_epoch)
        self._write_parameters(values, outcome)

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()
        publish_changed(self.folder)

    def _write_parameters(self, values: Mapping[str, float], outcome: Outcome) -> None:
        """Write the parameters with the metrics that they led to, without intervals; TensorBoard compares runs by them."""
        from torch.utils.tensorboard.summary import hparams  # noqa: PLC0415

        chosen = {f"final/{metric.name}": values[f"final/{metric.name}"] for metric in outcome.metrics}
        flat = {
            name: value if isinstance(value, bool | int | float | str) else json.dumps(value)
            for namespace in _RECIPE
            for name, value in self._run.parameters.items()
            if name.startswith(namespace)
        }
        for summary in hparams(flat, chosen):  # type: ignore[no-untyped-call]
            self._writer.file_writer.add_summary(summary)


def _read_steps(folder: Path, tag: str) -> frozenset[int]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 1, "tensors": 1}).Reload()
    return frozenset(event.step for event in found.Scalars(tag)) if tag in found.Tags()["scalars"] else frozenset()


def _read_image(path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _as_table(rows: Mapping[str, Any]) -> str:
    """Return a table in Markdown, which TensorBoard renders."""
    lines = [f"| `{name}` | `{str(value).replace('`', chr(39)).replace('|', '/')}` |" for name, value in rows.items()]
    return "\n".join(["| name | value |", "|---|---|", *lines])
