"""The analysis `label_errors`: annotated joints that the network and similar persons contradict, ranked.

A wrong annotation costs twice: it teaches the network a wrong joint, and it counts a right prediction as an error. The analysis
ranks all persons by how much better their annotation fits under the assumption of an error (`suspicions`). A score is the natural
logarithm of a likelihood ratio; it is no proof, so a person has to look at the list. How many wrong annotations the list has is
measured with errors that are planted in copies of the annotations (`planted_recall`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Component, Options
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.bootstrap import resample_images
from posescope.explainability.base import AnalysisInputs, AnalysisResult, Facts, StudyPersons
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explainability.label_errors.annotated_poses import AnnotatedPoses, Doubles, flip_pairs, nearest_persons
from posescope.explainability.label_errors.heatmap_heights import HeatmapHeights
from posescope.explainability.label_errors.label_error_findings import planted_finding
from posescope.explainability.label_errors.label_error_images import draw_suspicions
from posescope.explainability.label_errors.planted_recall import PLANTED_SHARE, PlantedRecall, measure_planted_recall
from posescope.explainability.label_errors.suspicions import KINDS, Suspicions, find_suspicions, read_heights
from posescope.explainability.label_errors.suspicious_joints import SuspiciousPersons, rank_persons

__all__ = ["LabelErrors", "LabelErrorsOptions"]

_LEAST_PERSONS = 30
_LIKELY = np.log(20)  # right annotations reach it in at most 5 % of the cases, if the regression fits
_SHEET, _TABLE = "doubtful_annotations", "label_errors"
_CAPTIONS = {
    _SHEET: "The annotations that fit worst, each on the left, with the prediction of the network on the right. A ring marks the "
    "joint to check; orange is the person's left side, blue the right one. The network may be the one that is wrong.",
    _TABLE: "The persons by rank. The score is the natural logarithm of how much more probable the evidence is if the annotation "
    "has this error than if it is right.",
}


class LabelErrorsOptions(Options):
    """Options of `label_errors`."""

    persons: int = Field(10_000, ge=30, description="Maximum number of fitted and of judged persons, drawn at random")
    neighbours: int = Field(15, ge=1, le=200, description="Nearest persons in feature space whose poses are compared")
    components: int = Field(30, ge=1, le=500, description="Components whose coordinates define the feature space")
    listed: float = Field(PLANTED_SHARE, gt=0, le=1, description="Fraction of the persons that are listed")
    shown: int = Field(24, ge=1, le=100, description="Persons in the image")
    repetitions: int = Field(2, ge=1, le=100, description="Draws of planted errors that measure what the list finds")
    resamples: int = Field(1000, ge=100, description="Bootstrap samples of photographs for the interval")


@dataclass(frozen=True)
class _Pool:
    """Fitted persons, then judged ones."""

    poses: AnnotatedPoses
    crops: tuple[CropSet, CropSet]
    person_ids: NDArray[np.int64]
    splits: NDArray[np.str_]
    judged: NDArray[np.bool_]

    def read_images(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Read crops of a few persons in any order, (n, H, W, 3)."""
        first = len(self.crops[0])
        images = [self.crops[int(row >= first)].read_images(np.array([row - first * (row >= first)])) for row in rows]
        return np.concatenate(images)


