"""Match the persons of two finished runs, and convert the joints of both to one frame.

Persons are matched by what they are, not by their row:

    same crops, joints and splits (data fingerprint)    person_id
    otherwise                                           source_split, file name (image_id where it is not shown) and annotation_id
    other names of the splits, as of posescope explain  file name (or image_id) and annotation_id, where they are unique

Joints are matched by name. The crops of two runs may differ in size and place. Labelled joints are at the same place of the image
in both, so they give the map between the crops of a person:

    x_a = scale x_b + shift        (least squares over the labelled joints; the same for y, with the same scale)

If labels are farther than 1 % of the crop's side from this map, the annotations differ, and the person is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError, pluralise
from posescope.explorer.opened_run import OpenedRun

__all__ = ["JointFrame", "MatchedPersons", "match_persons"]

_TOLERANCE = 0.01  # of the longer side of A's crop
_SAME_PX = 1e-3  # float32 joints of the same crop
_IDENTITY = (1.0, 0.0, 0.0)
_MIN_SCALE = 1e-6
_MIN_SPREAD_PX = 1.0  # root of the summed squared distances of the labels from their mean: less determines no scale


@dataclass(frozen=True, eq=False)
class JointFrame:
    """Joints of N persons in the px of one run's crops.

    Attributes:
        true: (N, K, 2), NaN where the joint does not count.
        first, second: (N, K, 2) predictions of the runs A and B.
        crop_size: (height, width) px.
    """

    true: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    crop_size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class MatchedPersons:
    """N persons of two runs, in the order of A's table, and their K common joints in A's order.

    Attributes:
        rows_a, rows_b: (N,) rows in the tables.
        joints: names of the common joints.
        only_a, only_b: names of the joints that the other model lacks.
        same_crops: whether both tables have the same crops.
        frame_a, frame_b: joints in A's and in B's crops. A joint counts if it is labelled in both tables.
        persons_only_a, persons_only_b: number of persons that the other table lacks.
        other_annotation: number of common persons left out because their labels differ.
        no_map: number of common persons left out because their crops differ and fewer than two labels give the map.
        single_labels: (N,) number of common joints of each person that are labelled in one table only; they do not count.
    """

    rows_a: NDArray[np.int64]
    rows_b: NDArray[np.int64]
    joints: tuple[str, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    same_crops: bool
    frame_a: JointFrame
    frame_b: JointFrame
    persons_only_a: int
    persons_only_b: int
    other_annotation: int
    no_map: int
    single_labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows_a)

    @cached_property
    def labelled(self) -> NDArray[np.bool_]:
        """(N, K) joints that count."""
        return np.asarray(np.isfinite(self.frame_a.true).all(axis=2))

    @property
    def same_labels(self) -> NDArray[np.bool_]:
        """(N,) persons whose scores in both tables are over the same joints."""
        return np.asarray((self.single_labels == 0) & (not (self.only_a or self.only_b)))


def match_persons(first: OpenedRun, second: OpenedRun) -> MatchedPersons:
    """Match the persons of two runs.

    Args:
        first, second: the runs A and B.

    Raises:
        DataError: if no person or no joint is in both, or if most of the common persons have other annotations.
    """
    rows_a, rows_b = _common_rows(first, second)
    joints, only_a, only_b = _common_joints(first, second)
    columns = [_columns_of(run, joints) for run in (first, second)]
    sides = list(zip((first, second), (rows_a, rows_b), columns, strict=True))
    true_a, true_b = (run.joints_true[rows][:, own] for run, rows, own in sides)
    both = (true_a[..., 2] > 0) & (true_b[..., 2] > 0)
    labels_a, labels_b = (np.where(both[..., None], one[..., :2], np.nan).astype(np.float64) for one in (true_a, true_b))
    maps = _maps_between(labels_a, labels_b, may_be_equal=first.about.crop_size == second.about.crop_size)
    has_map = np.isfinite(maps[:, 0])
    apart = _largest_distance(labels_a, _convert(labels_b, maps))
    differs: NDArray[np.bool_] = np.greater(apart, _TOLERANCE * max(first.about.crop_size))  # False for NaN: nothing is known
    _check_agreement(differs, has_map, first, second)
    keep = has_map & ~differs
    maps = maps[keep]
    found_a, found_b = (run.joints_predicted[rows[keep]][:, own, :2].astype(np.float64) for run, rows, own in sides)
    return MatchedPersons(
        rows_a=rows_a[keep],
        rows_b=rows_b[keep],
        joints=joints,
        only_a=only_a,
        only_b=only_b,
        same_crops=bool((maps == _IDENTITY).all()),
        frame_a=JointFrame(labels_a[keep], found_a, _convert(found_b, maps), first.about.crop_size),
        frame_b=JointFrame(labels_b[keep], _convert_back(found_a, maps), found_b, second.about.crop_size),
        persons_only_a=len(first) - len(keep),
        persons_only_b=len(second) - len(keep),
        other_annotation=int(differs.sum()),
        no_map=int((~has_map).sum()),
        single_labels=((true_a[keep, :, 2] > 0) ^ (true_b[keep, :, 2] > 0)).sum(axis=1, dtype=np.int64),
    )


def _common_rows(first: OpenedRun, second: OpenedRun) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    image = "file_name" if all((run.persons["file_name"] != "").all() for run in (first, second)) else "image_id"
    keys = [["source_split", image, "annotation_id"], [image, "annotation_id"]]
    if first.about.data and first.about.data == second.about.data:
        keys = [["person_id"]]
    for names in keys:
        rows = _join(first.persons[names], second.persons[names])
        if len(rows[0]):
            return rows
    raise DataError(
        f"{second.places.table}: expected persons of {first.places.table}, found none of them. A has {_describe(first)}, B "
        f"{_describe(second)}. Give a run on the same annotations, or explain both models on the same photographs (posescope "
        "explain)."
    )


def _join(first: pd.DataFrame, second: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of equal keys, in the order of `first`; keys that a table repeats name no person."""
    names = list(first.columns)
    numbered = [table.assign(row=np.arange(len(table))).drop_duplicates(names, keep=False) for table in (first, second)]
    joined = numbered[0].merge(numbered[1], on=names, suffixes=("_a", "_b"), validate="one_to_one").sort_values("row_a")
    return joined["row_a"].to_numpy(dtype=np.int64), joined["row_b"].to_numpy(dtype=np.int64)


