"""The most suspicious annotation of each person, as a table."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.explainability.label_errors.annotated_poses import AnnotatedPoses
from posescope.explainability.label_errors.suspicions import KINDS, Suspicions

__all__ = ["COLUMNS", "SuspiciousPersons", "rank_persons"]

COLUMNS = (
    "rank", "person_id", "split", "kind", "joint", "other_joint", "score", "annotated_x", "annotated_y", "predicted_x",
    "predicted_y", "distance",
)  # fmt: skip


@dataclass(frozen=True)
class SuspiciousPersons:
    """The n persons with the largest scores, in descending order.

    Attributes:
        rows: (n,) rows of all persons.
        kinds: (n,) index into `KINDS`.
        joints: (n,) number of the joint that is wrong if the suspicion is right; of several ones that with the largest distance
            between annotation and prediction.
        others: (n,) number of the joint that it is exchanged with, -1 of a displaced joint.
        scores: (n,).
    """

    rows: NDArray[np.int64]
    kinds: NDArray[np.int64]
    joints: NDArray[np.int64]
    others: NDArray[np.int64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    def table(
        self,
        poses: AnnotatedPoses,
        skeleton: Skeleton,
        person_ids: NDArray[np.int64],
        splits: NDArray[np.str_],
        crop_size: tuple[int, int],
    ) -> pd.DataFrame:
        """Return a row per person with the columns `COLUMNS`.

        Args:
            poses: all N persons.
            skeleton: names of the joints.
            person_ids, splits: (N,).
            crop_size: (height, width) px.

        Returns:
            Coordinates in crop px, distance between annotation and prediction in fractions of the crop's side.
        """
        names = np.array([*skeleton.joints, ""])  # the last one is found at -1
        side = max(crop_size)
        annotated, predicted = (joints[self.rows, self.joints] for joints in (poses.completed, poses.predicted))
        (annotated_x, annotated_y), (predicted_x, predicted_y) = ((places * side - 0.5).T for places in (annotated, predicted))
        columns = (
            np.arange(1, len(self) + 1), person_ids[self.rows], splits[self.rows], np.array(KINDS)[self.kinds],
            names[self.joints], names[self.others], self.scores, annotated_x, annotated_y, predicted_x, predicted_y,
            np.linalg.norm(annotated - predicted, axis=1),
        )  # fmt: skip
        return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def rank_persons(poses: AnnotatedPoses, suspicions: Suspicions, most: int) -> SuspiciousPersons:
    """Rank the persons by their scores.

    Args:
        poses: N persons.
        suspicions: their scores.
        most: maximum number of persons; persons whose annotations cannot be judged are left out.
    """
    by_kind = suspicions.by_kind
    order = np.argsort(-by_kind.max(axis=1), kind="stable")[:most]
    rows = order[np.isfinite(by_kind[order].max(axis=1))]
    kinds = by_kind[rows].argmax(axis=1)
    joints, others = suspicions.displaced[rows].argmax(axis=1), np.full(len(rows), -1)
    distances = np.linalg.norm(poses.completed - poses.predicted, axis=2)[rows]
    partners = np.full(distances.shape[1], -1)
    partners[poses.pairs], partners[poses.pairs[:, ::-1]] = poses.pairs[:, ::-1], poses.pairs
    for place in np.flatnonzero(kinds != KINDS.index("displaced")):
        swapped = KINDS[kinds[place]] == "swapped"
        usable = suspicions.swapped[rows[place]].argmax(keepdims=True) if swapped else poses.labelled_pairs[rows[place]]
        candidates = poses.pairs[usable].ravel()
        joints[place] = candidates[distances[place, candidates].argmax()]
        others[place] = partners[joints[place]]
    return SuspiciousPersons(rows.astype(np.int64), kinds.astype(np.int64), joints, others, by_kind[rows, kinds])
