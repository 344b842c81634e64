"""Tests of the experiment logger for TensorBoard: its event files are read by TensorBoard itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from posescope.core.plugins import ComponentSpec, build
from posescope.tracking.records import Epoch, EpochImage, FinalMetric, Outcome, TrackedRun

pytest.importorskip("tensorboard", reason="needs the extra track")

RUN = "2026-01-01T10:00:00.000Z"
PARAMETERS = {"modelling.training.seed": 0, "modelling.model.name": "hourglass", "crop.size_px": [96, 72], "patience": None}


def open_logger(reports: Path, **options: Any) -> Any:
    spec = ComponentSpec(name="posescope.tracking.tensorboard_logger:TensorBoardLogger", options=options)
    return build("experiment_loggers", spec, run=TrackedRun(RUN, reports, PARAMETERS, {"pipelines": "modelling"}))


def epochs_of(*numbers: int) -> list[Epoch]:
    return [Epoch(number, {"train_loss": 1.0 / number, "val_loss": 2.0 / number, "learning_rate": 0.01}) for number in numbers]


def read_events(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415 (extra `track`)

    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0}).Reload()


def write_image(path: Path) -> Path:
    Image.fromarray(np.full((4, 6, 3), 200, np.uint8)).save(path)
    return path


def test_run_of_two_processes_has_every_epoch_once(tmp_path: Path) -> None:
    image = write_image(tmp_path / "epoch_0002.png")
    first = open_logger(tmp_path)
    assert first.logged_epochs() == frozenset()
    first.log_epochs(epochs_of(1))
    first.close()
    second = open_logger(tmp_path)
    assert second.logged_epochs() == {1}
    second.log_image(EpochImage(2, image))
    second.log_epochs(epochs_of(2, 3))
    second.finish(Outcome("completed", metrics=(FinalMetric("val/oks", 0.5, 0.25, 0.75),), images={"crop_grid": image}))
    second.close()
    folder = tmp_path / "tensorboard" / "2026-01-01T10.00.00.000Z"
    found = read_events(folder)
    assert [(event.step, event.value) for event in found.Scalars("loss/train")] == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    finals = {tag: found.Scalars(tag)[0] for tag in found.Tags()["scalars"] if tag.startswith("final/")}
    assert {tag: (event.step, event.value) for tag, event in finals.items()} == {
        "final/val/oks": (3, 0.5), "final/val/oks_low": (3, 0.25), "final/val/oks_high": (3, 0.75),
    }  # fmt: skip
    assert [event.step for event in found.Images("validation_persons")] == [2]
    assert [event.step for event in found.Images("final/crop_grid")] == [3]
    tables = {tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in found.Tags()["tensors"]}
    assert "| `crop.size_px` | `[96, 72]` |" in tables["parameters/text_summary"]
    assert "| `status` | `completed` |" in tables["end/text_summary"]


def test_folder_and_images_are_options(tmp_path: Path) -> None:
    logger = open_logger(tmp_path / "reports", folder=str(tmp_path / "elsewhere"), images=False)
    logger.logged_epochs()
    logger.log_image(EpochImage(1, tmp_path / "missing.png"))
    logger.close()
    assert not (tmp_path / "reports").exists()
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["2026-01-01T10.00.00.000Z"]


def test_failed_run_has_its_error(tmp_path: Path) -> None:
    logger = open_logger(tmp_path)
    logger.logged_epochs()
    logger.finish(Outcome("failed", "DataError: a|b"))
    logger.close()
    found = read_events(next((tmp_path / "tensorboard").iterdir()))
    text = found.Tensors("end/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| `error` | `DataError: a/b` |" in text