def _describe(run: OpenedRun) -> str:
    splits = ", ".join(sorted(set(run.persons["source_split"].astype(str))))
    return f"{pluralise(len(run), 'person')} of {splits or 'no split'}"


def _common_joints(first: OpenedRun, second: OpenedRun) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    a, b = first.about.skeleton.joints, second.about.skeleton.joints
    common = tuple(name for name in a if name in b)
    if not common:
        raise DataError(
            f"{second.places.table}: expected a joint of A ({', '.join(a)}), found {', '.join(b)}. Joints are matched by name."
        )
    return common, tuple(name for name in a if name not in b), tuple(name for name in b if name not in a)


def _columns_of(run: OpenedRun, joints: Sequence[str]) -> list[int]:
    return [run.about.skeleton.joints.index(name) for name in joints]


def _maps_between(labels_a: NDArray[np.float64], labels_b: NDArray[np.float64], *, may_be_equal: bool) -> NDArray[np.float64]:
    """Return the map from B's to A's crop of each person: scale, shift of x, shift of y; NaN where the labels do not give it.

    Args:
        labels_a, labels_b: (N, K, 2) px, NaN where unlabelled.
        may_be_equal: whether the crops have the same size. The map of a person with equal labels is then exactly the identity;
            if that holds for all labelled persons, also that of an unlabelled one.
    """
    maps = _fit_maps(labels_a, labels_b)
    if may_be_equal:
        apart = np.abs(labels_a - labels_b)
        labelled = np.isfinite(apart).any(axis=(1, 2))
        equal = ~(apart > _SAME_PX).any(axis=(1, 2))
        maps[equal & (labelled | equal.all())] = _IDENTITY
    return maps


def _fit_maps(labels_a: NDArray[np.float64], labels_b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the least-squares map of each person, arguments as `_maps_between`."""
    known = np.isfinite(labels_a).all(axis=2, keepdims=True)
    count = np.maximum(known.sum(axis=1), 1)
    centre_a, centre_b = (np.where(known, one, 0).sum(axis=1) / count for one in (labels_a, labels_b))
    from_a = np.where(known, labels_a - centre_a[:, None], 0)
    from_b = np.where(known, labels_b - centre_b[:, None], 0)
    spread = np.square(from_b).sum(axis=(1, 2))
    scale = np.full(len(spread), np.nan)
    np.divide((from_a * from_b).sum(axis=(1, 2)), spread, out=scale, where=spread > _MIN_SPREAD_PX**2)
    scale = np.maximum(scale, _MIN_SCALE)  # labels that contradict each other are then far apart
    return np.column_stack([scale, centre_a - scale[:, None] * centre_b])


def _convert(points: NDArray[np.floating], maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, K, 2) points of B's crops in A's crops."""
    return np.asarray(points * maps[:, None, :1] + maps[:, None, 1:])


def _convert_back(points: NDArray[np.floating], maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, K, 2) points of A's crops in B's crops."""
    return np.asarray((points - maps[:, None, 1:]) / maps[:, None, :1])


def _largest_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N,) the largest distance between joints; 0 without a joint in both, NaN without a map."""
    apart = np.hypot(*np.moveaxis(first - second, 2, 0))
    known = np.isfinite(first).all(axis=2)
    return np.asarray(np.where(known, apart, 0.0).max(axis=1, initial=0.0))


def _check_agreement(differs: NDArray[np.bool_], has_map: NDArray[np.bool_], first: OpenedRun, second: OpenedRun) -> None:
    differing = int(differs.sum())
    if 2 * differing > len(differs) or not (has_map & ~differs).any():
        raise DataError(
            f"{second.places.table}: expected the annotations of {first.places.table}, found other ones for {differing} of "
            f"{pluralise(len(differs), 'common person')}, and fewer than two labelled joints for {int((~has_map).sum())}. Give a "
            "run on the same annotations."
        )
