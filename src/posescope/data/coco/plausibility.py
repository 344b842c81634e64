"""Find labels that are well-formed and cannot be meant as they stand: each check of a split's persons gives one finding.

The checks come in the order of cause and consequence: keypoints between 0 and 1 lie outside their boxes too, so units come first.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.data.coco.data_quality import Finding
from posescope.data.coco.validation import ValidAnnotations

__all__ = ["PlausibilityFinding", "SplitLabels", "check_plausibility", "find_persons_in_both_splits", "split_labels"]

Mask = NDArray[np.bool_]

LEAST_IMAGE_SIDE_PX = 8  # in a smaller image, places between 0 and 1 may be pixels
FEW_PERSONS = 10  # checks of a whole split say nothing about fewer
BOX_REACH = 0.1  # of the box's longer side: so far a joint may lie outside its box
# In COCO 0.2 % of the persons have more than half of their labelled joints beyond that.
MOST_OUTSIDE_BOX = 0.02
MOST_AT_ONE_PLACE = 0.02  # of the persons with a label at exactly the same place; in COCO 0.02 %


@dataclass(frozen=True, eq=False)
class SplitLabels:
    """The usable records of a split, as arrays; places in COCO's px.

    Attributes:
        split: the data set's own name of it.
        annotation_ids: (N,).
        file_names: (N,) of the image of each record.
        sizes: (N, 2) width and height of the image, px.
        boxes: (N, 4) x, y, w, h.
        areas: (N,) px^2.
        places: (N, K, 2) x, y, NaN where unlabelled.
    """

    split: str
    annotation_ids: NDArray[np.int64]
    file_names: NDArray[np.object_]
    sizes: NDArray[np.float64]
    boxes: NDArray[np.float64]
    areas: NDArray[np.float64]
    places: NDArray[np.float64]

    @property
    def labelled(self) -> Mask:
        """(N, K) whether a joint is labelled."""
        return np.asarray(np.isfinite(self.places[..., 0]))

    @property
    def has_labels(self) -> Mask:
        """(N,) whether any joint is labelled."""
        return np.asarray(self.labelled.any(axis=1))


@dataclass(frozen=True, eq=False)
class PlausibilityFinding:
    """One finding and the records that it is about.

    Attributes:
        finding: for the table `DataQuality`.
        records: (N,) which records of the split.
        invalidates_metrics: whether such a record's labels make every number about it wrong: then a share of them stops the run.
        reason: in a few words, for the table of issues.
    """

    finding: Finding
    records: Mask
    invalidates_metrics: bool
    reason: str


def split_labels(checks: ValidAnnotations, images: pd.DataFrame, split: str) -> SplitLabels:
    """Return the labels of a split's persons; crowds are left out.

    Args:
        checks: the records of the split.
        images: index image_id; columns file_name, height, width.
        split: the data set's own name of it.
    """
    keep = ~checks.is_crowd
    rows = images.loc[checks.image_ids[keep]]
    keypoints = checks.keypoints[keep]
    return SplitLabels(
        split=split,
        annotation_ids=checks.annotation_ids[keep],
        file_names=rows["file_name"].to_numpy(dtype=object),
        sizes=rows[["width", "height"]].to_numpy(dtype=np.float64),
        boxes=checks.boxes[keep],
        areas=checks.areas[keep],
        places=np.where(keypoints[..., 2:] > 0, keypoints[..., :2], np.nan),
    )


def check_plausibility(labels: SplitLabels) -> list[PlausibilityFinding]:
    """Run all checks of a split, causes before consequences; checks that find nothing give nothing."""
    if not len(labels.annotation_ids):
        return []
    checks = (
        _find_normalised_keypoints,
        _find_normalised_boxes,
        _find_percentages,
        _find_corner_boxes,
        _find_piles,
        _find_repeated_place,
        _find_equal_areas,
        _find_repeated_persons,
        _find_outside_image,
        _find_outside_box,
    )
    return [doubt for doubt in (check(labels) for check in checks) if doubt is not None]


def _doubt(
    labels: SplitLabels,
    check: str,
    records: Mask,
    reason: str,
    detail: str,
    remedy: str,
    invalidates_metrics: bool = False,
    among: Mask | None = None,
) -> PlausibilityFinding | None:
    """Return the finding about these records; None if there is none."""
    if not records.any():
        return None
    first = labels.annotation_ids[np.flatnonzero(records)[0]]
    total = len(records) if among is None else int(among.sum())
    severity: Literal["warned"] = "warned"
    finding = Finding(
        severity, labels.split, check, int(records.sum()), total, f"{detail} The first: annotation {first}.", remedy
    )
    return PlausibilityFinding(finding, records, invalidates_metrics, reason)


def _largest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) the largest number of each record, -inf where it has none."""
    return np.asarray(np.where(np.isnan(values), -np.inf, values).max(axis=(1, 2), initial=-np.inf))


