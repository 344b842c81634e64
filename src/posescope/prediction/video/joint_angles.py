"""Angles at the joints of a pose, and their table as CSV.

An angle is that between two limbs in the image: 180 degrees for a straight elbow, 0 for a fully folded one. It equals the angle
in space only if both limbs lie in a plane parallel to the image.
"""

import csv
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posescope.core.errors import DataError, pluralise
from posescope.core.files import atomic_write, read_json
from posescope.core.skeleton import Skeleton
from posescope.core.text_escaping import escape_formula
from posescope.prediction.poses import ImagePoses

__all__ = ["STANDARD_ANGLES", "AngleTable", "AngleWriter", "measure_angles", "read_angle_definitions"]

log = logging.getLogger(__name__)

_COLUMNS = ("file_name", "frame", "time_s", "person", "track_id")
# Angle -> first joint, joint of the angle, third joint.
Definitions = Mapping[str, Sequence[str]]
STANDARD_ANGLES: Definitions = MappingProxyType(
    {
        f"{side}_{name}": tuple(f"{side}_{joint}" for joint in joints)
        for name, joints in {
            "elbow": ("shoulder", "elbow", "wrist"),
            "shoulder": ("hip", "shoulder", "elbow"),
            "hip": ("shoulder", "hip", "knee"),
            "knee": ("hip", "knee", "ankle"),
            "ankle": ("knee", "ankle", "big_toe"),
        }.items()
        for side in ("left", "right")
    }
)


class AngleTable:
    """The angles that a skeleton has.

    Args:
        skeleton: names the joints.
        definitions: three joints per angle, the angle's own in the middle; None: elbows, shoulders, hips, knees and ankles, if
            the skeleton has the joints.

    Attributes:
        names: of the angles.

    Raises:
        DataError: if a definition does not name three different joints of the skeleton, or the skeleton has no angle.
    """

    def __init__(self, skeleton: Skeleton, definitions: Definitions | None = None) -> None:
        chosen = definitions
        if chosen is None:
            chosen = {name: three for name, three in STANDARD_ANGLES.items() if set(three) <= set(skeleton.joints)}
        if not chosen:
            raise DataError(
                f"angles: the joints of this model ({', '.join(skeleton.joints)}) form none of the known angles; define your own."
            )
        for name, three in chosen.items():
            if len(three) != 3 or len(set(three)) != 3 or not set(three) <= set(skeleton.joints):
                raise DataError(
                    f"angles: {name}: expected three different joints of {', '.join(skeleton.joints)}; found {', '.join(three)}."
                )
        self.names = tuple(chosen)
        self._indices = np.array([[skeleton.index(joint) for joint in three] for three in chosen.values()])

    def measure(self, joints: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (..., A) angles of poses (..., K, 2) px, degrees, 0..180; NaN where a joint is missing."""
        first, middle, last = (joints[..., self._indices[:, column], :] for column in range(3))
        return measure_angles(first, middle, last)


def measure_angles(first: ArrayLike, middle: ArrayLike, last: ArrayLike) -> NDArray[np.float64]:
    """Return the angles (...) between the lines from `middle` to `first` and to `last`, degrees, 0..180.

    Args:
        first: (..., 2) px.
        middle: (..., 2) px.
        last: (..., 2) px. NaN, or a point equal to the middle: the angle is NaN.

    Example:
        >>> measure_angles([[0, 0], [4, 0]], [[2, 0], [2, 0]], [[2, 5], [3, 1]]).round(3)
        array([90., 45.])
    """
    one, two = np.subtract(first, middle, dtype=np.float64), np.subtract(last, middle, dtype=np.float64)
    cross = one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0]
    angles = np.degrees(np.arctan2(np.abs(cross), (one * two).sum(axis=-1)))
    is_point = (one == 0).all(axis=-1) | (two == 0).all(axis=-1)
    return np.where(is_point, np.nan, angles)


def read_angle_definitions(path: Path) -> dict[str, tuple[str, ...]]:
    """Read definitions of angles, JSON: `{"left_elbow": ["left_shoulder", "left_elbow", "left_wrist"]}`.

    Raises:
        DataError: if it is no mapping of names to three names each.
    """
    content = read_json(path)
    is_table = isinstance(content, dict) and all(
        isinstance(three, list) and len(three) == 3 and all(isinstance(joint, str) for joint in three)
        for three in content.values()
    )
    if not is_table or not content:
        raise DataError(f'{path}: expected angles with three joints each, {{"left_elbow": ["left_shoulder", ...]}}.')
    return {name: tuple(three) for name, three in content.items()}


class AngleWriter:
    """Context manager that writes the angles of one frame after the other as CSV.

    Columns: file_name, frame, time_s, person (its number in the frame, from 0), track_id, and `<angle>_deg` for each angle. The
    file is there when the block ends without an error. A warning says so if no person has an angle.

    Args:
        path: the file.
        table: the angles.
        min_score: a joint with a lower score is missing; its angles are `nan`.
    """

    def __init__(self, path: Path, table: AngleTable, min_score: float) -> None:
        self._path, self._table, self._min_score = path, table, min_score
        self._open = ExitStack()
        self._rows: Any = None
        self._persons, self._angles, self._highest_score = 0, 0, 0.0

    def __enter__(self) -> "AngleWriter":
        temporary = self._open.enter_context(atomic_write(self._path))
        self._rows = csv.writer(self._open.enter_context(temporary.open("w", encoding="utf-8", newline="")))
        self._rows.writerow([*_COLUMNS, *(escape_formula(f"{name}_deg") for name in self._table.names)])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.__exit__(kind, error, trace)
        if kind is None and self._persons and not self._angles:
            log.warning(
                "%s: none of %s has an angle, since its joints have scores below %g; the highest score is %.2g. The peaks of "
                "some codecs are low: use a lower threshold (--draw-threshold).",
                self._path,
                pluralise(self._persons, "person"),
                self._min_score,
                self._highest_score,
            )

    def append(self, poses: ImagePoses) -> None:
        """Write a row for each person of a frame."""
        image = poses.image
        frame = ("" if image.frame is None else image.frame, "" if image.time_s is None else f"{image.time_s:.6f}")
        self._persons += len(poses.persons)
        self._highest_score = max(self._highest_score, float(np.max(poses.scores, initial=0.0)))
        certain = np.where((poses.scores >= self._min_score)[..., None], poses.joints, np.nan)
        for number, (person, angles) in enumerate(zip(poses.persons, self._table.measure(certain), strict=True)):
            self._angles += int(np.isfinite(angles).sum())
            track = "" if person.track_id is None else person.track_id
            self._rows.writerow([escape_formula(image.name), *frame, number, track, *(f"{angle:.2f}" for angle in angles)])
