"""Find equal locations and equal persons among the labels of a split, by hashes of fixed size."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.data.coco.split_labels import BLOCK_PERSONS, SplitLabels, by_blocks

__all__ = ["find_frequent_location", "hash_persons", "person_keys"]

_HASH_BITS = 20
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xFF51AFD7ED558CCD], dtype=np.uint64)


def find_frequent_location(labels: SplitLabels, most_allowed: float) -> tuple[float, float] | None:
    """Return the location that most persons have a label at, if these are more than `most_allowed`.

    Locations are counted by a hash first: few share their hash with more than `most_allowed` labels, and only these are compared.

    Args:
        labels: the labels of a split.
        most_allowed: number of persons.
    """
    counts = np.zeros(2**_HASH_BITS, dtype=np.int64)
    starts = range(0, len(labels.joints), BLOCK_PERSONS)
    blocks = [(start, labels.subset(slice(start, start + BLOCK_PERSONS))) for start in starts]
    for _, block in blocks:
        counts += np.bincount(_hash_locations(block.joints)[block.labelled], minlength=len(counts))
    if counts.max() <= most_allowed:
        return None
    tables = []
    for start, block in blocks:
        persons, joints = np.nonzero(block.labelled & (counts[_hash_locations(block.joints)] > most_allowed))
        x, y = block.joints[persons, joints].T
        tables.append(pd.DataFrame({"x": x, "y": y, "person": persons + start}).drop_duplicates())
    found = pd.concat(tables).value_counts(["x", "y"])
    if found.iloc[0] <= most_allowed:
        return None
    x_most, y_most = found.index[0]
    return float(x_most), float(y_most)


def _hash_locations(joints: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return (N, K) `_HASH_BITS` bits that are equal for equal coordinates; -0 equals 0."""
    words = (joints.astype(np.float64) + 0.0).view(np.uint64)
    mixed = words[..., 0] * _FACTORS[0] + words[..., 1] * _FACTORS[1]
    return np.asarray((mixed ^ (mixed >> np.uint64(32))) * _FACTORS[2] >> np.uint64(64 - _HASH_BITS), dtype=np.int64)


def hash_persons(labels: SplitLabels) -> NDArray[np.uint64]:
    """Return (N,) 64 bits that are equal for equal keypoints."""
    factors = np.random.default_rng(1).integers(2**62, 2**63, labels.joints.shape[1] * 2, dtype=np.uint64) * 2 + 1

    def hash_block(block: SplitLabels) -> NDArray[np.uint64]:
        words = block.joints.astype(np.float64).reshape(len(block.joints), len(factors)).view(np.uint64)
        return np.asarray(((words ^ (words >> np.uint64(29))) * factors).sum(axis=1, dtype=np.uint64))

    return by_blocks(labels, hash_block)


def person_keys(labels: SplitLabels) -> NDArray[np.object_]:
    """Return (N,) bytes that are equal for equal keypoints."""
    flat = labels.joints.astype(np.float64).reshape(len(labels.joints), 2 * labels.joints.shape[1])
    return np.fromiter((row.tobytes() for row in flat), dtype=object, count=len(flat))