class LabelErrors(Component[LabelErrorsOptions]):
    """Analysis `label_errors`.

    Table: label_errors, the persons by rank. Image: label_errors, the first of them.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Rank the annotations; nothing but a note if fewer than 30 persons have labelled joints."""
        pool = self._gather(inputs)
        count = int(pool.poses.labelled.any(axis=1).sum())
        if count < _LEAST_PERSONS:
            note = f"Annotations were not ranked: {count} persons have labelled joints, {_LEAST_PERSONS} are needed."
            return AnalysisResult(facts={}, note=note)
        read_heatmaps = HeatmapHeights(inputs.model, pool.crops, inputs.batch_size)
        heights = read_heights(pool.poses, read_heatmaps, inputs.seed)
        suspicions = find_suspicions(pool.poses, heights, inputs.seed)
        recall = measure_planted_recall(
            pool.poses, pool.judged, read_heatmaps, heights, repetitions=self.options.repetitions, seed=inputs.seed
        )
        return self._describe(inputs, pool, suspicions, recall)

    def _gather(self, inputs: AnalysisInputs) -> _Pool:
        fitted, judged = (
            persons.subset(sample_rows(len(persons), self.options.persons, inputs.seed))
            for persons in (inputs.fitted, inputs.judged)
        )
        both = (fitted, judged)
        codes = [inputs.components.project(one.features.values, self.options.components) for one in both]
        scale = max(float(codes[0][:, 0].std()) if len(fitted) else 0.0, 1e-9)
        groups = np.concatenate([one.groups for one in both])
        everywhere = np.concatenate(codes) / scale
        poses = AnnotatedPoses(
            annotated=np.concatenate([_fractions(one, one.crops.targets.joints) for one in both]),
            predicted=np.concatenate([_fractions(one, one.predictions.joints) for one in both]),
            scores=np.concatenate([one.predictions.scores for one in both]).astype(np.float64),
            codes=everywhere,
            neighbours=nearest_persons(everywhere, groups, self.options.neighbours),
            groups=groups,
            pairs=flip_pairs(inputs.model.skeleton.flip_indices),
        )
        return _Pool(
            poses=poses,
            crops=(fitted.crops, judged.crops),
            person_ids=np.concatenate([one.person_ids for one in both]),
            splits=np.repeat([one.split for one in both], [len(one) for one in both]),
            judged=np.repeat([False, True], [len(one) for one in both]),
        )

    def _describe(
        self, inputs: AnalysisInputs, pool: _Pool, suspicions: Suspicions, recall: PlantedRecall
    ) -> AnalysisResult:
        skeleton = inputs.model.skeleton
        ranked = rank_persons(pool.poses, suspicions, max(1, round(self.options.listed * len(pool.poses))))
        table = ranked.table(pool.poses, skeleton, pool.person_ids, pool.splits, inputs.judged.crops.crop_size)
        draws = resample_images(inputs.judged.groups, inputs.seed, self.options.resamples)
        finding = planted_finding(recall, draws, _SHEET)
        facts = _facts(pool, suspicions, recall)
        return AnalysisResult(
            facts=facts,
            tables={_TABLE: table},
            images={_SHEET: self._draw(pool, ranked, skeleton)},
            note=_note(facts),
            captions=_CAPTIONS,
            findings=() if finding is None else (finding,),
        )

    def _draw(self, pool: _Pool, ranked: SuspiciousPersons, skeleton: Skeleton) -> NDArray[np.uint8]:
        rows, poses = ranked.rows[: self.options.shown], pool.poses
        if not len(rows):
            return np.full((1, 1, 3), 255, dtype=np.uint8)
        marked = [[joint for joint in pair if joint >= 0] for pair in zip(ranked.joints, ranked.others, strict=True)][: len(rows)]
        captions = [
            f"{place + 1}. {KINDS[ranked.kinds[place]]}: {skeleton.joints[ranked.joints[place]].replace('_', ' ')}, score "
            f"{ranked.scores[place]:.1f}, person {pool.person_ids[row]} ({pool.splits[row]})"
            for place, row in enumerate(rows)
        ]
        shown = np.where(poses.labelled[rows][..., None], poses.predicted[rows], np.nan)
        return draw_suspicions(pool.read_images(rows), poses.annotated[rows], shown, marked, captions, skeleton)


def _fractions(persons: StudyPersons, joints: NDArray[np.floating]) -> Doubles:
    """Return crop px as fractions of the crop's side."""
    return np.asarray((joints.astype(np.float64) + 0.5) / np.array(persons.crops.crop_size[::-1]))


def _facts(pool: _Pool, suspicions: Suspicions, recall: PlantedRecall) -> Facts:
    scores, likely = suspicions.person_scores, suspicions.by_kind > _LIKELY
    return {
        "persons": len(scores),
        "labelled_joints": int(pool.poses.labelled.sum()),
        "score_limit": round(float(_LIKELY), 2),
        "persons_above_limit": int((scores > _LIKELY).sum()),
        "judged_persons_above_limit": int((scores[pool.judged] > _LIKELY).sum()),
        **{f"{kind}_above_limit": int(likely[:, number].sum()) for number, kind in enumerate(KINDS)},
        "highest_score": _finite(scores.max(initial=-np.inf)),
        "planted_errors": len(recall),
        "planted_errors_found": int(recall.found.sum()),
        "planted_errors_found_by_distance": int(recall.found_by_distance.sum()),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _note(facts: Facts) -> str:
    return (
        f"Of {facts['persons']} persons, {facts['persons_above_limit']} have a score above {facts['score_limit']}: the evidence is "
        "20 times as probable if the annotation has an error than if it is right. Where all annotations are right, about 1 % of the "
        "persons reach that score. The network saw the annotations of the fitted persons in training, so its own errors are fewer "
        "there."
    )