def _find_normalised_keypoints(labels: SplitLabels) -> PlausibilityFinding | None:
    large = labels.sizes.min(axis=1) >= LEAST_IMAGE_SIDE_PX
    records = labels.has_labels & large & (_largest(labels.places) <= 1) & (_largest(-labels.places) <= 0)
    return _doubt(
        labels, "normalised_keypoints", records, "labelled keypoints lie between 0 and 1",
        "All labelled keypoints of these persons lie between 0 and 1, as if they were shares of the image and not px.",
        "Multiply x by the image's width and y by its height.", invalidates_metrics=True, among=labels.has_labels,
    )  # fmt: skip


def _find_normalised_boxes(labels: SplitLabels) -> PlausibilityFinding | None:
    large = labels.sizes.min(axis=1) >= LEAST_IMAGE_SIDE_PX
    records = np.asarray(large & ((labels.boxes >= 0) & (labels.boxes <= 1)).all(axis=1))
    return _doubt(
        labels, "normalised_boxes", records, "bbox lies between 0 and 1",
        "All four numbers of these boxes lie between 0 and 1, as if they were shares of the image and not px.",
        "Multiply x and width by the image's width, y and height by its height.", invalidates_metrics=True,
    )  # fmt: skip


def _find_percentages(labels: SplitLabels) -> PlausibilityFinding | None:
    """A whole split in the first 100 px of larger images; a single person may well stand there."""
    large = labels.has_labels & (labels.sizes.min(axis=1) > 110)
    low, high = _largest(-labels.places) <= 0, _largest(labels.places)
    records = large & low & (high <= 100) & (high > 1)
    if large.sum() < FEW_PERSONS or records.sum() < 0.99 * large.sum():
        return None
    return _doubt(
        labels, "percent_keypoints", records, "labelled keypoints lie between 0 and 100",
        "No labelled keypoint of the split is beyond 100, though the images are larger: they seem to be per cent and not px.",
        "If they are per cent, multiply x by the width / 100 and y by the height / 100.", among=large,
    )  # fmt: skip


def _find_corner_boxes(labels: SplitLabels) -> PlausibilityFinding | None:
    """Boxes x1, y1, x2, y2: no far corner is before the near one, and as x, y, width, height many leave the image."""
    boxes, sizes = labels.boxes, labels.sizes
    as_corners = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (boxes[:, 2:] <= sizes + 1).all(axis=1)
    leaves = np.asarray((boxes[:, :2] + boxes[:, 2:] > sizes + 1).any(axis=1))
    if len(boxes) < FEW_PERSONS or as_corners.mean() < 0.99 or leaves.mean() < 0.05:
        return None
    return _doubt(
        labels, "corner_boxes", leaves, "bbox seems to be two corners",
        "The boxes leave the image as x, y, width, height and fit in it as two corners x1, y1, x2, y2.",
        "Write width and height in the place of x2 and y2.",
    )  # fmt: skip


def _find_piles(labels: SplitLabels) -> PlausibilityFinding | None:
    """Three or more labels of a person at one place, and no fewer than half of all that it has."""
    count = labels.labelled.sum(axis=1)
    tallest = _most_at_one_place(labels.places)
    records = (tallest >= 3) & (2 * tallest >= count)
    return _doubt(
        labels, "coincident_keypoints", records, "half of the labelled keypoints or more lie at one place",
        "Half of these persons' labelled keypoints or more lie at exactly the same place.",
        "Give joints that were not labelled visibility 0.", invalidates_metrics=True, among=labels.has_labels,
    )  # fmt: skip


