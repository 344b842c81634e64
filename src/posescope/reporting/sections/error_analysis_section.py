"""The report's chapter on failures: kinds of errors and their cost, groups, whether the score knows, the worst persons."""

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

_TIE = ", which are equal"
_MANY = 20  # groups of fewer persons are no example of anything


@dataclass(frozen=True, eq=False)
class FailureInputs:
    """What evaluation leaves on where the model fails.

    Attributes:
        error_types, error_costs, strata, reliability, rank_correlations, decoding_effects: tables of
            `posescope.evaluation.table_schemas`; decoding_effects may be empty.
        worst_persons: picture, (H, W, 3) uint8 RGB.
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
    """What goes wrong, what it costs, with whom, and whether the network knows; each in one sentence made from the numbers."""
    text = (
        "A joint is good if it lies as near to its place as two annotators agree (keypoint similarity 0.85), a jitter if it is "
        "near (0.5), an inversion if it is nearer to the mirrored joint of the same person, a swap if to one of somebody else, "
        "and else a miss. Whoever was to be found and has no prediction counts with joints that are not found. Intervals are of "
        "95 %, from draws of the images."
    )
    effects = inputs.decoding_effects
    said = [_say_types(inputs.error_types), _say_costs(inputs.error_costs), _say_groups(inputs.strata)]
    said += [_say_ranks(inputs.rank_correlations), *([_say_effects(effects)] if len(effects) else [])]
    listed = "\n".join(f"- {sentence}" for sentence in said)
    return Section(
        title="What goes wrong",
        text=f"{text}\n\n{listed}",
        figures=_figures(inputs),
        pictures=(
            ReportImage(
                inputs.worst_persons,
                add_setting_to_caption(
                    "The persons with the lowest OKS of those who were found and have a crop, the worst first: left the "
                    "annotation, right the prediction.",
                    inputs.strata,
                ),
                "Contact sheet of the worst persons",
            ),
        ),
        tables=_tables(inputs),
    )


def _figures(inputs: FailureInputs) -> tuple[ReportPlot, ...]:
    return (
        ReportPlot(inputs.error_types_plot, "What is wrong with each joint, the worst on top.", "Stacked bars by joint"),
        ReportPlot(
            inputs.error_costs_plot,
            "What would be won if the joints of one type stood right, each type alone.",
            "Bars and dots by type of error",
        ),
        ReportPlot(inputs.strata_plot, "Groups of persons; the dotted line is everybody.", "Dots by group of persons"),
        ReportPlot(
            inputs.reliability_plot,
            "How good joints and persons are, by score: a score that knows the error climbs.",
            "Curves by score",
        ),
    )


def _tables(inputs: FailureInputs) -> tuple[ReportTable, ...]:
    costs, strata = inputs.error_costs, inputs.strata
    tables = (
        ReportTable(
            "What each type of error costs", drop_setting_columns(costs), caption=add_setting_to_caption("", costs).strip()
        ),
        ReportTable("Groups of persons", drop_setting_columns(strata), caption=add_setting_to_caption("", strata).strip()),
    )
    if inputs.decoding_effects.empty:
        return tables
    effects = ReportTable(
        "One network, read in four ways",
        drop_setting_columns(inputs.decoding_effects),
        caption=add_setting_to_caption("Effects are paired differences.", inputs.decoding_effects),
    )
    return (*tables, effects)


def _say_types(table: pd.DataFrame) -> str:
    shares = table.pivot(index="joint", columns="type", values="fraction")
    overall, ranked = shares.loc[ALL_JOINTS], rank_joints(table)
    if not ranked:
        return "No joint is labelled."
    lost = overall.get("not found", 0.0)
    return (
        f"Of the labelled joints {overall['good']:.1%} are good, {overall['jitter']:.1%} jitter, {overall['inversion']:.1%} are "
        f"inverted, {overall['swap']:.1%} swapped and {overall['miss']:.1%} missed"
        + (f"; {lost:.1%} are of persons who were not found" if lost > 0 else "")
        + f"; the joint that is good least often is the "
        f"{ranked[-1].replace('_', ' ')} ({shares['good'][ranked[-1]]:.1%})."
    )


def _say_costs(table: pd.DataFrame) -> str:
    rows = table[table["type"] != ALL_ERRORS]
    worst = rows.sort_values("oks_gain", ascending=False, kind="stable").iloc[0]
    what = f"The costliest type is {worst['type']}: if these {worst['joints']:,} joints stood right,"
    if pd.isna(worst["oks_ap"]):
        return f"{what} the mean OKS would be {worst['oks_gain']:.3f} higher."
    return (
        f"{what} OKS AP would be {worst['oks_ap_corrected']:.3f} in the place of {worst['oks_ap']:.3f}, and the mean OKS "
        f"{worst['oks_gain']:.3f} higher."
    )


def _say_groups(table: pd.DataFrame) -> str:
    groups = table[table["stratum"] != ALL_PERSONS]
    many = groups[groups["persons"] >= _MANY]
    ranked = (many if len(many) else groups).sort_values("oks", kind="stable")
    if ranked.empty:
        return "There are no groups of persons to compare."
    rounded = ranked["oks"].round(3)
    if rounded.nunique() == 1:
        return f"No group is weaker than another: OKS is {rounded.iloc[0]:.3f} in all of them."
    weakest, strongest = (_say_tied(ranked[rounded == end]) for end in (rounded.min(), rounded.max()))
    if _TIE in weakest + strongest:
        return f"The weakest of the groups: {weakest}; the strongest: {strongest}."
    return f"The weakest group is {weakest}, the strongest {strongest}."


def _say_tied(rows: pd.DataFrame) -> str:
    """One group, or all that are equally weak or strong."""
    said = [
        f"{row['stratum']}: {row['group']} (OKS {row['oks']:.3f}, {pluralise(row['persons'], 'person')})"
        for _, row in rows.iterrows()
    ]
    return said[0] if len(said) == 1 else " and ".join([", ".join(said[:-1]), said[-1]]) + _TIE


def _say_ranks(table: pd.DataFrame) -> str:
    row = table[table["level"] == "person"].iloc[0]
    if math.isnan(row["spearman"]):
        return "Nothing can be said of the score: it, or OKS, never varies."
    score = "A person's score" + (f" ({row['score_of']})" if "score_of" in row else "")
    interval = f"rank correlation {row['spearman']:.2f}, interval {row['low']:.2f} to {row['high']:.2f}"
    if row["low"] > 0:
        return f"{score} knows something of the error: the higher it is, the higher OKS ({interval})."
    if row["high"] < 0:
        return f"{score} misleads: the higher it is, the lower OKS ({interval})."
    return f"Whether {score[0].lower()}{score[1:]} knows the error cannot be told ({interval})."


def _say_effects(table: pd.DataFrame) -> str:
    rows = table[table["kind"] == "effect"]
    said = [f"{row['variant']} {row['oks']:+.3f} ({row['oks_low']:+.3f} to {row['oks_high']:+.3f})" for _, row in rows.iterrows()]
    return f"What it is worth on this run, in mean OKS: {'; '.join(said)}."
