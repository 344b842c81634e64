"""Analysis `truncation`: how many principal components of a layer does the rest of the network need?

    f  = mean + sum over all components of  score_i * axis_i  (+ directions beyond the stored axes)
    f' = mean + sum over a subset of them                     replaces f in the forward pass

The thesis called the components after the 50th noise because they explain little variance. Here f' is decoded by the rest of the
network and the predicted joints are scored. The control is the span of the features of k random persons (`person_spans`).

The skip connections carry either each person's own activations, or their mean over persons together with an image of the mean
colour, so that only the patched layer differs between persons. With their own skip activations the layer may matter little.

Components, random persons, mean activations and the number of components that is asked about are of the fitted persons; PCK is
of the judged ones.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, field_validator

from posescope.core.plugins import Component, Options
from posescope.explainability.answers import state_sample
from posescope.explainability.base import AnalysisInputs, AnalysisResult, StudyPersons
from posescope.explainability.components.pca import Components
from posescope.explainability.features.activation_patching import describe_patching_obstacle
from posescope.explainability.paired_pck import PairedPck, labelled_rows, tabulate_hits
from posescope.explainability.truncation.component_subsets import INTACT, ComponentSubset, subset_of
from posescope.explainability.truncation.person_spans import PersonSpans, deal_draws, draw_person_spans
from posescope.explainability.truncation.subset_scoring import SubsetScorer
from posescope.explainability.truncation.truncation_curve import SkipMode, TruncationCurve, tabulate_curves, tabulate_joints
from posescope.explainability.truncation.truncation_findings import (
    TruncationStudy,
    caption_results,
    describe,
    facts_of,
    findings_of,
)
from posescope.explainability.truncation.truncation_plots import plot_curve, plot_joint_drops

__all__ = ["Truncation", "TruncationOptions"]

_NOISE_FROM = 50  # the study: later components are noise; the first ones explain this fraction of its variance
_NOISE_VARIANCE = 0.76


class TruncationOptions(Options):
    """Options of the analysis `truncation`."""

    skips: tuple[Literal["own", "mean"], ...] = Field(
        ("own", "mean"),
        min_length=1,
        max_length=2,
        description="Activations of the skip connections: each person's own, the mean; the first one is plotted",
    )
    counts: tuple[int, ...] = Field(
        (1, 2, 5, 10, 20, 50, 100, 200, 500), max_length=200, description="Numbers of first components; none and all are added"
    )
    control_counts: tuple[int, ...] = Field(
        (1, 2, 5, 10, 20, 50, 100, 200), max_length=200, description="Numbers of random persons whose span is the control"
    )
    draws: int = Field(20, ge=1, le=1000, description="Draws of random persons; each photograph is projected on one of them")
    persons: int = Field(400, ge=2, description="Maximum number of judged persons with labelled joints")
    fitted_persons: int = Field(
        200, ge=2, description="Maximum number of fitted persons that choose the number of components, and for mean activations"
    )
    tolerance: float = Field(0.01, ge=0, lt=1, description="Drop of PCK that does not count")
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples of photographs for each interval")

    @field_validator("counts", "control_counts")
    @classmethod
    def _not_negative(cls, counts: tuple[int, ...]) -> tuple[int, ...]:
        if counts and min(counts) < 0:
            raise ValueError(f"expected numbers of components >= 0, found {min(counts)}")
        return tuple(sorted(set(counts)))


class Truncation(Component[TruncationOptions]):
    """Analysis `truncation`.

    Tables: truncation, truncation_joints, and to recompute them truncation_hits, truncation_persons, truncation_draws.
    Image: truncation_joints. Plot: truncation_curve.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Score the persons with an increasing number of components.

        Raises:
            ExplainabilityError: if no person has labelled joints.
        """
        obstacle = describe_patching_obstacle(inputs.model, inputs.judged.features)
        if obstacle:
            return AnalysisResult({}, note=obstacle)
        modes, noise_after = self._modes(inputs), _noise_after(inputs.components)
        chosen_on = self._choose(inputs, modes[0])
        asked = chosen_on.asked_count
        spans = self._draw_spans(inputs, max([*self.options.control_counts, noise_after or 1, asked or 1]), self.options.draws)
        scorer = SubsetScorer(inputs, spans, self.options.fitted_persons)
        rows = labelled_rows(inputs.judged, self.options.persons, "truncation", inputs.seed)
        curves = [
            self._measure(inputs, inputs.judged, rows, scorer, mode, self._subsets(inputs, spans, mode, noise_after, asked))
            for mode in modes
        ]
        study = TruncationStudy(inputs, curves, chosen_on, noise_after)
        joints = tabulate_joints(curves, inputs.model.skeleton.joints)
        return AnalysisResult(
            facts=facts_of(study),
            tables={
                "truncation": tabulate_curves(curves),
                "truncation_joints": joints,
                "truncation_hits": _tabulate_hits(inputs.judged, rows, curves),
                "truncation_persons": _tabulate_persons(inputs, rows, spans),
                "truncation_draws": _tabulate_draws(inputs.fitted, spans),
            },
            images={"truncation_joints": plot_joint_drops(joints)},
            note=describe(study),
            findings=state_sample(findings_of(study), inputs.judged.groups[rows]),
            plots={"truncation_curve": plot_curve(curves[0], asked)},
            captions=caption_results(study),
            photographs=inputs.photographs,
        )

    def _modes(self, inputs: AnalysisInputs) -> tuple[SkipMode, ...]:
        return tuple(dict.fromkeys(self.options.skips)) if inputs.model.network.skip_layers else ("none",)

    def _draw_spans(self, inputs: AnalysisInputs, largest: int, draws: int) -> PersonSpans:
        most = max(1, min(largest, len(inputs.components) - 1))
        return draw_person_spans(inputs.fitted.features, inputs.components.mean, draws, most, inputs.seed)

    def _choose(self, inputs: AnalysisInputs, mode: SkipMode) -> TruncationCurve:
        """Measure the curve of fitted persons, which gives the number of components that the findings ask about."""
        scorer = SubsetScorer(inputs, self._draw_spans(inputs, 1, 1), self.options.fitted_persons)
        rows = labelled_rows(inputs.fitted, self.options.fitted_persons, "truncation", inputs.seed)
        return self._measure(inputs, inputs.fitted, rows, scorer, mode, [INTACT, *self._first(inputs)])

    def _measure(
        self,
        inputs: AnalysisInputs,
        persons: StudyPersons,
        rows: NDArray[np.int64],
        scorer: SubsetScorer,
        mode: SkipMode,
        subsets: Sequence[ComponentSubset],
    ) -> TruncationCurve:
        labelled = persons.crops.targets.visibility[rows] > 0
        scores = PairedPck(labelled, persons.groups[rows], inputs.seed, self.options.resamples)
        hits = scorer.score(persons, rows, mode, subsets)
        return TruncationCurve(mode, hits, scores, len(inputs.components), self.options.tolerance)

    def _first(self, inputs: AnalysisInputs) -> list[ComponentSubset]:
        axes = len(inputs.components)
        counts = [0, *(count for count in self.options.counts if 0 < count < axes), axes]
        return [ComponentSubset("first", count) for count in dict.fromkeys(counts)]

    def _subsets(
        self, inputs: AnalysisInputs, spans: PersonSpans, mode: SkipMode, noise_after: int | None, asked: int | None
    ) -> list[ComponentSubset]:
        """List the intact network, the first k, and the controls, each once; only the first mode has the whole control."""
        axes, is_first = len(inputs.components), mode == self._modes(inputs)[0]
        controls = [*self.options.control_counts, asked or 0] if is_first else []
        subsets = [INTACT, *self._first(inputs)]
        if noise_after:
            controls.append(noise_after)
            subsets += [ComponentSubset("first", noise_after), subset_of("last", axes - noise_after, axes)]
        subsets += [ComponentSubset("persons", count) for count in sorted(controls) if 0 < count <= min(spans.largest, axes - 1)]
        return list(dict.fromkeys(subsets))


def _noise_after(components: Components) -> int | None:
    """Apply the thesis's claim: noise begins after 50 components, or after the variance that its first 50 components explain."""
    axes = len(components)
    count = _NOISE_FROM if axes > _NOISE_FROM else components.components_for(_NOISE_VARIANCE)
    return count if count < axes else None


