"""How similar persons of two frames are: overlap of their boxes, and object keypoint similarity of their joints."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["box_overlaps", "pose_similarities"]


def box_overlaps(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, m) intersection over union of boxes.

    Args:
        first: (n, 4) x, y, w, h px with w, h > 0.
        second: (m, 4) the same.

    Example:
        >>> box_overlaps(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 2.0, 2.0]])).round(3)
        array([[0.333]])
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum((first[:, :2] + first[:, 2:])[:, None], (second[:, :2] + second[:, 2:])[None])
    common = np.clip(high - low, 0, None).prod(axis=-1)
    return np.asarray(common / (first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None] - common))


def pose_similarities(
    first: NDArray[np.float64], second: NDArray[np.float64], areas: NDArray[np.float64], sigmas: Sequence[float]
) -> NDArray[np.float64]:
    """Return (n, m) object keypoint similarity (COCO's OKS) of poses; joints that one of both lacks do not count.

    Args:
        first: (n, K, 2) px; NaN where missing.
        second: (m, K, 2) the same.
        areas: (n,) area of the first persons, px^2, > 0.
        sigmas: (K,) OKS sigmas.

    Returns:
        0..1; 0 for two persons without a common joint.
    """
    squared = ((first[:, None] - second[None]) ** 2).sum(axis=-1)
    variances = (2 * np.asarray(sigmas, dtype=np.float64)) ** 2
    each = np.exp(-squared / variances / areas[:, None, None] / 2)
    known = np.isfinite(each)
    return np.asarray(np.where(known, each, 0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1))
