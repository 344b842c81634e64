"""Plots of the evaluation: scores per joint, types of errors and their cost, groups of persons, reliability of scores."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from posescope.evaluation.error_analysis.error_costs import ALL_ERRORS
from posescope.evaluation.error_analysis.error_types import ALL_JOINTS, ERROR_TYPES
from posescope.evaluation.error_analysis.strata import ALL_PERSONS
from posescope.reporting.plots.plot_style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    VERMILION,
    apply_plot_style,
    whiskers,
    with_table_origin,
)
from posescope.reporting.setting_captions import describe_evaluation_setting

__all__ = ["plot_error_costs", "plot_error_types", "plot_joint_scores", "plot_reliability", "plot_strata", "rank_joints"]

_PURPLE = "#cc79a7"  # of the Okabe-Ito palette
_TYPE_COLOURS = dict(zip(ERROR_TYPES, (GREEN, BLUE, AMBER, _PURPLE, VERMILION, GREY), strict=True))
_METRICS = {"pck_thesis": ("PCK (thesis)", BLUE), "oks": ("OKS", AMBER)}


def rank_joints(table: pd.DataFrame) -> list[str]:
    """Return the labelled joints of an `ErrorTypes` table, best first: by the fraction of good joints, then of missed joints."""
    fractions = table.pivot(index="joint", columns="type", values="fraction").drop(index=ALL_JOINTS).dropna(subset=["good"])
    return [str(joint) for joint in fractions.sort_values(["good", "miss"], ascending=[False, True], kind="stable").index]


@with_table_origin
def plot_error_types(table: pd.DataFrame) -> go.Figure:
    """Plot the fraction of each type of error per joint, stacked; the joint with the fewest good joints is on top.

    Args:
        table: an `ErrorTypes` table.
    """
    # Plotly draws the first category at the bottom: all joints together, then the best one.
    order = [ALL_JOINTS, *rank_joints(table)]
    names = ["all joints" if joint == ALL_JOINTS else joint.replace("_", " ") for joint in order]
    figure = go.Figure()
    for kind in ERROR_TYPES:
        rows = table[table["type"] == kind].set_index("joint").loc[order]
        figure.add_bar(
            y=names, x=100 * rows["fraction"], name=kind, orientation="h", marker_color=_TYPE_COLOURS[kind],
            customdata=rows.assign(low=100 * rows["low"], high=100 * rows["high"])[["count", "labelled", "low", "high"]],
            hovertemplate=f"%{{y}}, {kind}: %{{x:.1f}} % (%{{customdata[2]:.1f}}–%{{customdata[3]:.1f}}), "
            "%{customdata[0]:,} of %{customdata[1]:,}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    figure.update_xaxes(title_text="labelled joints, %", range=[0, 100])
    return apply_plot_style(figure, 140 + 24 * len(order), describe_evaluation_setting(table))


@with_table_origin
def plot_error_costs(table: pd.DataFrame) -> go.Figure:
    """Plot the gain if the joints of one error type were correct: AP as bars, mean OKS as dots with intervals.

    Args:
        table: an `ErrorCosts` table.
    """
    rows = table[table["type"] != ALL_ERRORS].iloc[::-1]
    colours = [_TYPE_COLOURS.get(kind, GREY) for kind in rows["type"]]
    figure = make_subplots(
        cols=2, shared_yaxes=True, subplot_titles=("gain in OKS AP", "gain in mean OKS"), horizontal_spacing=0.06
    )
    bars = go.Bar(
        y=rows["type"], x=rows["ap_gain"], orientation="h", marker_color=colours, customdata=rows["joints"],
        hovertemplate="%{y}: +%{x:.3f} AP, %{customdata:,} corrected joints<extra></extra>",
    )  # fmt: skip
    dots = go.Scatter(
        y=rows["type"], x=rows["oks_gain"], mode="markers", marker={"color": colours, "size": 10},
        error_x=whiskers(rows, "oks_gain"), hovertemplate="%{y}: +%{x:.3f} mean OKS<extra></extra>",
    )  # fmt: skip
    figure.add_trace(bars, row=1, col=1)
    figure.add_trace(dots, row=1, col=2)
    figure.update_xaxes(rangemode="tozero")
    return apply_plot_style(figure, 280, describe_evaluation_setting(table)).update_layout(showlegend=False)


@with_table_origin
def plot_strata(table: pd.DataFrame) -> go.Figure:
    """Plot PCK and OKS of each group of persons as dots with intervals; dotted lines are those of all persons.

    Args:
        table: a `Strata` table.
    """
    all_persons, rows = table[table["stratum"] == ALL_PERSONS], table[table["stratum"] != ALL_PERSONS].iloc[::-1]
    names = [f"{stratum}: {group}" for stratum, group in zip(rows["stratum"], rows["group"], strict=True)]
    titles = [title for title, _ in _METRICS.values()]
    figure = make_subplots(cols=2, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.05)
    for place, (name, (title, colour)) in enumerate(_METRICS.items(), 1):
        dots = go.Scatter(
            y=names, x=rows[name], mode="markers", name=title, marker={"color": colour, "size": 9},
            error_x=whiskers(rows, name), customdata=rows["persons"],
            hovertemplate=f"%{{y}}: {title} %{{x:.3f}}, %{{customdata:,}} persons<extra></extra>",
        )  # fmt: skip
        figure.add_trace(dots, row=1, col=place)
        for value in all_persons[name].dropna():
            figure.add_vline(x=value, line={"color": GREY, "dash": "dot", "width": 1}, row=1, col=place)
    return apply_plot_style(figure, 130 + 25 * len(rows), describe_evaluation_setting(table)).update_layout(showlegend=False)


@with_table_origin
def plot_reliability(table: pd.DataFrame, ranks: pd.DataFrame) -> go.Figure:
    """Plot PCK and OKS by predicted score, for joints and persons; they rise if the score is informative.

    Args:
        table: a `Reliability` table.
        ranks: a `RankCorrelations` table.
    """
    spearman = dict(zip(ranks["level"], ranks["spearman"], strict=True))
    levels = ["joint", "person"]
    titles = [f"{level}s, rank correlation {spearman[level]:.2f}" for level in levels]
    figure = make_subplots(cols=2, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.06)
    for place, level in enumerate(levels, 1):
        rows = table[table["level"] == level]
        for name, (title, colour) in _METRICS.items():
            curve = go.Scatter(
                x=rows["score"], y=rows[name], mode="lines+markers", name=title, legendgroup=name, showlegend=place == 1,
                line={"color": colour}, marker={"size": 7}, error_y=whiskers(rows, name), customdata=rows["count"],
                hovertemplate=f"score %{{x:.3f}}: {title} %{{y:.3f}}, %{{customdata:,}} {level}s<extra></extra>",
            )  # fmt: skip
            figure.add_trace(curve, row=1, col=place)
        scores = f"mean score of the {level}s" + (f" ({rows['score_of'].iloc[0]})" if "score_of" in rows and len(rows) else "")
        figure.update_xaxes(title_text=scores, row=1, col=place)
    figure.update_yaxes(range=[0, 1])
    figure.update_layout(legend={"y": 1.1}, margin={"t": 84})
    return apply_plot_style(figure, subtitle=describe_evaluation_setting(ranks))


@with_table_origin
def plot_joint_scores(per_joint: pd.DataFrame) -> go.Figure:
    """Plot PCK and mean error of every joint, the worst joint on top.

    Args:
        per_joint: one row per joint: joint (name), pck_thesis (0..1), mean_error_px (image px), labelled (number of scored
            joints); NaN if no joint is labelled. Optional: low, high (interval of PCK), visibility (only rows `all` are drawn).
    """
    rows = per_joint[per_joint["visibility"] == "all"] if "visibility" in per_joint else per_joint
    # Plotly draws the first category at the bottom: the worst joint comes last.
    rows = rows.sort_values("pck_thesis", ascending=False, na_position="first")
    names = rows["joint"].str.replace("_", " ")
    figure = make_subplots(cols=2, shared_yaxes=True, subplot_titles=("PCK (thesis)", "mean error, px"), horizontal_spacing=0.04)
    bars = go.Bar(
        y=names, x=rows["pck_thesis"], orientation="h", marker_color=BLUE, customdata=rows["labelled"],
        error_x=whiskers(rows, "pck_thesis", ("low", "high")),
        hovertemplate="%{y}: PCK %{x:.3f}, %{customdata:,} labelled<extra></extra>",
    )  # fmt: skip
    dots = go.Scatter(
        y=names, x=rows["mean_error_px"], mode="markers", marker={"color": VERMILION, "size": 9}, customdata=rows["labelled"],
        hovertemplate="%{y}: %{x:.1f} px, %{customdata:,} labelled<extra></extra>",
    )  # fmt: skip
    figure.add_trace(bars, row=1, col=1)
    figure.add_trace(dots, row=1, col=2)
    figure.update_xaxes(range=[0, 1], col=1)
    figure.update_xaxes(rangemode="tozero", col=2)
    return apply_plot_style(figure, 120 + 24 * len(rows), describe_evaluation_setting(rows)).update_layout(showlegend=False)