def _tabulate_hits(persons: StudyPersons, rows: NDArray[np.int64], curves: Sequence[TruncationCurve]) -> pd.DataFrame:
    ids, labelled = persons.person_ids[rows], persons.crops.targets.visibility[rows] > 0
    parts = [tabulate_hits(ids, labelled, curve.hits, partial(_columns_of, curve.skips)) for curve in curves]
    return pd.concat(parts, ignore_index=True).astype({"k": "Int64"})


def _columns_of(skips: SkipMode, subset: ComponentSubset) -> dict[str, str | int | None]:
    return {"skips": skips, "subset": subset.kind, "k": None if subset == INTACT else subset.count}


def _tabulate_persons(inputs: AnalysisInputs, rows: NDArray[np.int64], spans: PersonSpans) -> pd.DataFrame:
    """Tabulate the judged persons, their photographs and the draw of random persons on whose span they are projected."""
    groups = inputs.judged.groups[rows]
    draws = deal_draws(groups, len(spans.rows), inputs.seed)
    return pd.DataFrame({"person_id": inputs.judged.person_ids[rows], "image_group": groups, "draw": draws})


def _tabulate_draws(fitted: StudyPersons, spans: PersonSpans) -> pd.DataFrame:
    """Tabulate the drawn persons; the span of k persons is that of the first k of a draw."""
    draws, places = np.indices(spans.rows.shape)
    ids = fitted.person_ids[spans.rows.ravel()]
    return pd.DataFrame({"draw": draws.ravel(), "place": places.ravel() + 1, "person_id": ids})
