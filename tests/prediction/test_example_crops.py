"""Tests of posescope.prediction.example_crops."""

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.prediction.example_crops import load_example_crops


def test_unreadable_image_is_skipped(model_folders: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match="none"):
        load_example_crops(model_folders.torch, tmp_path, tmp_path, 2)
    for name in "bcd":
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((40, 40, 3), 200, np.uint8))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        crops, what = load_example_crops(model_folders.torch, tmp_path, tmp_path, 2)
    assert crops.shape == (2, 32, 32, 3)
    assert what == f"images of {tmp_path}"
    assert [record.getMessage().startswith("skipped: ") for record in caplog.records] == [True]
    assert "a.jpg" in caplog.text
