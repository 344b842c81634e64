"""Plausibility checks of valid labels: units, coincident keypoints, duplicates, joints outside box or image.

Each check of a split gives at most one finding. Causes are checked before consequences: keypoints between 0 and 1 are also
outside their boxes, so units come first.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.data.coco.data_quality import QualityFinding
from posescope.data.coco.repeated_labels import find_frequent_location, hash_persons, person_keys
from posescope.data.coco.split_labels import Mask, SplitLabels, by_blocks

__all__ = ["PlausibilityFinding", "check_plausibility", "find_persons_in_both_splits"]


MIN_IMAGE_SIDE_PX = 8  # in a smaller image, coordinates between 0 and 1 may be pixels
MIN_PERSONS = 10  # for the checks of a whole split
BOX_MARGIN = 0.1  # distance of a joint from its box that is plausible, as a fraction of the longer side
# In COCO 0.2 % of the persons have more than half of their labelled joints beyond that.
MAX_OUTSIDE_FRACTION = 0.02  # of the persons
MAX_REPEATED_FRACTION = 0.02  # of the persons with a label at exactly the same location; in COCO 0.02 %


@dataclass(frozen=True, eq=False)
class PlausibilityFinding:
    """The finding of a check and the records concerned.

    Attributes:
        finding: row of the table `DataQuality`.
        records: (N,) bool: which records of the split.
        invalidates_metrics: whether every metric of such a record is wrong; too many of them stop the run.
        reason: short phrase for the table of issues.
    """

    finding: QualityFinding
    records: Mask
    invalidates_metrics: bool
    reason: str


def check_plausibility(labels: SplitLabels) -> list[PlausibilityFinding]:
    """Run all plausibility checks on a split and return the findings; checks whose findings can cause others run first."""
    if not len(labels.annotation_ids):
        return []
    checks = (
        _find_normalised_keypoints,
        _find_normalised_boxes,
        _find_percentages,
        _find_corner_boxes,
        _find_coincident_keypoints,
        _find_repeated_location,
        _find_equal_areas,
        _find_repeated_persons,
        _find_outside_image,
        _find_outside_box,
    )
    return [found for found in (check(labels) for check in checks) if found is not None]


def _finding(
    labels: SplitLabels,
    check: str,
    records: Mask,
    reason: str,
    detail: str,
    remedy: str,
    invalidates_metrics: bool = False,
    among: Mask | None = None,
) -> PlausibilityFinding | None:
    """Return the finding about these records; None if there are none.

    Args:
        labels: labels of the split.
        check: short identifier.
        records: (N,) bool.
        reason, detail, remedy: phrase and sentences of the finding.
        invalidates_metrics: whether every metric of such a record is wrong.
        among: (N,) bool: the records that were checked; None: all.
    """
    if not records.any():
        return None
    first = labels.annotation_ids[np.flatnonzero(records)[0]]
    total = len(records) if among is None else int(among.sum())
    detail = f"{detail} The first: annotation {first}."
    finding = QualityFinding("warned", labels.split, check, int(records.sum()), total, detail, remedy)
    return PlausibilityFinding(finding, records, invalidates_metrics, reason)


def _find_normalised_keypoints(labels: SplitLabels) -> PlausibilityFinding | None:
    large = labels.sizes.min(axis=1) >= MIN_IMAGE_SIDE_PX
    records = labels.has_labels & large & (labels.largest[:, 0] <= 1) & (labels.largest[:, 1] <= 0)
    return _finding(
        labels, "normalised_keypoints", records, "labelled keypoints are between 0 and 1",
        "All labelled keypoints of these persons are between 0 and 1, as if they were fractions of the image instead of px.",
        "Multiply x by the image's width and y by its height.", invalidates_metrics=True, among=labels.has_labels,
    )  # fmt: skip


def _find_normalised_boxes(labels: SplitLabels) -> PlausibilityFinding | None:
    large = labels.sizes.min(axis=1) >= MIN_IMAGE_SIDE_PX
    records = np.asarray(large & ((labels.boxes >= 0) & (labels.boxes <= 1)).all(axis=1))
    return _finding(
        labels, "normalised_boxes", records, "bbox is between 0 and 1",
        "All four numbers of these boxes are between 0 and 1, as if they were fractions of the image instead of px.",
        "Multiply x and width by the image's width, y and height by its height.", invalidates_metrics=True,
    )  # fmt: skip


def _find_percentages(labels: SplitLabels) -> PlausibilityFinding | None:
    """Find splits with all keypoints in the first 100 px of larger images; a single person may be there."""
    large = labels.has_labels & (labels.sizes.min(axis=1) > 110)
    high, low = labels.largest.T
    records = large & (low <= 0) & (high <= 100) & (high > 1)
    if large.sum() < MIN_PERSONS or records.sum() < 0.99 * large.sum():
        return None
    return _finding(
        labels, "percent_keypoints", records, "labelled keypoints are between 0 and 100",
        "No labelled keypoint of the split exceeds 100, although the images are larger: they seem to be percent instead of px.",
        "If they are percent, multiply x by the width / 100 and y by the height / 100.", among=large,
    )  # fmt: skip


def _find_corner_boxes(labels: SplitLabels) -> PlausibilityFinding | None:
    """Find splits with boxes x1, y1, x2, y2: as corners nearly all are in order, as x, y, w, h many exceed the image."""
    boxes, sizes = labels.boxes, labels.sizes
    are_corners = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (boxes[:, 2:] <= sizes + 1).all(axis=1)
    exceeds = np.asarray((boxes[:, :2] + boxes[:, 2:] > sizes + 1).any(axis=1))
    if len(boxes) < MIN_PERSONS or are_corners.mean() < 0.99 or exceeds.mean() < 0.05:
        return None
    return _finding(
        labels, "corner_boxes", exceeds, "bbox seems to be two corners",
        "The boxes exceed the image as x, y, width, height, and fit in it as two corners x1, y1, x2, y2.",
        "Write width and height instead of x2 and y2.",
    )  # fmt: skip


def _find_coincident_keypoints(labels: SplitLabels) -> PlausibilityFinding | None:
    """Find persons with at least three labels, and at least half of all, at one location."""
    count = labels.labelled.sum(axis=1)
    most = by_blocks(labels, lambda block: _count_coincident(block.joints))
    records = (most >= 3) & (2 * most >= count)
    return _finding(
        labels, "coincident_keypoints", records, "at least half of the labelled keypoints are at one location",
        "At least half of the labelled keypoints of these persons are at exactly the same location.",
        "Write visibility 0 for joints that are not labelled.", invalidates_metrics=True, among=labels.has_labels,
    )  # fmt: skip


def _count_coincident(joints: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return (N,) the largest number of labels that each person has at one location."""
    points = joints[..., 0] + 1j * joints[..., 1]  # NaN equals nothing
    counts = [(points == points[:, [joint]]).sum(axis=1) for joint in range(points.shape[1])]
    return np.asarray(np.max(counts, axis=0), dtype=np.int64)


