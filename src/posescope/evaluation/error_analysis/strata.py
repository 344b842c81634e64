"""Metric values of subgroups of persons (strata) that are known before any network runs.

visibility   of the joints: occluded or visible; each person counts with these joints only
labels       number of labelled joints, in steps of 0.3 of the skeleton (for COCO's: 1-5, 6-10, 11-15, 16+)
size         COCO's size classes of the person's area: small below 32^2 px^2, medium up to 96^2, large above
crowding     number of other boxes that overlap the person's box with an IoU of at least 0.1
truncation   whether the person's box touches the border of the image
source       the data set of the person, if the run has several
"""

from collections.abc import Iterator, Mapping
from dataclasses import astuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples
from posescope.evaluation.metrics.base import mean_over_labelled
from posescope.evaluation.metrics.oks import joint_oks
from posescope.evaluation.metrics.pck_thesis import joint_hits
from posescope.evaluation.scored_persons import Cases, Neighbours

__all__ = ["ALL_PERSONS", "box_overlaps", "count_overlaps", "stratum_table", "touches_border"]

ALL_PERSONS = "all persons"
OVERLAP_IOU = 0.1
BORDER_PX = 1.0  # annotators rarely draw a box up to the last pixel
_SMALL, _LARGE = 32.0**2, 96.0**2  # COCO's size classes, px^2
_STEP = 0.3
_COLUMNS = (
    "stratum", "group", "persons", "not_found", "pck_thesis", "pck_thesis_low", "pck_thesis_high", "oks", "oks_low", "oks_high",
)  # fmt: skip

Groups = Mapping[str, NDArray[np.bool_]]


def stratum_table(cases: Cases, draws: ImageResamples) -> pd.DataFrame:
    """Return the thesis's PCK and OKS of each group of persons.

    Args:
        cases: N persons, their neighbours and the sizes of their images.
        draws: bootstrap draws of the images.

    Returns:
        One row per group that is not empty; the first (stratum and group `ALL_PERSONS`) holds all persons. Columns: stratum,
        group, persons, not_found (those of them without prediction, which count with 0), pck_thesis and oks, each with its low
        and high.
    """
    hits, oks = joint_hits(cases.scored), joint_oks(cases.scored)
    rows = []
    for stratum, group, counted in _joints_by_group(cases):
        values = [mean_over_labelled(one, counted & ~np.isnan(one), axis=1) for one in (hits, oks)]
        pck, similarity = (astuple(draws.mean_interval(one, cases.scored.image_ids)) for one in values)
        members = counted.any(axis=1)
        if members.any():
            rows.append((stratum, group, int(members.sum()), int((members & ~cases.scored.found).sum()), *pck, *similarity))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def box_overlaps(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (P,) the intersection over union of P pairs of boxes; 0 if both boxes are empty.

    Args:
        first, second: (P, 4) x, y, w, h px.

    Example:
        >>> box_overlaps(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 2.0, 2.0]])).round(3)
        array([0.333])
    """
    low = np.maximum(first[:, :2], second[:, :2])
    high = np.minimum(first[:, :2] + first[:, 2:], second[:, :2] + second[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    together = first[:, 2:].prod(axis=1) + second[:, 2:].prod(axis=1) - shared
    overlaps: NDArray[np.float64] = np.zeros_like(shared)
    np.divide(shared, together, out=overlaps, where=together > 0)
    return overlaps


def count_overlaps(boxes: NDArray[np.float64], neighbours: Neighbours) -> NDArray[np.int64]:
    """Count, per person, the neighbours whose box overlaps the person's box with an IoU of at least `OVERLAP_IOU`.

    Args:
        boxes: (N, 4) x, y, w, h px of the scored persons.
        neighbours: boxes of the other persons in the image of each person.

    Returns:
        (N,) int64.
    """
    near = box_overlaps(boxes[neighbours.rows], neighbours.boxes) >= OVERLAP_IOU
    return np.bincount(neighbours.rows[near], minlength=len(boxes)).astype(np.int64)


def touches_border(boxes: NDArray[np.float64], image_sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (N,) whether each box is within `BORDER_PX` of the border of its image.

    Args:
        boxes: (N, 4) x, y, w, h px.
        image_sizes: (N, 2) height, width px.
    """
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    # An image spans [-0.5, W - 0.5].
    ends = image_sizes[:, ::-1] - 0.5
    return np.asarray(((low <= -0.5 + BORDER_PX) | (high >= ends - BORDER_PX)).any(axis=1))


def _joints_by_group(cases: Cases) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Yield stratum, group, and the (N, K) joints that count in the group."""
    scored = cases.scored
    yield ALL_PERSONS, ALL_PERSONS, scored.labelled
    for name, kind in (("occluded", 1), ("visible", 2)):
        yield "visibility", name, scored.visibility == kind
    small, large = scored.areas < _SMALL, scored.areas > _LARGE
    overlaps = count_overlaps(scored.boxes, cases.neighbours)
    touching = touches_border(scored.boxes, cases.image_sizes)
    strata: dict[str, Groups] = {
        "labels": _by_labels(scored.labelled),
        "size": {"small": small, "medium": ~small & ~large, "large": large},
        "crowding": {"no overlap": overlaps == 0, "1 overlap": overlaps == 1, "2+ overlaps": overlaps >= 2},
        "truncation": {"inside": ~touching, "at the border": touching},
    }
    if cases.sources is not None:
        strata["source"] = {str(name): cases.sources == name for name in np.unique(cases.sources)}
    for stratum, groups in strata.items():
        for group, members in groups.items():
            yield stratum, group, scored.labelled & members[:, None]


def _by_labels(labelled: NDArray[np.bool_]) -> Groups:
    count, numbers = labelled.shape[1], labelled.sum(axis=1)
    step = max(1, round(_STEP * count))
    starts = [start for start in (1, 1 + step, 1 + 2 * step, 1 + 3 * step) if start <= count]
    ends = [*(start - 1 for start in starts[1:]), count]
    return {_range(a, b, count): (numbers >= a) & (numbers <= b) for a, b in zip(starts, ends, strict=True)}


def _range(first: int, last: int, most: int) -> str:
    if first == last:
        return str(first)
    return f"{first}+" if last == most else f"{first}-{last}"
