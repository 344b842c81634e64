"""Shared style and origin of all plots.

Colours are of the Okabe-Ito palette, safe for colour-blind readers. Plots have a transparent background and grey text that is
legible on white and on black; the report (`html_page`) adapts both to the theme of the reader.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

import pandas as pd
import plotly.graph_objects as go

from posescope.core.origin import Origin, origin_of_table

__all__ = ["AMBER", "BLUE", "GREEN", "GREY", "VERMILION", "add_plot_origin", "apply_plot_style", "whiskers", "with_table_origin"]

BLUE, AMBER, GREEN, VERMILION, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#7d8590"

_SUBTITLE_PX = 24
_CLEAR = "rgba(0, 0, 0, 0)"
_GRID = "rgba(125, 133, 144, 0.25)"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_AXIS = {"gridcolor": _GRID, "zerolinecolor": _GRID, "linecolor": GREY, "automargin": True, "title": {"font": {"size": 13}}}
_TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": _FONT, "size": 13, "color": GREY},
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "colorway": [BLUE, AMBER, GREEN, VERMILION, GREY],
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "margin": {"l": 8, "r": 16, "t": 48, "b": 8},
        "hoverlabel": {"font": {"family": _FONT}},
        "bargap": 0.3,
        "modebar": {"bgcolor": _CLEAR, "color": GREY, "remove": ["lasso", "select", "zoomin", "zoomout", "autoscale"]},
    }
)


P = ParamSpec("P")


def apply_plot_style(figure: go.Figure, height_px: int = 380, subtitle: str = "") -> go.Figure:
    """Apply the shared style to a plotly figure, in place, and return it.

    Args:
        figure: the figure.
        height_px: height of the figure.
        subtitle: a line above the plot, such as the evaluation setting; adds 24 px to the height.
    """
    figure.update_layout(template=_TEMPLATE, height=height_px)
    if subtitle:
        top = figure.layout.margin.t or _TEMPLATE.layout.margin.t
        title = {"text": subtitle, "font": {"size": 12}, "x": 0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top"}
        figure.update_layout(title={**title, "pad": {"t": 8}}, height=height_px + _SUBTITLE_PX, margin={"t": top + _SUBTITLE_PX})
    return figure


def whiskers(rows: pd.DataFrame, name: str, ends: tuple[str, str] | None = None) -> dict[str, object] | None:
    """Return the error bars of a column for plotly, None if the table has no intervals.

    Args:
        rows: a table with the column.
        name: name of the column.
        ends: columns of the ends of its interval. None: `<name>_low` and `<name>_high`.
    """
    low, high = ends or (f"{name}_low", f"{name}_high")
    if not {low, high} <= set(rows.columns):
        return None
    above, below = rows[high] - rows[name], rows[name] - rows[low]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": GREY, "thickness": 1.5, "width": 3}


def add_plot_origin(figure: go.Figure, origin: Origin | None) -> go.Figure:
    """Write the origin of a plot into its `layout.meta`, in place, and return the plot.

    Args:
        figure: the plot.
        origin: its origin. None: it has none.
    """
    return figure.update_layout(meta=None if origin is None else origin.to_dict())


def with_table_origin(
    plot: Callable[Concatenate[pd.DataFrame, P], go.Figure],
) -> Callable[Concatenate[pd.DataFrame, P], go.Figure]:
    """Decorate a plot function so that the plot has the origin of the table that is its first argument."""

    @wraps(plot)
    def plot_with_origin(table: pd.DataFrame, /, *args: P.args, **kwargs: P.kwargs) -> go.Figure:
        return add_plot_origin(plot(table, *args, **kwargs), origin_of_table(table))

    return plot_with_origin
