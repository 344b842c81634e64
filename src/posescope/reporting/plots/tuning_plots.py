"""Plots of a parameter search: PCK per trial, and PCK against each searched parameter."""

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from posescope.reporting.plots.plot_style import AMBER, BLUE, GREY, apply_plot_style

__all__ = ["plot_search_history", "plot_searched_parameters"]

_COLUMNS = ("number", "state", "value", "epochs", "seconds", "reason")
_COLOURS = {"completed": BLUE, "pruned": AMBER}
_PANELS_PER_ROW = 3
_FEW_VALUES = 3
# An axis is logarithmic if the largest value is at least this many times the smallest.
_LOG_RATIO = 8.0


def plot_search_history(trials: pd.DataFrame) -> go.Figure:
    """Plot the PCK of every trial and the best completed one so far; failed trials are crosses at the bottom.

    Args:
        trials: one row per trial: number, state, value (0..1, NaN if there is none), epochs, seconds, reason.
    """
    figure = go.Figure()
    for state in _COLOURS:
        figure.add_trace(_points(trials, "number", state, is_named=True))
    failed = trials[trials["state"] == "failed"]
    if len(failed):
        marker = {"color": GREY, "symbol": "x", "size": 9}
        bottom = np.zeros(len(failed))
        crosses = go.Scatter(x=failed["number"], y=bottom, name="failed", mode="markers", marker=marker, text=failed["reason"])
        figure.add_trace(crosses.update(hovertemplate="trial %{x}: %{text}<extra></extra>"))
    best = trials["value"].where(trials["state"] == "completed").cummax().ffill()
    line = {"color": BLUE, "shape": "hv", "width": 1}
    figure.add_trace(go.Scatter(x=trials["number"], y=best, name="best so far", mode="lines", line=line, hoverinfo="skip"))
    figure.update_xaxes(title_text="trial", tickformat="d")
    figure.update_yaxes(title_text="validation PCK (thesis)", tickformat="~g")
    return apply_plot_style(figure).update_layout(title_text="Trials")


def plot_searched_parameters(trials: pd.DataFrame) -> go.Figure:
    """Plot the PCK against each searched parameter, one panel per parameter.

    Args:
        trials: see `plot_search_history`; every further column is a parameter.
    """
    names = [name for name in trials.columns if name not in _COLUMNS]
    rows, columns = math.ceil(len(names) / _PANELS_PER_ROW), min(len(names), _PANELS_PER_ROW)
    figure = make_subplots(rows=rows, cols=columns, subplot_titles=names, shared_yaxes=True, horizontal_spacing=0.06)
    for place, name in enumerate(names):
        row, column = place // _PANELS_PER_ROW + 1, place % _PANELS_PER_ROW + 1
        for state in _COLOURS:
            figure.add_trace(_points(trials, name, state, is_named=place == 0), row=row, col=column)
        figure.update_xaxes(type=_axis_of(trials[name]), row=row, col=column)
        if trials[name].nunique() <= _FEW_VALUES:  # one tick per choice
            figure.update_xaxes(tickvals=sorted(trials[name].unique()), row=row, col=column)
        figure.update_yaxes(tickformat="~g", row=row, col=column)
    figure.update_yaxes(title_text="validation PCK (thesis)", col=1)
    figure.update_annotations(font={"size": 12})
    return apply_plot_style(figure, height_px=320 * rows + 60).update_layout(legend={"y": -0.2, "yanchor": "top"})


def _points(trials: pd.DataFrame, column: str, state: str, is_named: bool) -> go.Scatter:
    chosen = trials[trials["state"] == state]
    return go.Scatter(
        x=chosen[column], y=chosen["value"], name=state, mode="markers", legendgroup=state, showlegend=is_named,
        marker={"color": _COLOURS[state], "size": 9}, customdata=chosen[["number", "epochs"]],
        hovertemplate="trial %{customdata[0]}, %{customdata[1]} epochs<br>%{x}<br>PCK %{y:.3f}<extra></extra>",
    )  # fmt: skip


def _axis_of(values: pd.Series) -> str:
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return "category"
    low, high = float(values.min()), float(values.max())
    return "log" if low > 0 and high / low >= _LOG_RATIO else "linear"
