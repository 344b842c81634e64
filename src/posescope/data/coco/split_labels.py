"""The labels of a split as arrays, and computations on blocks of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.data.coco.annotation_validation import ValidAnnotations

__all__ = ["BLOCK_PERSONS", "Mask", "SplitLabels", "by_blocks", "collect_labels", "drop_unlabelled"]

Mask: TypeAlias = NDArray[np.bool_]

BLOCK_PERSONS = 16_384  # temporary arrays of a million persons would take gigabytes


@dataclass(frozen=True, eq=False)
class SplitLabels:
    """The valid records of a split as arrays, in COCO's convention of pixels.

    Attributes:
        split: name of the split in the data set.
        annotation_ids: (N,).
        file_names: (N,) image file of each record.
        sizes: (N, 2) width and height of the image, px.
        boxes: (N, 4) x, y, w, h, px.
        areas: (N,) px^2.
        joints: (N, K, 2) x, y, px; NaN where unlabelled; float32 if that rounds none of the labels, else float64.
    """

    split: str
    annotation_ids: NDArray[np.int64]
    file_names: NDArray[np.object_]
    sizes: NDArray[np.float64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    joints: NDArray[np.floating]

    @cached_property
    def labelled(self) -> Mask:
        """(N, K) bool: whether a joint is labelled."""
        return np.asarray(np.isfinite(self.joints[..., 0]))

    @cached_property
    def has_labels(self) -> Mask:
        """(N,) bool: whether any joint is labelled."""
        return np.asarray(self.labelled.any(axis=1))

    @cached_property
    def largest(self) -> NDArray[np.float64]:
        """(N, 2) the largest coordinate and the largest negative coordinate of each record, px; -inf without labels."""
        return by_blocks(self, lambda block: np.stack([_largest(block.joints), _largest(-block.joints)], axis=1))

    def subset(self, rows: slice | Mask) -> "SplitLabels":
        """Return some of the records."""
        return SplitLabels(
            split=self.split,
            annotation_ids=self.annotation_ids[rows],
            file_names=self.file_names[rows],
            sizes=self.sizes[rows],
            boxes=self.boxes[rows],
            areas=self.areas[rows],
            joints=self.joints[rows],
        )


def drop_unlabelled(checks: ValidAnnotations) -> ValidAnnotations:
    """Return the annotations with NaN for the coordinates of unlabelled joints, in single precision if that rounds none.

    COCO's joints are whole pixels; single precision takes half of the memory.

    Args:
        checks: the valid annotations of a split.
    """
    points = checks.points.astype(np.float32)
    blocks = [slice(start, start + BLOCK_PERSONS) for start in range(0, len(points), BLOCK_PERSONS)]
    if not all(np.array_equal(points[block], checks.points[block]) for block in blocks):
        points = checks.points.copy()
    for block in blocks:
        points[block][checks.visibility[block] == 0] = np.nan
    return replace(checks, points=points)


def collect_labels(checks: ValidAnnotations, images: pd.DataFrame, split: str) -> SplitLabels:
    """Return the labels of a split's persons, without crowds.

    Args:
        checks: the valid annotations of the split, from `drop_unlabelled`.
        images: index image_id; columns file_name, height, width.
        split: name of the split in the data set.
    """
    keep = ~checks.is_crowd
    rows = images.index.get_indexer(pd.Index(checks.image_ids[keep]))
    return SplitLabels(
        split=split,
        annotation_ids=checks.annotation_ids[keep],
        file_names=images["file_name"].to_numpy(dtype=object)[rows],
        sizes=images[["width", "height"]].to_numpy(dtype=np.float64)[rows],
        boxes=checks.boxes[keep],
        areas=checks.areas[keep],
        joints=checks.points if keep.all() else checks.points[keep],
    )


def by_blocks(labels: SplitLabels, measure: Callable[[SplitLabels], NDArray[Any]]) -> NDArray[Any]:
    """Return (N, ...) the result of a function for blocks of the records, joined.

    Args:
        labels: N records.
        measure: returns (n, ...) for n records.
    """
    starts = range(0, max(len(labels.annotation_ids), 1), BLOCK_PERSONS)
    return np.concatenate([measure(labels.subset(slice(start, start + BLOCK_PERSONS))) for start in starts])


def _largest(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return (N,) the largest coordinate of each record, -inf without labels."""
    return np.asarray(np.where(np.isnan(values), -np.inf, values).max(axis=(1, 2), initial=-np.inf))
