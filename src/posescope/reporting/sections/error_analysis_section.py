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

__all__ = ["FailureInputs", "assemble_failure_section"]

_TIE = " (tied)"
_MIN_PERSONS = 20  # smaller groups are not named as weakest or strongest


@dataclass(frozen=True, eq=False)
class FailureInputs:
    """Results of the error analysis.

    Attributes:
        error_types, error_costs, strata, reliability, rank_correlations, decoding_effects: tables of
            `posescope.evaluation.table_schemas`; decoding_effects may be empty.
        error_types_plot, error_costs_plot, strata_plot, reliability_plot: plotly figures.
        worst_persons: (H, W, 3) uint8 RGB.
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
    worst_persons: NDArray[np.uint8]


def assemble_failure_section(inputs: FailureInputs) -> Section:
    """Return the section, with one sentence per result."""
    text = (
        "A joint is good if its keypoint similarity (KS) is at least 0.85, about the agreement of two annotators; jitter: KS at "
        "least 0.5; inversion: near the mirrored joint of the same person; swap: near a joint of another person; miss: other. "
        "Joints of evaluated persons without prediction are `not found`. Intervals are 95 % bootstrap intervals over images."
    )
    effects = inputs.decoding_effects
    sentences = [_describe_types(inputs.error_types), _describe_costs(inputs.error_costs), _describe_groups(inputs.strata)]
    sentences += [_describe_ranks(inputs.rank_correlations), *([_describe_effects(effects)] if len(effects) else [])]
    listed = "\n".join(f"- {sentence}" for sentence in sentences)
    return Section(
        title="Errors",
        text=f"{text}\n\n{listed}",
        plots=_plots(inputs),
        images=(
            ReportImage(
                inputs.worst_persons,
                add_setting_to_caption(
                    "Persons with the lowest OKS, worst first, of those with a crop and a prediction. Left: annotation; "
                    "right: prediction.",
                    inputs.strata,
                ),
                "Image grid of the worst persons",
            ),
        ),
        tables=_tables(inputs),
    )


def _plots(inputs: FailureInputs) -> tuple[ReportPlot, ...]:
    return (
        ReportPlot(inputs.error_types_plot, "Types of errors of each joint, the worst joint on top.", "Stacked bars by joint"),
        ReportPlot(
            inputs.error_costs_plot,
            "Gain if the joints of one error type were correct, each type alone.",
            "Bars and dots by type of error",
        ),
        ReportPlot(
            inputs.strata_plot, "Metrics of groups of persons; dotted lines are those of all persons.", "Dots by group of persons"
        ),
        ReportPlot(
            inputs.reliability_plot,
            "Metrics of joints and persons by predicted score; they rise if the score is informative.",
            "Curves by score",
        ),
    )


def _tables(inputs: FailureInputs) -> tuple[ReportTable, ...]:
    costs, strata = inputs.error_costs, inputs.strata
    tables = (
        ReportTable("Cost of each type of error", drop_setting_columns(costs), caption=add_setting_to_caption("", costs).strip()),
        ReportTable("Groups of persons", drop_setting_columns(strata), caption=add_setting_to_caption("", strata).strip()),
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
    missed = overall.get("not found", 0.0)
    return (
        f"Of the labelled joints {overall['good']:.1%} are good, {overall['jitter']:.1%} jitter, {overall['inversion']:.1%} are "
        f"inverted, {overall['swap']:.1%} swapped and {overall['miss']:.1%} missed"
        + (f"; {missed:.1%} belong to persons without prediction" if missed > 0 else "")
        + f"; the joint with the fewest good predictions is the "
        f"{ranked[-1].replace('_', ' ')} ({fractions['good'][ranked[-1]]:.1%})."
    )


def _describe_costs(table: pd.DataFrame) -> str:
    rows = table[table["type"] != ALL_ERRORS]
    worst = rows.sort_values("oks_gain", ascending=False, kind="stable").iloc[0]
    what = f"The most costly type is {worst['type']}: if its {worst['joints']:,} joints were correct,"
    if pd.isna(worst["oks_ap"]):
        return f"{what} the mean OKS would be {worst['oks_gain']:.3f} higher."
    return (
        f"{what} OKS AP would be {worst['oks_ap_corrected']:.3f} instead of {worst['oks_ap']:.3f}, and the mean OKS "
        f"{worst['oks_gain']:.3f} higher."
    )


def _describe_groups(table: pd.DataFrame) -> str:
    groups = table[table["stratum"] != ALL_PERSONS]
    many = groups[groups["persons"] >= _MIN_PERSONS]
    ranked = (many if len(many) else groups).sort_values("oks", kind="stable")
    if ranked.empty:
        return "No groups of persons to compare."
    rounded = ranked["oks"].round(3)
    if rounded.nunique() == 1:
        return f"All groups have the same OKS, {rounded.iloc[0]:.3f}."
    weakest, strongest = (_describe_tied(ranked[rounded == end]) for end in (rounded.min(), rounded.max()))
    if _TIE in weakest + strongest:
        return f"The weakest of the groups: {weakest}; the strongest: {strongest}."
    return f"The weakest group is {weakest}, the strongest {strongest}."


def _describe_tied(rows: pd.DataFrame) -> str:
    """Return the name of one group, or of all tied groups."""
    names = [
        f"{row['stratum']}: {row['group']} (OKS {row['oks']:.3f}, {pluralise(row['persons'], 'person')})"
        for _, row in rows.iterrows()
    ]
    return names[0] if len(names) == 1 else " and ".join([", ".join(names[:-1]), names[-1]]) + _TIE


def _describe_ranks(table: pd.DataFrame) -> str:
    row = table[table["level"] == "person"].iloc[0]
    if math.isnan(row["spearman"]):
        return "The rank correlation of score and OKS is undefined: one of them is constant."
    score = "The score of a person" + (f" ({row['score_of']})" if "score_of" in row else "")
    interval = f"rank correlation {row['spearman']:.2f}, interval {row['low']:.2f} to {row['high']:.2f}"
    if row["low"] > 0:
        return f"{score} is informative: OKS rises with it ({interval})."
    if row["high"] < 0:
        return f"{score} is misleading: OKS falls with it ({interval})."
    return f"{score} is not shown to be informative ({interval})."


def _describe_effects(table: pd.DataFrame) -> str:
    rows = table[table["kind"] == "effect"]
    effects = [
        f"{row['variant']} {row['oks']:+.3f} ({row['oks_low']:+.3f} to {row['oks_high']:+.3f})" for _, row in rows.iterrows()
    ]
    return f"Effects on mean OKS: {'; '.join(effects)}."
