"""Plots of the improvement: differences between the variants, and the training of the autoencoders."""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from posescope.core.origin import check_origins, origin_of_table
from posescope.reporting.plots.plot_style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    add_plot_origin,
    apply_plot_style,
    whiskers,
    with_table_origin,
)

__all__ = ["plot_autoencoder_training", "plot_improvement"]

_MEASURE = "pck_thesis"
# Only the last comparison isolates the autoencoder: both variants have the same training.
_SHOWN = (
    ("original", "continued", "more training", GREY),
    ("original", "improved", "more training and autoencoder", AMBER),
    ("continued", "improved", "autoencoder", BLUE),
)


def plot_improvement(figures: pd.DataFrame, joints: pd.DataFrame) -> go.Figure:
    """Plot paired differences with 95 % intervals: of all metrics, and of PCK per joint for the autoencoder alone.

    Args:
        figures: one row per comparison and metric: a, b, metric, difference, low, high.
        joints: the same per joint, with column joint.

    Raises:
        OriginMismatchError: if the tables are of different models or data.
    """
    origin = origin_of_table(figures)
    check_origins(origin, {"joints": origin_of_table(joints)}, "improve")
    titles = ("Difference per metric", "Autoencoder alone, PCK (thesis) per joint")
    drawing = make_subplots(cols=2, subplot_titles=titles, horizontal_spacing=0.14)
    for a, b, name, colour in _SHOWN:
        chosen = figures[(figures["a"] == a) & (figures["b"] == b)]
        drawing.add_trace(_points(chosen, "metric", name, colour), row=1, col=1)
    a, b, name, colour = _SHOWN[-1]
    chosen = joints[(joints["a"] == a) & (joints["b"] == b) & (joints["metric"] == _MEASURE)].sort_values("difference")
    drawing.add_trace(_points(chosen, "joint", name, colour, is_named=False), row=1, col=2)
    for column in (1, 2):
        drawing.add_vline(x=0, line={"color": GREY, "width": 1, "dash": "dot"}, row=1, col=column)
    drawing.update_xaxes(title_text="difference, 95 % interval", tickformat="+.3~f")
    apply_plot_style(drawing, height_px=max(380, 130 + 20 * len(chosen)))
    drawing.update_yaxes(autorange="reversed", row=1, col=1)  # the first metric is on top
    drawing.update_layout(scattermode="group", scattergap=0.4, legend={"y": -0.2, "yanchor": "top"})
    return add_plot_origin(drawing, origin)


@with_table_origin
def plot_autoencoder_training(history: pd.DataFrame) -> go.Figure:
    """Plot the training and validation error of the autoencoders per epoch.

    Args:
        history: one row per epoch and stack: stack, epoch, train_loss, val_loss.
    """
    drawing = go.Figure()
    dashes = ("solid", "dash", "dot", "dashdot")
    for number, (stack, rows) in enumerate(history.groupby("stack", sort=True)):
        for column, name, colour in (("train_loss", "training", AMBER), ("val_loss", "validation", GREEN)):
            line = {"color": colour, "dash": dashes[number % len(dashes)]}
            drawing.add_trace(go.Scatter(x=rows["epoch"], y=rows[column], name=f"stack {stack}, {name}", mode="lines", line=line))
    drawing.update_xaxes(title_text="epoch")
    drawing.update_yaxes(title_text="mean squared error", type="log", tickformat="~g", dtick="D2")
    return apply_plot_style(drawing).update_layout(hovermode="x unified")


def _points(rows: pd.DataFrame, names: str, label: str, colour: str, is_named: bool = True) -> go.Scatter:
    intervals = whiskers(rows, "difference", ("low", "high")) or {}
    return go.Scatter(
        x=rows["difference"], y=rows[names], name=label, mode="markers", showlegend=is_named, legendgroup=label,
        orientation="h", offsetgroup=label, marker={"color": colour, "size": 8},
        error_x={**intervals, "color": colour, "width": 4},
        hovertemplate="%{y}: %{x:+.4f}<extra>" + label + "</extra>",
    )  # fmt: skip
