"""Section of the report on errors: types and their cost, groups of persons, reliability of scores, worst persons."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.core.errors import pluralise
from posescope.evaluation.error_analysis.error_costs import ALL_ERRORS
from posescope.evaluation.error_analysis.error_types import ALL_JOINTS
from posescope.evaluation.error_analysis.strata import ALL_PERSONS
from posescope.reporting.plots.evaluation_plots import rank_joints
from posescope.reporting.report_content import ReportImage, ReportPlot, ReportTable, Section
from posescope.reporting.setting_captions import add_setting_to_caption, drop_setting_columns

__all__ = ["FailureInputs", "assemble_failure_section", "describe_effects", "describe_failures"]

# Plots in the order of the page: field of `FailureInputs`, caption, alternative text.
_PLOTS = {
    "error_types_plot": (
        "Types of errors of each joint; the joint with the smallest fraction of good predictions is on top.",
        "Stacked bars by joint",
    ),
    "error_costs_plot": (
        "Increase of AP and of mean OKS after the joints of one error type are corrected, for each type alone. Persons without a "
        "crop are not corrected.",
        "Bars and dots by type of error",
    ),
    "strata_plot": (
        "Metrics of groups of persons, and of visible and occluded joints; dotted lines are those of all persons.",
        "Dots by group of persons",
    ),
    "reliability_plot": (
        "Metrics of joints and persons by predicted score. They rise with the score if the score is informative.",
        "Curves by score",
    ),
}
_MIN_PERSONS = 20  # smaller groups are not named as those with the lowest or highest OKS
_STRATA_CAPTION = "Rows of the stratum visibility are groups of joints, all others are groups of persons."
_GROUPS = {
    ("size", "small"): "small persons",
    ("size", "medium"): "medium-sized persons",
    ("size", "large"): "large persons",
    ("crowding", "no overlap"): "persons whose box overlaps no other box",
    ("crowding", "1 overlap"): "persons whose box overlaps one other box",
    ("crowding", "2+ overlaps"): "persons whose box overlaps two or more other boxes",
    ("truncation", "inside"): "persons whose box does not touch the image border",
    ("truncation", "at the border"): "persons whose box touches the image border",
}
# Sentence by its subject: the effects in the table of decoding effects and the condition of each.
_EFFECTS = {
    "The codec's decoder changes mean OKS compared with arg-max decoding": {
        "codec decoder instead of arg-max": "without flip test",
        "codec decoder instead of arg-max, with flip test": "with flip test",
    },
    "Flip test changes mean OKS": {
        "flip test, with arg-max": "with arg-max decoding",
        "flip test, with codec decoder": "with the codec's decoder",
    },
}


@dataclass(frozen=True, eq=False)
class FailureInputs:
    """Results of the error analysis.

    Attributes:
        error_types, error_costs, strata, reliability, rank_correlations, decoding_effects: tables of
            `posescope.evaluation.table_schemas`; decoding_effects may be empty.
        error_types_plot, error_costs_plot, strata_plot, reliability_plot: plotly figures.
        worst_persons: (H, W, 3) uint8 RGB. None: it must not be shown.
    """

    error_types: pd.DataFrame
    error_costs: pd.DataFrame
    strata: pd.DataFrame
    reliability: pd.DataFrame
    rank_correlations: pd.DataFrame
    decoding_effects: pd.DataFrame
    error_types_plot: go.Figure
    error_costs_plot: go.Figure
    strata_plot: go.Figure
    reliability_plot: go.Figure
    worst_persons: NDArray[np.uint8] | None


def assemble_failure_section(inputs: FailureInputs) -> Section:
    """Return the section, with one sentence per result."""
    text = (
        "A joint is good if its keypoint similarity (KS) is at least 0.85, about the agreement of two annotators; jitter: KS at "
        "least 0.5; inversion: near the mirrored joint of the same person; swap: near a joint of another person; miss: other. "
        "Joints of evaluated persons without prediction are 'not found'. Intervals are 95 % bootstrap intervals over images."
    )
    sentences = (*describe_failures(inputs), describe_effects(inputs.decoding_effects))
    listed = "\n".join(f"- {sentence}" for sentence in sentences if sentence)
    return Section(
        title="Errors",
        anchor="errors",
        text=listed,
        numbers=text,
        numbers_title="What the types of errors mean",
        plots=tuple(ReportPlot(getattr(inputs, name), *texts, folded=True) for name, texts in _PLOTS.items()),
        images=_worst(inputs),
        tables=_tables(inputs),
    )


def _worst(inputs: FailureInputs) -> tuple[ReportImage, ...]:
    if inputs.worst_persons is None:
        return ()
    caption = add_setting_to_caption(
        "Persons with the lowest OKS, worst first, of those with a crop and a prediction. Left: annotation; right: prediction.",
        inputs.strata,
    )
    return (ReportImage(inputs.worst_persons, caption, "Image grid of the worst persons", folded=True),)


def describe_failures(inputs: FailureInputs) -> tuple[str, ...]:
    """Return one sentence each on error types, their costs, groups of persons and the reliability of scores."""
    return (
        _describe_types(inputs.error_types),
        _describe_costs(inputs.error_costs),
        _describe_groups(inputs.strata),
        _describe_ranks(inputs.rank_correlations),
    )


def _tables(inputs: FailureInputs) -> tuple[ReportTable, ...]:
    costs, strata = inputs.error_costs, inputs.strata
    tables = (
        ReportTable(
            "Gain from correcting each type of error",
            drop_setting_columns(costs),
            caption=add_setting_to_caption("", costs).strip(),
        ),
        ReportTable("Groups of persons", drop_setting_columns(strata), caption=add_setting_to_caption(_STRATA_CAPTION, strata)),
    )
    if inputs.decoding_effects.empty:
        return tables
    effects = ReportTable(
        "Effects of decoding and flip test",
        drop_setting_columns(inputs.decoding_effects),
        caption=add_setting_to_caption("Effects are paired differences.", inputs.decoding_effects),
    )
    return (*tables, effects)


def _describe_types(table: pd.DataFrame) -> str:
    fractions = table.pivot(index="joint", columns="type", values="fraction")
    overall, ranked = fractions.loc[ALL_JOINTS], rank_joints(table)
    if not ranked:
        return "No joint is labelled."
    not_found = overall.get("not found", 0.0)
    shares = ", ".join(f"{overall[name]:.1%} {name}" for name in ("good", "jitter", "inversion", "swap", "miss"))
    return (
        f"Classification of the predictions for labelled joints: {shares}"
        + (f", {not_found:.1%} not found (joints of persons without prediction)" if not_found > 0 else "")
        + f". The {ranked[-1].replace('_', ' ')} has the lowest fraction of good predictions "
        f"({fractions['good'][ranked[-1]]:.1%}); keypoint similarity (KS, the term of one joint in OKS) "
        "tolerates larger errors for some joints than for others."
    )


def _describe_costs(table: pd.DataFrame) -> str:
    rows = table[table["type"] != ALL_ERRORS]
    worst = rows.sort_values("oks_gain", ascending=False, kind="stable").iloc[0]
    joints = pluralise(int(worst["joints"]), "joint")
    what = f"The error type with the largest effect on mean OKS is {worst['type']}: correcting its {joints} would increase"
    if pd.isna(worst["oks_ap"]):
        return f"{what} mean OKS by {worst['oks_gain']:.3f}."
    precision = f"OKS AP from {worst['oks_ap']:.3f} to {worst['oks_ap_corrected']:.3f}"
    return f"{what} {precision} and mean OKS by {worst['oks_gain']:.3f}."


def _describe_groups(table: pd.DataFrame) -> str:
    groups = table[~table["stratum"].isin((ALL_PERSONS, "visibility"))]
    many = groups[groups["persons"] >= _MIN_PERSONS]
    ranked = (many if len(many) else groups).sort_values("oks", kind="stable")
    if ranked.empty:
        return "No groups of persons to compare."
    rounded = ranked["oks"].round(3)
    if rounded.nunique() == 1:
        return f"All groups have the same OKS, {rounded.iloc[0]:.3f}."
    lowest, highest = (_describe_tied(ranked[rounded == end]) for end in (rounded.min(), rounded.max()))
    among = f"Among groups of at least {_MIN_PERSONS} persons, " if len(many) else ""
    return f"{among}OKS is lowest for {lowest}, and highest for {highest}."


def _describe_tied(rows: pd.DataFrame) -> str:
    """Return the text for one group, or for all tied groups."""
    names = [
        f"{_describe_group(str(row['stratum']), str(row['group']))} ({row['oks']:.3f}, {pluralise(row['persons'], 'person')})"
        for _, row in rows.iterrows()
    ]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _describe_group(stratum: str, group: str) -> str:
    if stratum == "source":
        return f"persons of the data set {group}"
    if stratum == "labels":
        most = f"{group[:-1]} or more" if group.endswith("+") else group.replace("-", " to ")
        return f"persons with {most} labelled {'joint' if group == '1' else 'joints'}"
    return _GROUPS.get((stratum, group), f"{stratum}: {group}")


def _describe_ranks(table: pd.DataFrame) -> str:
    row = table[table["level"] == "person"].iloc[0]
    if math.isnan(row["spearman"]):
        return "The rank correlation of score and OKS is undefined: one of them is constant."
    score = "The score of a person" + (f" ({row['score_of']})" if "score_of" in row else "")
    interval = f"rank correlation {row['spearman']:.2f}, interval {row['low']:.2f} to {row['high']:.2f}"
    if row["low"] > 0:
        return f"{score} is informative: OKS increases with it ({interval})."
    if row["high"] < 0:
        return f"{score} is misleading: OKS decreases with it ({interval})."
    return f"{score} is not shown to be informative ({interval})."


def describe_effects(table: pd.DataFrame) -> str:
    """Return the effects of decoder and flip test on mean OKS; empty without effects.

    Args:
        table: a `DecodingEffects` table.
    """
    effects = {
        row["variant"]: f"by {row['oks']:+.3f} ({row['oks_low']:+.3f} to {row['oks_high']:+.3f})"
        for _, row in table[table["kind"] == "effect"].iterrows()
    }
    sentences = []
    for subject, conditions in _EFFECTS.items():
        clauses = [f"{effects[name]} {condition}" for name, condition in conditions.items() if name in effects]
        if clauses:
            sentences.append(f"{subject} {' and '.join(clauses)}.")
    return " ".join(sentences)