def _most_at_one_place(places: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) how many labels of each person share the place that most of them share."""
    flat = places[..., 0] + 1j * places[..., 1]
    ordered = np.sort(flat, axis=1)  # complex numbers by x, then y; NaN last
    best = np.zeros(len(places), dtype=np.int64)
    run = np.zeros(len(places), dtype=np.int64)
    for joint in range(places.shape[1]):
        there = np.isfinite(ordered[:, joint].real)
        same = there & (ordered[:, joint] == ordered[:, joint - 1]) if joint else np.zeros(len(places), dtype=np.bool_)
        run = np.where(same, run + 1, there.astype(np.int64))
        best = np.maximum(best, run)
    return best


def _find_repeated_place(labels: SplitLabels) -> PlausibilityFinding | None:
    """The same place in many persons: a corner, mostly, where a tool puts what nobody labelled."""
    persons, joints = np.nonzero(labels.labelled)
    if not len(persons):
        return None
    x, y = labels.places[persons, joints].T
    table = pd.DataFrame({"x": x, "y": y, "person": persons}).drop_duplicates()
    counts = table.value_counts(["x", "y"])
    (place_x, place_y), most = counts.index[0], int(counts.iloc[0])
    zeros = int(counts.get((0.0, 0.0), 0))
    if most <= max(MOST_AT_ONE_PLACE * labels.has_labels.sum(), FEW_PERSONS // 2):
        if not zeros:
            return None
        place_x, place_y = 0.0, 0.0
    records = ((labels.places[..., 0] == place_x) & (labels.places[..., 1] == place_y)).any(axis=1)
    return _doubt(
        labels, "repeated_location", records, "a labelled keypoint lies where those of other persons lie",
        f"These persons have a label at exactly ({place_x:g}, {place_y:g}).",
        "Give joints that were not labelled visibility 0.", among=labels.has_labels,
    )  # fmt: skip


def _find_equal_areas(labels: SplitLabels) -> PlausibilityFinding | None:
    boxes = labels.boxes[:, 2] * labels.boxes[:, 3]
    if len(boxes) < FEW_PERSONS or np.ptp(labels.areas) > 0 or boxes.max() < 1.5 * boxes.min():
        return None
    return _doubt(
        labels, "equal_areas", np.ones(len(boxes), dtype=np.bool_), "area is the same in all records",
        f"All areas are {labels.areas[0]:g}, though the boxes differ: OKS and AP are scaled by it.",
        "Write the segments' areas, or none: then 0.53 of the box is taken.",
    )  # fmt: skip


def _find_repeated_persons(labels: SplitLabels) -> PlausibilityFinding | None:
    keys = pd.DataFrame({"image": labels.file_names, "person": pd.factorize(_person_keys(labels))[0]})
    records = keys.duplicated(keep=False).to_numpy() & labels.has_labels
    return _doubt(
        labels, "duplicate_persons", records, "another record of the image has the same keypoints",
        "These records have the same keypoints as another record of the same image.",
        "Keep one of them: the others count as persons who are missed.", among=labels.has_labels,
    )  # fmt: skip


def _person_keys(labels: SplitLabels) -> NDArray[np.object_]:
    """(N,) bytes that are equal for equal keypoints."""
    flat = np.ascontiguousarray(labels.places.reshape(len(labels.places), 2 * labels.places.shape[1]))
    return np.fromiter((row.tobytes() for row in flat), dtype=object, count=len(flat))


def find_persons_in_both_splits(first: SplitLabels, second: SplitLabels) -> PlausibilityFinding | None:
    """Find persons of `second` who have the keypoints and the image size of somebody in `first`: with three labels or more."""
    known = set(zip(_person_keys(first), map(tuple, first.sizes.tolist()), strict=True))
    asked = zip(_person_keys(second), map(tuple, second.sizes.tolist()), strict=True)
    records = np.fromiter((key in known for key in asked), dtype=np.bool_, count=len(second.places))
    records &= second.labelled.sum(axis=1) >= 3
    return _doubt(
        second, "persons_in_two_splits", records, "the split that trains has the same person",
        f"These persons have the same keypoints in images of the same size in '{first.split}'.",
        "Take the images out of one of the splits: what trains must not validate.", among=second.has_labels,
    )  # fmt: skip


def _find_outside_image(labels: SplitLabels) -> PlausibilityFinding | None:
    beyond = np.maximum(-labels.places, labels.places - labels.sizes[:, None]).max(axis=2) > 0
    records = beyond.any(axis=1)
    both = int((beyond & (_beyond_box(labels) > 0)).sum())
    return _doubt(
        labels, "joints_outside_image", records, "a labelled keypoint lies outside the image",
        f"{int(beyond.sum())} labelled keypoints lie outside their image, {both} of them outside their box too.",
        "See whether the labels are of another size or orientation of the image.", among=labels.has_labels,
    )  # fmt: skip


def _find_outside_box(labels: SplitLabels) -> PlausibilityFinding | None:
    beyond = _beyond_box(labels) > BOX_REACH * labels.boxes[:, 2:].max(axis=1)[:, None]
    records = labels.has_labels & (2 * beyond.sum(axis=1) > labels.labelled.sum(axis=1))
    if records.sum() <= MOST_OUTSIDE_BOX * labels.has_labels.sum():
        return None
    return _doubt(
        labels, "joints_outside_box", records, "most labelled keypoints lie outside the box",
        f"More than half of these persons' labelled keypoints lie more than {BOX_REACH:g} of the longer side outside their box.",
        "See whether boxes are x, y, width, height in px and of the same persons as the keypoints.", among=labels.has_labels,
    )  # fmt: skip


def _beyond_box(labels: SplitLabels) -> NDArray[np.float64]:
    """(N, K) how far each keypoint lies outside its box, px; not > 0 inside; NaN where unlabelled."""
    low = labels.boxes[:, None, :2] - 0.5
    return np.asarray(np.maximum(low - labels.places, labels.places - low - labels.boxes[:, None, 2:]).max(axis=2))
