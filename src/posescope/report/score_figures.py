"""How good each joint is."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from posescope.report.setting_words import say_setting
from posescope.report.style import BLUE, GREY, VERMILION, require_columns, style_plotly

__all__ = ["plot_joint_scores"]


def plot_joint_scores(per_joint: pd.DataFrame) -> go.Figure:
    """PCK beside the mean error of every joint, the worst joint on top; whiskers where the table has an interval.

    Args:
        per_joint: one row a joint: joint (name), pck_thesis (0..1), mean_error_px (image px), labelled (how many places were
            scored). NaN where nobody is labelled. Columns low and high, if there, hold the PCK's interval.

    Raises:
        ReportError: if a column is missing or there are no rows.
    """
    require_columns(per_joint, ("joint", "pck_thesis", "mean_error_px", "labelled"), "joint scores")
    # Plotly draws the first category at the bottom: the worst joint comes last.
    rows = per_joint.sort_values("pck_thesis", ascending=False, na_position="first")
    names = rows["joint"].str.replace("_", " ")
    figure = make_subplots(cols=2, shared_yaxes=True, subplot_titles=("PCK (thesis)", "mean error, px"), horizontal_spacing=0.04)
    bars = go.Bar(
        y=names, x=rows["pck_thesis"], orientation="h", marker_color=BLUE, customdata=rows["labelled"], error_x=_whiskers(rows),
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
    return style_plotly(figure, 120 + 24 * len(rows), say_setting(per_joint)).update_layout(showlegend=False)


def _whiskers(rows: pd.DataFrame) -> dict[str, object] | None:
    if not {"low", "high"} <= set(rows.columns):
        return None
    above, below = rows["high"] - rows["pck_thesis"], rows["pck_thesis"] - rows["low"]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": GREY, "thickness": 1.5, "width": 3}
