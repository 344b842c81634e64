"""From a data set to its crops in one call."""

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
class Cut:
    """What one pass over a data set gave."""

    persons: pd.DataFrame
    keypoints: pd.DataFrame
    crop_boxes: pd.DataFrame
    store: CropStore
    issues: pd.DataFrame
    options: CropOptions


@pytest.fixture
def cut(tmp_path: Path) -> Callable[..., Cut]:
    """`cut(root, **crop options)`: read, box and cut into `tmp_path / "crops"`; small crops, one process; all may fail."""

    def run(root: Path, max_fraction: float = 1, source: SourceOptions = _SOURCE, **changes: object) -> Cut:
        options = CropOptions(**{"rule": "padded_square", "size_px": 32, "workers": 1, "shard_persons": 2, **changes})
        folder = CocoFolder(root)
        annotations = read_annotations(folder, source)
        boxed = box_persons(annotations.persons, annotations.keypoints, options)
        store = CropStore(tmp_path / "crops")
        issues = write_crops(
            folder, source, boxed.persons, boxed.crop_boxes, store, options, FailureLimits(max_fraction=max_fraction)
        )
        return Cut(boxed.persons, annotations.keypoints, boxed.crop_boxes, store, issues, options)

    return run
