"""Fixture that reads a data set, computes crop boxes and writes crops."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from posescope.data.coco.failure_limits import FailureLimits
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.data.crops.options import CropOptions

_SOURCE = SourceOptions()


@dataclass(frozen=True)
class CroppedData:
    """Persons, boxes, crops and issues of a data set."""

    persons: pd.DataFrame
    keypoints: pd.DataFrame
    crop_boxes: pd.DataFrame
    store: CropStore
    issues: pd.DataFrame
    options: CropOptions


@pytest.fixture
def cut(tmp_path: Path) -> Callable[..., CroppedData]:
    """Return `cut(root, **crop options)`, which writes small crops to `tmp_path / "crops"` in one process, with failures."""

    def run(root: Path, max_fraction: float = 1, source: SourceOptions = _SOURCE, **changes: object) -> CroppedData:
        options = CropOptions(**{"rule": "padded_square", "size_px": 32, "workers": 1, "shard_persons": 2, **changes})
        folder = CocoFolder(root)
        annotations = read_annotations(folder, source)
        boxed = box_persons(annotations.persons, annotations.keypoints, options)
        store = CropStore(tmp_path / "crops")
        issues = write_crops(
            folder, source, boxed.persons, boxed.crop_boxes, store, options, FailureLimits(max_fraction=max_fraction)
        )
        return CroppedData(boxed.persons, annotations.keypoints, boxed.crop_boxes, store, issues, options)

    return run
