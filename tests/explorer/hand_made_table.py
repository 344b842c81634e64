"""A hand-made explorer table of any number of persons with two joints."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.explorer.table_file import PersonTable
from posescope.explorer.table_metadata import (
    AttributeAbout,
    ClusterAbout,
    ComponentAbout,
    ExplorerAbout,
    SkeletonAbout,
    SliceAbout,
)

MODEL, DATA, FEATURES = "0" * 16, "1" * 16, "2" * 16


def about_of(**changes: object) -> ExplorerAbout:
    """Return metadata of a model with two joints and one component."""
    fields: dict[str, object] = {
        "skeleton": SkeletonAbout(joints=("left_dot", "right_dot"), limbs=((0, 1),)),
        "model": MODEL,
        "data": DATA,
        "features": FEATURES,
        "layer": "bottleneck",
        "crop_size": (32, 24),
        "scores": ("oks",),
        "components": (ComponentAbout(number=1, title="component 1: small ↔ large", low="small", high="large", explained=0.75),),
        "clusters": (ClusterAbout(number=2, name="group 2 (large)", persons=1),),
        "slices": (
            SliceAbout(
                id="slice-1", name="persons in dark images", persons=1, photographs=1, score=0.5, others=0.9, claimed=True
            ),
        ),
        "attributes": {"size": AttributeAbout(title="size", unit="octaves of px", low="small", high="large")},
        "thumbnail_px": 16,
    }
    return ExplorerAbout(**{**fields, **changes})  # type: ignore[arg-type]


def table_of(count: int, **changes: object) -> PersonTable:
    """Return persons 10, 11, ...; the first one is in cluster 2 and in slice-1, the second one has no labelled joint."""
    rows = np.arange(count)
    slices = np.empty(count, dtype=object)
    slices[:] = [["slice-1"] if row == 0 else [] for row in rows]
    columns = pd.DataFrame(
        {
            "person_id": rows + 10,
            "image_id": rows // 2,
            "annotation_id": rows,
            "file_name": [f"{row}.jpg" for row in rows],
            "source_split": "train2017",
            "split": "train",
            "role": "fitted",
            "map_x": rows.astype(np.float32),
            "map_y": np.float32(1),
            "component_1": rows.astype(np.float32),
            "oks": np.float32(0.5),
            "error": np.where(rows == 1, np.nan, 2.5).astype(np.float32),
            "radius": np.float32(4),
            "cluster": pd.array([2 if row == 0 else pd.NA for row in rows], dtype="Int32"),
            "cluster_name": ["group 2 (large)" if row == 0 else "" for row in rows],
            "slices": slices,
            "attribute_size": rows.astype(np.float32),
            "crop_height": np.int32(32),
            "crop_width": np.int32(24),
        }
    )
    true = np.full((count, 2, 3), 2, dtype=np.float32)
    true[..., :2] = rows[:, None, None]
    true[1:2] = (np.nan, np.nan, 0)
    predicted = np.full((count, 2, 3), 0.5, dtype=np.float32)
    return PersonTable(columns, true, predicted, about_of(**changes))


def thumbnails_of(rows: NDArray[np.int64]) -> list[bytes]:
    """Return the number of each row as its thumbnail."""
    return [f"jpeg {row}".encode() for row in rows]
