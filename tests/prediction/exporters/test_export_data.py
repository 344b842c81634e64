"""Tests of posescope.prediction.exporters.export_data: data of another run are left out."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from posescope.core.records import PoseTargets
from posescope.prediction.exporters.export_data import load_export_data


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Return a data_dir of other data than those of the model."""
    crops = tmp_path / "05_model_input" / "crops"
    crops.mkdir(parents=True)
    (tmp_path / "03_primary").mkdir()
    np.save(crops / "shard-00000.npy", np.zeros((4, 32, 32, 3), np.uint8))
    PoseTargets(np.arange(4), np.zeros((4, 3, 2), np.float32), np.zeros((4, 3), np.uint8)).save(crops.parent / "targets.npz")
    pd.DataFrame({"person_id": range(4)}).to_parquet(tmp_path / "03_primary" / "persons.parquet")
    crop = {"rule": {"name": "padded_square", "options": {}}, "padding_rgb": [0, 0, 0]}
    content = {"mean_rgb": [0.5, 0.5, 0.5], "crop_size": [32, 32], "crop": crop, "data_fingerprint": "0123456789abcdef"}
    (crops.parent / "crop_statistics.json").write_text(json.dumps({**content, "generated": True}))
    return tmp_path


def test_persons_of_other_data_are_left_out(model_folders: Any, data_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = load_export_data(model_folders.torch, None, data_dir, limit=3)
    assert (found.train, found.validation, found.calibration, found.data) == (None, None, None, "")
    assert found.examples.shape == (3, 32, 32, 3)
    assert "0123456789abcdef" in caplog.text


def test_crops_alone_are_examples(model_folders: Any, data_dir: Path) -> None:
    (data_dir / "03_primary" / "persons.parquet").unlink()
    found = load_export_data(model_folders.torch, None, data_dir)
    assert (len(found.examples), found.validation) == (4, None)
