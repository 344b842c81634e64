"""Two hand-made runs of the same persons, whose joints are known exactly."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import ArrayLike
from tests.explorer.hand_made_table import table_of

from posescope.explorer.opened_run import OpenedRun, open_run
from posescope.explorer.table_file import ExplorerStore
from posescope.explorer.table_metadata import SkeletonAbout

SIDE = 100
JOINTS = ("left_dot", "middle", "right_dot")
SKELETON = SkeletonAbout(joints=JOINTS, limbs=((0, 1), (1, 2)))
TRUE = np.array([[20.0, 20.0], [50.0, 30.0], [80.0, 60.0]])  # (K, 2) crop px of every person


def make_run(
    folder: Path,
    errors_px: ArrayLike,
    *,
    true: ArrayLike | None = None,
    order: Sequence[int] | None = None,
    explanation: bool = False,
    columns: dict[str, object] | None = None,
    **about: object,
) -> OpenedRun:
    """Write and open a run of persons 10, 11, ..., two in a photograph.

    Args:
        folder: folder of the run.
        errors_px: (N, K) distances of the predictions from the labels, to the right.
        true: (N, K, 2) crop px, NaN where unlabelled; none: `TRUE` for all.
        order: rows of the table in another order.
        explanation: whether the folder is the output of `posescope explain`.
        columns: changed columns; by default all persons are of the validation set.
        **about: changed metadata.
    """
    errors = np.asarray(errors_px, dtype=np.float64)
    count, joints = errors.shape
    labels = np.tile(TRUE[:joints], (count, 1, 1)) if true is None else np.array(true, dtype=np.float64)
    known = np.isfinite(labels).all(axis=2)
    found = np.where(known[..., None], labels, 5.0)
    found[..., 0] += errors
    fields = {"crop_size": (SIDE, SIDE), "skeleton": SKELETON, "model": folder.name.ljust(16, "0"), **about}
    table = table_of(count, **fields)
    given = {"split": "val", "role": "judged", "source_split": "val2017", **(columns or {})}
    table = replace(
        table,
        columns=table.columns.assign(crop_height=np.int32(SIDE), crop_width=np.int32(SIDE), **given),
        joints_true=np.concatenate([labels, 2.0 * known[..., None]], axis=2).astype(np.float32),
        joints_predicted=np.concatenate([found, np.full((count, joints, 1), 0.5)], axis=2).astype(np.float32),
    )
    rows = np.arange(count) if order is None else np.array(order)
    table = replace(
        table,
        columns=table.columns.iloc[rows].reset_index(drop=True),
        joints_true=table.joints_true[rows],
        joints_predicted=table.joints_predicted[rows],
    )
    place = folder / "results" / "explorer" if explanation else folder / "08_reporting" / "explorer"
    shade = 40 if table.about.photographs == "full" else 200
    jpeg = simplejpeg.encode_jpeg(np.full((16, 16, 3), shade, dtype=np.uint8), colorspace="RGB")
    ExplorerStore(place).write(table, lambda wanted: [jpeg] * len(wanted))
    return open_run(folder)
