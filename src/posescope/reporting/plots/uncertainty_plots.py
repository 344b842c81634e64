"""Plots of the calibrated radii of joints: coverage by level, and PCK of the joints that are kept."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from posescope.evaluation.error_analysis.error_types import ALL_JOINTS
from posescope.reporting.plots.plot_style import AMBER, BLUE, GREEN, GREY, apply_plot_style, whiskers, with_table_origin
from posescope.reporting.setting_captions import describe_evaluation_setting

__all__ = ["plot_risk_coverage", "plot_uncertainty"]

_CURVES = {
    "pck_best": ("best possible order", GREY, "dot"),
    "pck_by_score": ("by score", AMBER, "dash"),
    "pck": ("by radius", BLUE, "solid"),
}
_ONE_JOINT = "rgba(125, 133, 144, 0.45)"


@with_table_origin
def plot_uncertainty(table: pd.DataFrame) -> go.Figure:
    """Plot the coverage by level (left), and the radius of each joint at the main level (right), the largest on top.

    Args:
        table: an `UncertaintyCoverage` table; may be empty.
    """
    titles = ("joints inside their circle, %", "radius, % of the crop side (median)")
    figure = make_subplots(cols=2, subplot_titles=titles, horizontal_spacing=0.16)
    _add_reliability(figure, table)
    rows = table[table["main"] & (table["joint"] != ALL_JOINTS)].sort_values("radius_fraction", na_position="first")
    bars = go.Bar(
        y=rows["joint"].str.replace("_", " "), x=100 * rows["radius_fraction"], orientation="h", marker_color=BLUE,
        customdata=100 * rows[["coverage", "coverage_low", "coverage_high"]],
        hovertemplate="%{y}: %{x:.1f} % of the crop side; %{customdata[0]:.1f} % inside "
        "(%{customdata[1]:.1f}–%{customdata[2]:.1f})<extra></extra>",
    )  # fmt: skip
    figure.add_trace(bars, row=1, col=2)
    figure.update_xaxes(title_text="stated level, %", row=1, col=1)
    figure.update_xaxes(rangemode="tozero", row=1, col=2)
    height = max(380, 130 + 22 * len(rows))
    return apply_plot_style(figure, height, describe_evaluation_setting(table)).update_layout(showlegend=False)


def _add_reliability(figure: go.Figure, table: pd.DataFrame) -> None:
    ends = [100 * table["level"].min(), 100 * table["level"].max()]
    exact = go.Scatter(x=ends, y=ends, mode="lines", line={"color": GREEN, "dash": "dot"}, hoverinfo="skip")
    figure.add_trace(exact, row=1, col=1)
    for joint, rows in table[table["joint"] != ALL_JOINTS].groupby("joint", sort=False):
        curve = go.Scatter(
            x=100 * rows["level"], y=100 * rows["coverage"], mode="lines", line={"color": _ONE_JOINT, "width": 1},
            hovertemplate=f"{str(joint).replace('_', ' ')}, %{{x:g}} %: %{{y:.1f}} % inside<extra></extra>",
        )  # fmt: skip
        figure.add_trace(curve, row=1, col=1)
    names = ["coverage", "coverage_low", "coverage_high"]
    rows = table[table["joint"] == ALL_JOINTS]
    percent = rows.assign(**{name: 100 * rows[name] for name in names})
    everything = go.Scatter(
        x=100 * rows["level"], y=percent["coverage"], mode="lines+markers", line={"color": BLUE, "width": 3},
        error_y=whiskers(percent, "coverage"), hovertemplate="all joints, %{x:g} %: %{y:.1f} % inside<extra></extra>",
    )  # fmt: skip
    figure.add_trace(everything, row=1, col=1)


@with_table_origin
def plot_risk_coverage(table: pd.DataFrame) -> go.Figure:
    """Plot the PCK of the joints that are kept, by the fraction that is left out.

    Args:
        table: a `RiskCoverage` table; may be empty.
    """
    figure = go.Figure()
    left_out = 100 * (1 - table["kept"])
    for name, (title, colour, dash) in _CURVES.items():
        figure.add_scatter(
            x=left_out, y=table[name], mode="lines+markers", name=title, line={"color": colour, "dash": dash},
            error_y=whiskers(table, name), customdata=table["labelled"],
            hovertemplate=f"{title}: %{{x:.0f}} % left out, PCK %{{y:.3f}}, %{{customdata:,}} joints<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text="joints left out, the least certain first, %")
    figure.update_yaxes(title_text="PCK (thesis) of the other joints")
    return apply_plot_style(figure, subtitle=describe_evaluation_setting(table))