def _find_repeated_location(labels: SplitLabels) -> PlausibilityFinding | None:
    """Find a location that many persons have a label at: mostly a corner where tools put unlabelled joints."""
    most_allowed = max(MAX_REPEATED_FRACTION * labels.has_labels.sum(), MIN_PERSONS // 2)
    location = find_frequent_location(labels, most_allowed)
    if location is None:
        if not ((labels.joints[..., 0] == 0) & (labels.joints[..., 1] == 0)).any():
            return None
        location = (0.0, 0.0)
    x_most, y_most = location
    records = ((labels.joints[..., 0] == x_most) & (labels.joints[..., 1] == y_most)).any(axis=1)
    return _finding(
        labels, "repeated_location", records, "a labelled keypoint is at the same location as those of other persons",
        f"These persons have a label at exactly ({x_most:g}, {y_most:g}).",
        "Write visibility 0 for joints that are not labelled.", among=labels.has_labels,
    )  # fmt: skip


def _find_equal_areas(labels: SplitLabels) -> PlausibilityFinding | None:
    boxes = labels.boxes[:, 2] * labels.boxes[:, 3]
    if len(boxes) < MIN_PERSONS or np.ptp(labels.areas) > 0 or boxes.max() < 1.5 * boxes.min():
        return None
    return _finding(
        labels, "equal_areas", np.ones(len(boxes), dtype=np.bool_), "area is the same in all records",
        f"All areas are {labels.areas[0]:g}, although the boxes differ; OKS and AP are scaled by the area.",
        "Write the segments' areas, or none: then 0.53 of the box is used.",
    )  # fmt: skip


def _find_repeated_persons(labels: SplitLabels) -> PlausibilityFinding | None:
    # Only persons with equal hashes are compared.
    hashes = pd.DataFrame({"image": labels.file_names, "person": hash_persons(labels)})
    records = hashes.duplicated(keep=False).to_numpy() & labels.has_labels
    similar = labels.subset(records)
    keys = pd.DataFrame({"image": similar.file_names, "person": pd.factorize(person_keys(similar))[0]})
    records[records] = keys.duplicated(keep=False).to_numpy()
    return _finding(
        labels, "duplicate_persons", records, "another record of the image has the same keypoints",
        "These records have the same keypoints as another record of the same image.",
        "Keep one of them: the others count as missed persons.", among=labels.has_labels,
    )  # fmt: skip


def find_persons_in_both_splits(first: SplitLabels, second: SplitLabels) -> list[PlausibilityFinding]:
    """Find persons with at least three labels that both splits have, by keypoints and image size.

    Args:
        first: labels of the training split.
        second: labels of another split; its persons are reported.
    """
    if not len(first.joints) or first.joints.shape[1:] != second.joints.shape[1:]:
        return []
    hashes, theirs = hash_persons(second), hash_persons(first)
    records = np.isin(hashes, theirs) & (second.labelled.sum(axis=1) >= 3)
    similar = first.subset(np.isin(theirs, hashes[records]))
    known = set(zip(person_keys(similar), map(tuple, similar.sizes.tolist()), strict=True))
    found_again = second.subset(records)
    keys = zip(person_keys(found_again), map(tuple, found_again.sizes.tolist()), strict=True)
    records[records] = [key in known for key in keys]
    found = _finding(
        second, "persons_in_two_splits", records, "the training split has the same person",
        f"These persons have the same keypoints in images of the same size in '{first.split}'.",
        "Remove the images from one of the splits: training images must not be validated on.", among=second.has_labels,
    )  # fmt: skip
    return [] if found is None else [found]


def _find_outside_image(labels: SplitLabels) -> PlausibilityFinding | None:
    counts = by_blocks(labels, _count_outside_image)
    records, (outside, both) = counts[:, 0] > 0, counts.sum(axis=0).tolist()
    return _finding(
        labels, "joints_outside_image", records, "a labelled keypoint is outside the image",
        f"{outside} labelled keypoints are outside their image, {both} of them also outside their box.",
        "Check whether the labels refer to another size or orientation of the image.", among=labels.has_labels,
    )  # fmt: skip


def _count_outside_image(labels: SplitLabels) -> NDArray[np.int64]:
    """Return (N, 2) the number of labelled keypoints outside the image, and of those that are also outside their box."""
    beyond = np.maximum(-labels.joints, labels.joints - labels.sizes[:, None]).max(axis=2) > 0
    return np.stack([beyond.sum(axis=1), (beyond & (_beyond_box(labels) > 0)).sum(axis=1)], axis=1)


def _find_outside_box(labels: SplitLabels) -> PlausibilityFinding | None:
    def count(block: SplitLabels) -> NDArray[np.int64]:
        beyond = _beyond_box(block) > BOX_MARGIN * block.boxes[:, 2:].max(axis=1)[:, None]
        return np.asarray(beyond.sum(axis=1))

    records = labels.has_labels & (2 * by_blocks(labels, count) > labels.labelled.sum(axis=1))
    if records.sum() <= MAX_OUTSIDE_FRACTION * labels.has_labels.sum():
        return None
    return _finding(
        labels, "joints_outside_box", records, "most labelled keypoints are outside the box",
        f"More than half of these persons' labelled keypoints are more than {BOX_MARGIN:g} of the longer side outside their box.",
        "Check whether the boxes are x, y, width, height in px, and of the same persons as the keypoints.",
        among=labels.has_labels,
    )  # fmt: skip


def _beyond_box(labels: SplitLabels) -> NDArray[np.float64]:
    """Return (N, K) the distance of each keypoint outside its box, px; not > 0 inside; NaN where unlabelled."""
    low = labels.boxes[:, None, :2] - 0.5
    return np.asarray(np.maximum(low - labels.joints, labels.joints - low - labels.boxes[:, None, 2:]).max(axis=2))
