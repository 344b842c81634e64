"""Plots of the training history: losses and PCK per epoch."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from posescope.reporting.plots.plot_style import AMBER, BLUE, GREEN, GREY, apply_plot_style, with_table_origin

__all__ = ["plot_history"]

_LOSSES = (("train_loss", "training", AMBER), ("val_loss", "validation", BLUE))


@with_table_origin
def plot_history(history: pd.DataFrame) -> go.Figure:
    """Plot the losses (logarithmic) and the validation PCK; dotted lines mark drops of the learning rate.

    Args:
        history: one row per epoch: epoch, train_loss, val_loss, val_pck_thesis (0..1, may be NaN), learning_rate.
    """
    figure = make_subplots(cols=2, subplot_titles=("Loss", "Validation PCK (thesis)"), horizontal_spacing=0.1)
    mode = "lines+markers" if len(history) <= 60 else "lines"
    for column, name, colour in _LOSSES:
        trace = go.Scatter(x=history["epoch"], y=history[column], name=f"{name} loss", mode=mode, line={"color": colour})
        figure.add_trace(trace, row=1, col=1)
    pck = go.Scatter(x=history["epoch"], y=history["val_pck_thesis"], name="PCK", mode=mode, line={"color": GREEN})
    figure.add_trace(pck, row=1, col=2)
    for epoch, rate in _rate_changes(history):
        figure.add_vline(x=epoch, line={"color": GREY, "dash": "dot", "width": 1})
        figure.add_annotation(
            x=epoch, y=0.02, xref="x2", yref="y2 domain", text=f"lr {rate:.1e}", textangle=-90, showarrow=False,
            xanchor="right", yanchor="bottom", font={"size": 11},
        )  # fmt: skip
    _mark_best(figure, history)
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(type="log", tickformat=".0e", dtick="D2", col=1)
    figure.update_yaxes(tickformat="~g", col=2)
    return apply_plot_style(figure).update_layout(hovermode="x unified", legend={"y": -0.2, "yanchor": "top"})


def _rate_changes(history: pd.DataFrame) -> list[tuple[float, float]]:
    """Return (epoch, new rate) where the learning rate falls by a third or more: the steps of a schedule, not its slope."""
    rates = history["learning_rate"].to_numpy(dtype=np.float64)
    epochs = history["epoch"].to_numpy(dtype=np.float64)
    fallen = np.flatnonzero(rates[1:] < rates[:-1] * (2 / 3)) + 1
    return [(float(epochs[row]), float(rates[row])) for row in fallen]


def _mark_best(figure: go.Figure, history: pd.DataFrame) -> None:
    pck = history["val_pck_thesis"].to_numpy(dtype=np.float64)
    if np.isnan(pck).all():
        return
    row = int(np.nanargmax(pck))
    epoch = int(history["epoch"].iloc[row])
    marker = go.Scatter(
        x=[epoch], y=[pck[row]], mode="markers+text", marker={"color": GREEN, "size": 11, "symbol": "star"},
        text=[f"best {pck[row]:.3f}"], textposition="bottom center", cliponaxis=False,
        name=f"best epoch ({epoch})", hoverinfo="skip",
    )  # fmt: skip
    figure.add_trace(marker, row=1, col=2)
