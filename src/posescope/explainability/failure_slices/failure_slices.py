"""The analysis `failure_slices`: rules in words for groups of persons on which the network fails.

Rules combine one or two conditions on pose and image attributes, annotation facts and components. They are searched in the judged
persons only, since a network fails less on persons that it was trained on; each person is judged by rules that were fitted
without its photograph (`cross_fitting`), and the whole search is compared with searches on permuted PCK (`search_chance`).
"""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from posescope.core.errors import pluralise
from posescope.core.plugins import Component
from posescope.explainability.base import AnalysisInputs, AnalysisResult, Facts
from posescope.explainability.failure_slices.cross_fitting import SearchOptions
from posescope.explainability.failure_slices.judged_columns import JudgedColumns, gather_columns
from posescope.explainability.failure_slices.rules import as_columns
from posescope.explainability.failure_slices.slice_findings import slice_findings, title
from posescope.explainability.failure_slices.slice_images import choose_shown, draw_slice, plot_slices
from posescope.explainability.failure_slices.slice_judgement import JudgedSlice, find_failure_slices
from posescope.explainability.failure_slices.slice_tables import (
    describe_errors,
    tabulate_conditions,
    tabulate_error_types,
    tabulate_members,
    tabulate_properties,
    tabulate_slices,
)
from posescope.explainability.failure_slices.slice_words import PROPERTY_WORDS, RuleWords, describe_rule
from posescope.explainability.findings import MIN_IMAGES

__all__ = ["FailureSlices", "FailureSlicesOptions"]

_CAPTIONS = {
    "failure_slices": "One row per group of persons on which the network may fail, with its PCK inside and outside and its "
    "share of all missed joints; `chance_gap` is the gap that 5 % of the searches on permuted PCK exceed.",
    "slice_members": "The fold of each judged person, whether the rule of the other folds covers it, and its PCK: the gaps are "
    "computed from these rows.",
    "slice_conditions": "The rule of each fold, searched without its photographs; fold -1 is the combined rule.",
    "slice_properties": "The gap among persons who are alike in a property that is known without the network: where it vanishes, "
    "the property explains the group.",
    "slice_error_types": "Types of errors inside and outside of each group, as fractions of the labelled joints.",
}


class FailureSlicesOptions(SearchOptions):
    """Options of `failure_slices`."""

    components: int = Field(20, ge=0, description="Number of first components that rules may use")


class FailureSlices(Component[FailureSlicesOptions]):
    """Analysis `failure_slices`.

    Tables: failure_slices, slice_members, slice_conditions, slice_properties, slice_error_types. Images: slice_1 and so on,
    persons of each claimed slice. Plot: slices_pck.
    """

    def __call__(self, inputs: AnalysisInputs) -> AnalysisResult:
        """Search rules in the judged persons and judge them on the photographs of other folds."""
        photographs = len(np.unique(inputs.judged.groups[np.isfinite(inputs.judged.per_person_pck)]))
        if photographs < MIN_IMAGES:
            return AnalysisResult(
                facts={},
                note=f"No search: the judged persons are of {pluralise(photographs, 'photograph')}, {MIN_IMAGES} are needed.",
            )
        judged = gather_columns(inputs, self.options.components)
        slices = find_failure_slices(
            judged.table,
            judged.properties,
            judged.persons.per_person_pck,
            judged.persons.groups,
            self.options,
            inputs.seed,
            judged.missed,
        )
        columns = as_columns(judged.table)
        words = [describe_rule(one.rule, columns, judged.components) for one in slices]
        return self._result(inputs, judged, slices, words)

    def _result(
        self, inputs: AnalysisInputs, judged: JudgedColumns, slices: Sequence[JudgedSlice], words: Sequence[RuleWords]
    ) -> AnalysisResult:
        claimed = [number for number, one in enumerate(slices, start=1) if one.is_claimed]
        images = {
            f"slice_{number}": draw_slice(
                judged.persons,
                choose_shown(slices[number - 1].members, judged.persons.per_person_pck, judged.persons.groups),
                inputs.model.skeleton,
                inputs.photographs,
            )
            for number in claimed
        }
        names = [title(words[number - 1]).capitalize() for number in claimed]
        tables = {
            "failure_slices": tabulate_slices(slices, words),
            "slice_members": tabulate_members(slices, judged),
            "slice_conditions": tabulate_conditions(slices),
            "slice_properties": tabulate_properties(slices),
            "slice_error_types": tabulate_error_types(slices, judged.persons.error_types),
        }
        inside, outside = ([getattr(slices[number - 1], side) for number in claimed] for side in ("inside", "outside"))
        plots = {"slices_pck": plot_slices(names, inside, outside)} if claimed else {}
        types = tables["slice_error_types"]
        shown = {
            f"slice_{number}": _image_caption(slices[number - 1], words[number - 1]) + describe_errors(types, number)
            for number in claimed
        }
        if claimed:
            shown["slices_pck"] = "Mean PCK of each group and of all others, with 95 % intervals over photographs."
        return AnalysisResult(
            facts=_facts(judged, slices),
            tables=tables,
            images=images,
            note=_note(judged, slices, words),
            findings=slice_findings(slices, words, len(judged.persons)),
            plots=plots,
            captions={**_CAPTIONS, **shown},
            photographs=inputs.photographs,
        )


def _image_caption(one: JudgedSlice, words: RuleWords) -> str:
    pck = f"PCK {one.inside.estimate:.2f}, all others {one.outside.estimate:.2f}"
    shown = "the persons with the lowest PCK above, typical ones below; each with the annotated skeleton, under it the predicted"
    return f"{title(words).capitalize()} ({pck}): {shown} one."


def _facts(judged: JudgedColumns, slices: Sequence[JudgedSlice]) -> Facts:
    claimed = [one for one in slices if one.is_claimed]
    inside = np.zeros(len(judged.persons), dtype=bool)
    for one in claimed:
        inside[one.members] = True
    missed = float(judged.missed.sum())
    return {
        "persons": len(judged.persons),
        "slices": len(claimed),
        "persons_in_slices": int(inside.sum()),
        "share_of_error_in_slices": float(judged.missed[inside].sum()) / missed if missed > 0 else None,
    }


def _note(judged: JudgedColumns, slices: Sequence[JudgedSlice], words: Sequence[RuleWords]) -> str:
    claimed = [(one, text) for one, text in zip(slices, words, strict=True) if one.is_claimed]
    photographs = len(np.unique(judged.persons.groups))
    start = (
        f"{len(judged.persons)} judged persons in {photographs} photographs, {judged.table.shape[1]} attributes and components."
    )
    if not claimed:
        return f"{start} No rule finds a group with a lower PCK beyond what the same search finds by chance."
    parts = []
    for one, text in claimed:
        why = f", explained by the {PROPERTY_WORDS.get(one.explained_by, one.explained_by)}" if one.explained_by else ""
        parts.append(f"{title(text)} ({one.persons}, PCK {one.inside.estimate:.2f} against {one.outside.estimate:.2f}{why})")
    return f"{start} The network fails more often on: {'; '.join(parts)}."
