"""The analysis `label_errors`: annotated joints that the network and similar persons contradict, ranked.

A wrong annotation costs twice: it teaches the network a wrong joint, and it counts a right prediction as an error. The analysis
ranks all persons by how much better their annotation fits under the assumption of an error (`suspicions`). A score is the natural
logarithm of a likelihood ratio; it is no proof, so a person has to look at the list. How many wrong annotations the list has is
measured with errors that are planted in copies of the annotations (`planted_recall`).
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Component, Options
from posescope.evaluation.bootstrap import resample_images
from posescope.explainability.base import AnalysisInputs, AnalysisResult, Facts
from posescope.explainability.label_errors.heatmap_heights import HeatmapHeights
from posescope.explainability.label_errors.label_error_findings import planted_finding
from posescope.explainability.label_errors.label_error_images import draw_suspicions
from posescope.explainability.label_errors.planted_recall import PLANTED_SHARE, PlantedRecall, measure_planted_recall
from posescope.explainability.label_errors.study_poses import StudyPoses, gather_poses
from posescope.explainability.label_errors.suspicions import KINDS, Suspicions, find_suspicions, read_heights
from posescope.explainability.label_errors.suspicious_joints import SuspiciousPersons, rank_persons

__all__ = ["LabelErrors", "LabelErrorsOptions"]

_LEAST_PERSONS = 30
_LIMIT = np.log(20)  # right annotations reach it in at most 5 % of the cases, if the regression fits
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


class LabelErrors(Component[LabelErrorsOptions]):
    """Analysis `label_errors`.

    Table: label_errors, the persons by rank. Image: label_errors, the first of them.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Rank the annotations; nothing but a note if fewer than 30 persons have labelled joints."""
        options = self.options
        study = gather_poses(inputs, options.persons, options.components, options.neighbours)
        count = int(study.poses.labelled.any(axis=1).sum())
        if count < _LEAST_PERSONS:
            note = f"Annotations were not ranked: {count} persons have labelled joints, {_LEAST_PERSONS} are needed."
            return AnalysisResult(facts={}, note=note)
        read_heatmaps = HeatmapHeights(inputs.model, (study.fitted.crops, study.judged.crops), inputs.batch_size)
        heights = read_heights(study.poses, read_heatmaps, inputs.seed)
        suspicions = find_suspicions(study.poses, heights, inputs.seed)
        recall = measure_planted_recall(
            study.poses, study.is_judged, read_heatmaps, heights, repetitions=options.repetitions, seed=inputs.seed
        )
        return self._describe(inputs, study, suspicions, recall)

    def _describe(
        self, inputs: AnalysisInputs, study: StudyPoses, suspicions: Suspicions, recall: PlantedRecall
    ) -> AnalysisResult:
        ranked = rank_persons(study.poses, suspicions, max(1, round(self.options.listed * len(study.poses))))
        size = study.judged.crops.crop_size
        table = ranked.table(study.poses, inputs.model.skeleton, study.person_ids, study.splits, size)
        draws = resample_images(study.judged.groups, inputs.seed, self.options.resamples)
        finding = planted_finding(recall, draws, _SHEET)
        facts = _facts(study, suspicions, recall)
        return AnalysisResult(
            facts=facts,
            tables={_TABLE: table},
            images={_SHEET: self._draw(inputs, study, ranked)},
            note=_note(facts),
            findings=() if finding is None else (finding,),
            captions=_CAPTIONS,
            photographs=inputs.photographs,
        )

    def _draw(self, inputs: AnalysisInputs, study: StudyPoses, ranked: SuspiciousPersons) -> NDArray[np.uint8]:
        rows, poses, skeleton = ranked.rows[: self.options.shown], study.poses, inputs.model.skeleton
        marked = [[joint for joint in pair if joint >= 0] for pair in zip(ranked.joints, ranked.others, strict=True)][: len(rows)]
        captions = [
            f"{place + 1}. {KINDS[ranked.kinds[place]]}: {skeleton.joints[ranked.joints[place]].replace('_', ' ')}, score "
            f"{ranked.scores[place]:.1f}, person {study.person_ids[row]} ({study.splits[row]})"
            for place, row in enumerate(rows)
        ]
        predicted = np.where(poses.labelled[rows][..., None], poses.predicted[rows], np.nan)
        crops = study.shown_crops(rows, inputs.photographs)
        return draw_suspicions(crops, poses.annotated[rows], predicted, marked, captions, skeleton)


def _facts(study: StudyPoses, suspicions: Suspicions, recall: PlantedRecall) -> Facts:
    scores, likely = suspicions.person_scores, suspicions.by_kind > _LIMIT
    return {
        "persons": len(scores),
        "labelled_joints": int(study.poses.labelled.sum()),
        "score_limit": round(float(_LIMIT), 2),
        "persons_above_limit": int((scores > _LIMIT).sum()),
        "judged_persons_above_limit": int((scores[study.is_judged] > _LIMIT).sum()),
        **{f"{kind}_above_limit": int(likely[:, number].sum()) for number, kind in enumerate(KINDS)},
        "highest_score": float(scores.max()),
        "planted_errors": len(recall),
        "planted_errors_found": int(recall.found.sum()),
        "planted_errors_found_by_distance": int(recall.found_by_distance.sum()),
    }


def _note(facts: Facts) -> str:
    limit, above = facts["score_limit"], facts["persons_above_limit"]
    return (
        f"Of {facts['persons']} persons, {above} have a score above {limit}: the evidence is 20 times as probable with an error "
        "in the annotation as without. About 1 % of the persons reach it where all annotations are right (generated sample). "
        "A network contradicts annotations less that it has seen in training."
    )
