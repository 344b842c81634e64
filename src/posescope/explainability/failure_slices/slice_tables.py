"""Tables of failure slices: everything that their numbers are computed from."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval
from posescope.evaluation.error_analysis.error_types import ERROR_TYPES
from posescope.explainability.failure_slices.judged_columns import JudgedColumns
from posescope.explainability.failure_slices.known_properties import SEVERAL
from posescope.explainability.failure_slices.rules import Rule
from posescope.explainability.failure_slices.slice_judgement import JudgedSlice
from posescope.explainability.failure_slices.slice_words import PROPERTY_WORDS, RuleWords

__all__ = [
    "describe_errors",
    "tabulate_conditions",
    "tabulate_error_types",
    "tabulate_members",
    "tabulate_properties",
    "tabulate_slices",
]

_ERROR_WORDS = {
    "jitter": "joints slightly off",
    "inversion": "left and right exchanged",
    "swap": "joints of another person",
    "miss": "joints far off",
    "not found": "persons not found",
}
_UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))
_SLICES = (
    "slice", "words", "rule", "conditions", "persons", "photographs", "pck_inside", "pck_inside_low", "pck_inside_high",
    "pck_outside", "pck_outside_low", "pck_outside_high", "gap", "gap_low", "gap_high", "share_of_error", "chance_gap", "p_value",
    "claimed", "explained_by", "explanation", "adjusted_gap", "adjusted_gap_low", "adjusted_gap_high",
)  # fmt: skip


def tabulate_slices(slices: Sequence[JudgedSlice], words: Sequence[RuleWords]) -> pd.DataFrame:
    """Return a row per slice.

    Columns: slice (from 1), words, rule (exact conditions in words), conditions (JSON), persons, photographs, pck_inside,
    pck_outside and gap with low and high, share_of_error, chance_gap (that 5 % of the searches on permuted PCK exceed), p_value,
    claimed, explained_by (name of a property), explanation (in words), and the gap adjusted for that property, or for all
    properties if none explains the slice.

    Args:
        slices, words: the slices and their words.
    """
    rows = []
    for number, (one, text) in enumerate(zip(slices, words, strict=True), start=1):
        adjusted = one.adjusted.get(one.explained_by or SEVERAL, _UNKNOWN)
        rows.append(
            {
                "slice": number,
                "words": text.short,
                "rule": text.exact,
                "conditions": _as_json(one.rule),
                "persons": one.persons,
                "photographs": one.photographs,
                **one.inside.columns("pck_inside"),
                **one.outside.columns("pck_outside"),
                **one.gap.columns("gap"),
                "share_of_error": one.share_of_error,
                "chance_gap": one.chance.high,
                "p_value": one.p_value,
                "claimed": one.is_claimed,
                "explained_by": one.explained_by,
                "explanation": PROPERTY_WORDS.get(one.explained_by, one.explained_by),
                **adjusted.columns("adjusted_gap"),
            }
        )
    return pd.DataFrame(rows, columns=list(_SLICES))


def _as_json(rule: Rule) -> str:
    conditions = [
        {"feature": one.feature, "comparison": one.comparison, "threshold": None if np.isnan(one.threshold) else one.threshold}
        for one in rule.conditions
    ]
    return json.dumps(conditions)


def tabulate_members(slices: Sequence[JudgedSlice], judged: JudgedColumns) -> pd.DataFrame:
    """Return a row per slice and judged person: person_id, photograph, fold (from 0), slice, inside (1 or 0), pck.

    Args:
        slices: the slices.
        judged: the judged persons.
    """
    parts = []
    for number, one in enumerate(slices, start=1):
        rows = np.flatnonzero(one.fitted.inside >= 0)
        parts.append(
            pd.DataFrame(
                {
                    "person_id": judged.persons.person_ids[rows],
                    "photograph": judged.persons.groups[rows],
                    "fold": one.fitted.folds[rows],
                    "slice": number,
                    "inside": one.fitted.inside[rows].astype(np.int64),
                    "pck": judged.persons.per_person_pck[rows],
                }
            )
        )
    columns = ["person_id", "photograph", "fold", "slice", "inside", "pck"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def tabulate_conditions(slices: Sequence[JudgedSlice]) -> pd.DataFrame:
    """Return a row per condition of each fold's rule: slice, fold (-1: the combined rule), feature, comparison, threshold."""
    rows = [
        (number, fold, condition.feature, condition.comparison, condition.threshold)
        for number, one in enumerate(slices, start=1)
        for fold, rule in enumerate((one.rule, *one.fitted.rules), start=-1)
        if rule is not None
        for condition in rule.conditions
    ]
    return pd.DataFrame(rows, columns=["slice", "fold", "feature", "comparison", "threshold"])


def tabulate_properties(slices: Sequence[JudgedSlice]) -> pd.DataFrame:
    """Return a row per slice and known property: slice, property, gap among persons alike in it, with low and high."""
    rows = [
        {"slice": number, "property": name, **gap.columns("gap")}
        for number, one in enumerate(slices, start=1)
        for name, gap in one.adjusted.items()
    ]
    return pd.DataFrame(rows, columns=["slice", "property", "gap", "gap_low", "gap_high"])


def tabulate_error_types(slices: Sequence[JudgedSlice], types: NDArray[np.int8] | None) -> pd.DataFrame:
    """Return how often each error type occurs in each slice.

    Args:
        slices: the slices.
        types: (N, K) index into `ERROR_TYPES`, -1 where unlabelled; none: unknown.

    Returns:
        A row per slice, side (`inside`, `outside`) and type: slice, side, type, joints, fraction of the side's labelled joints.
    """
    rows = []
    for number, one in enumerate(slices if types is not None else (), start=1):
        for side, code in (("inside", 1), ("outside", 0)):
            own = types[one.fitted.inside == code]  # type: ignore[index]
            labelled = int((own >= 0).sum())
            for kind, name in enumerate(ERROR_TYPES):
                joints = int((own == kind).sum())
                rows.append((number, side, name, joints, joints / labelled if labelled else float("nan")))
    return pd.DataFrame(rows, columns=["slice", "side", "type", "joints", "fraction"])


def describe_errors(types: pd.DataFrame, number: int) -> str:
    """Return a sentence on the error type that is most increased in a slice; empty if the types are unknown or none is increased.

    Args:
        types: table of `tabulate_error_types`.
        number: number of the slice.
    """
    own = types[(types["slice"] == number) & types["type"].isin(_ERROR_WORDS)]
    sides = own.pivot_table(index="type", columns="side", values="fraction")
    if sides.empty or (sides["inside"] <= sides["outside"]).all():
        return ""
    kind = str((sides["inside"] - sides["outside"]).idxmax())
    inside, outside = (float(sides[side][kind]) for side in ("inside", "outside"))
    return f" Most increased error: {_ERROR_WORDS[kind]} ({inside:.0%} of the joints, {outside:.0%} on all others)."
