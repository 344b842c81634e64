"""Frozen records of arrays that pass between stages; `tables` has the tables.

Axis letters in all docstrings of the project:

    N persons (or crops)    K joints       C channels      H, W height and width in px
    S stacks of a network   D features     P components    Q clusters      E = 2, the coordinates (x, y)

Points are (x, y) in float pixels. An integer is the centre of a pixel; an image spans [-0.5, W - 0.5] x [-0.5, H - 0.5].
A missing joint is NaN with visibility 0. Visibility: 0 unlabelled, 1 labelled but occluded, 2 visible.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.files import atomic_write

__all__ = ["CropJoints", "PosePredictions", "PoseTargets"]


@dataclass(frozen=True)
class PoseTargets:
    """Annotated joints of N persons in their crops.

    Attributes:
        person_ids: (N,) int64.
        joints: (N, K, 2) float32 crop px; NaN where unlabelled.
        visibility: (N, K) uint8, 0..2.
        squares: Fingerprint of the crop boxes of the joints; empty if unknown.
        joint_names: (K,) in the order of the arrays; empty if unknown: such targets cannot be matched to a model.
        weights: (N, K) float32 >= 0, factor of each joint in the loss; 0 where the data set of the person does not annotate the
            joint. None: 1 for all.
    """

    person_ids: NDArray[np.int64]
    joints: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    squares: str = ""
    joint_names: tuple[str, ...] = ()
    weights: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        count = len(self.person_ids)
        shape = self.visibility.shape
        if len(shape) != 2 or shape[0] != count or self.joints.shape != (*shape, 2):
            raise DataError(
                f"PoseTargets: expected joints (N, K, 2) and visibility (N, K) for N = {count}, "
                f"found {self.joints.shape} and {self.visibility.shape}."
            )
        if self.weights is not None and self.weights.shape != shape:
            raise DataError(f"PoseTargets: expected weights (N, K) = {shape}, found {self.weights.shape}.")
        if self.joint_names and (len(self.joint_names) != shape[1] or len(set(self.joint_names)) != shape[1]):
            raise DataError(
                f"PoseTargets: expected {shape[1]} joint names, each once, found {len(self.joint_names)}: "
                f"{', '.join(self.joint_names)}."
            )

    def __len__(self) -> int:
        return len(self.person_ids)

    @property
    def annotated(self) -> NDArray[np.bool_]:
        """(N, K) False where the data set of the person does not annotate the joint, so that nothing is known of it."""
        return np.ones(self.visibility.shape, dtype=np.bool_) if self.weights is None else self.weights > 0

    def subset(self, rows: NDArray[np.int64]) -> "PoseTargets":
        """Return the persons at `rows`, in that order."""
        weights = None if self.weights is None else self.weights[rows]
        joints, visibility = self.joints[rows], self.visibility[rows]
        return replace(self, person_ids=self.person_ids[rows], joints=joints, visibility=visibility, weights=weights)

    def save(self, path: Path) -> None:
        """Write the arrays, the fingerprint and the names as `.npz`, atomically; without weights there is no such array."""
        arrays: dict[str, Any] = {
            "person_ids": self.person_ids,
            "joints": self.joints,
            "visibility": self.visibility,
            "squares": np.array(self.squares),
            "joint_names": np.array(self.joint_names, dtype=np.str_),
            **({} if self.weights is None else {"weights": self.weights}),
        }
        with atomic_write(path) as temporary:
            np.savez(temporary, **arrays)

    @classmethod
    def load(cls, path: Path) -> "PoseTargets":
        """Load a file of `save`.

        Raises:
            DataError: if the file is missing or not such a file.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
                arrays = (content["person_ids"], content["joints"], content["visibility"])
                names = tuple(map(str, content["joint_names"])) if "joint_names" in content else ()
                squares = str(content["squares"]) if "squares" in content else ""
                weights = content.get("weights")
                return cls(*arrays, squares=squares, joint_names=names, weights=weights)
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise DataError(f"{path}: expected the arrays person_ids, joints and visibility ({error}).") from error


@dataclass(frozen=True)
class CropJoints:
    """Predictions for N crops.

    Attributes:
        joints: (N, K, 2) float32 crop px.
        scores: (N, K) float32: the height of the heatmap's peak.
    """

    joints: NDArray[np.float32]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class PosePredictions:
    """Predictions of a network for N persons.

    Attributes:
        person_ids: (N,) int64.
        joints: (N, K, 2) float32 crop px, as the decoder returned them.
        scores: (N, K) float32, the height of the heatmap's peak.
    """

    person_ids: NDArray[np.int64]
    joints: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.person_ids)
