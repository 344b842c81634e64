"""Fitted and judged persons of a study together, with their annotations and predictions in one frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.drawing.photographs import PhotographMode
from posescope.explainability.base import AnalysisInputs, StudyPersons
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explainability.label_errors.annotated_poses import AnnotatedPoses, Doubles, flip_pairs, nearest_persons

__all__ = ["StudyPoses", "gather_poses"]


@dataclass(frozen=True)
class StudyPoses:
    """N persons, the fitted ones first.

    Attributes:
        poses: their annotations and predictions.
        fitted, judged: the persons.
    """

    poses: AnnotatedPoses
    fitted: StudyPersons
    judged: StudyPersons

    @property
    def person_ids(self) -> NDArray[np.int64]:
        """(N,) ids of the persons."""
        return np.concatenate([self.fitted.person_ids, self.judged.person_ids])

    @property
    def splits(self) -> NDArray[np.str_]:
        """(N,) names of their splits."""
        return np.repeat([self.fitted.split, self.judged.split], [len(self.fitted), len(self.judged)])

    @property
    def is_judged(self) -> NDArray[np.bool_]:
        """(N,) whether a person is judged."""
        return np.repeat([False, True], [len(self.fitted), len(self.judged)])

    def shown_crops(self, rows: NDArray[np.int64], photographs: PhotographMode) -> NDArray[np.uint8]:
        """Return (n, H, W, 3) crops for pictures.

        Args:
            rows: (n,) persons, in any order.
            photographs: how they are shown.
        """
        first, crops = len(self.fitted), np.empty((len(rows), *self.fitted.crops.crop_size, 3), dtype=np.uint8)
        for persons, own, start in ((self.fitted, rows < first, 0), (self.judged, rows >= first, first)):
            if own.any():
                crops[own] = persons.shown_crops(rows[own] - start, photographs)
        return crops


def gather_poses(inputs: AnalysisInputs, most: int, components: int, neighbours: int) -> StudyPoses:
    """Gather the fitted and the judged persons.

    Args:
        inputs: inputs of the analysis.
        most: maximum number of fitted and of judged persons, drawn at random.
        components: number of components whose coordinates define the feature space.
        neighbours: number of nearest persons.
    """
    both = tuple(persons.subset(sample_rows(len(persons), most, inputs.seed)) for persons in (inputs.fitted, inputs.judged))
    codes = [inputs.components.project(one.features.values, components) for one in both]
    scaled = np.concatenate(codes) / max(float(codes[0][:, 0].std()), 1e-9)
    groups = np.concatenate([one.groups for one in both])
    poses = AnnotatedPoses(
        annotated=np.concatenate([_fractions(one, one.crops.targets.joints) for one in both]),
        predicted=np.concatenate([_fractions(one, one.predictions.joints) for one in both]),
        scores=np.concatenate([one.predictions.scores for one in both]).astype(np.float64),
        codes=scaled,
        neighbours=nearest_persons(scaled, groups, neighbours),
        groups=groups,
        pairs=flip_pairs(inputs.model.skeleton.flip_indices),
    )
    return StudyPoses(poses, *both)


def _fractions(persons: StudyPersons, joints: NDArray[np.floating]) -> Doubles:
    """Return crop px as fractions of the crop's side, the longer one."""
    return np.asarray((joints.astype(np.float64) + 0.5) / max(persons.crops.crop_size))
