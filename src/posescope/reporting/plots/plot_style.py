"""The look that all figures share, and the error and the check that all of them use.

Colours are Okabe and Ito's, which colour-blind readers can tell apart. Plotly figures have no ground of their own and a text
colour that can be read on white and on black; the page (`page.py`) tunes both to the reader's theme.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Concatenate, ParamSpec

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from posescope.core.errors import PosescopeError
from posescope.core.origin import Origin, origin_of_table

__all__ = [
    "AMBER", "BLUE", "GREEN", "GREY", "VERMILION",
    "ReportError", "add_plot_origin", "figure_to_rgb", "new_figure", "require_columns", "style_axes", "apply_plot_style", "with_table_origin",
]  # fmt: skip

BLUE, AMBER, GREEN, VERMILION, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#7d8590"

_TOLD_PX = 24
_GRID = "rgba(125, 133, 144, 0.25)"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": _FONT, "size": 13, "color": GREY},
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "colorway": [BLUE, AMBER, GREEN, VERMILION, GREY],
        "xaxis": {
            "gridcolor": _GRID,
            "zerolinecolor": _GRID,
            "linecolor": GREY,
            "automargin": True,
            "title": {"font": {"size": 13}},
        },
        "yaxis": {
            "gridcolor": _GRID,
            "zerolinecolor": _GRID,
            "linecolor": GREY,
            "automargin": True,
            "title": {"font": {"size": 13}},
        },
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "margin": {"l": 8, "r": 16, "t": 48, "b": 8},
        "hoverlabel": {"font": {"family": _FONT}},
        "bargap": 0.3,
        "modebar": {
            "bgcolor": "rgba(0, 0, 0, 0)",
            "color": GREY,
            "remove": ["lasso", "select", "zoomin", "zoomout", "autoscale"],
        },
    }
)


P = ParamSpec("P")


class ReportError(PosescopeError):
    """A figure or a page cannot be made from what it was given."""


def require_columns(frame: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Accept only a table with rows that has these columns; it may have others.

    Raises:
        ReportError: otherwise; the message names what is missing.
    """
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ReportError(f"{what}: expected the columns {', '.join(columns)}; missing: {', '.join(missing)}.")
    if frame.empty:
        raise ReportError(f"{what}: the table has no rows, there is nothing to draw. Leave the figure out.")


def apply_plot_style(figure: go.Figure, height_px: int = 380, told: str = "") -> go.Figure:
    """Give a plotly figure that its maker has just built the shared look, and return it.

    Args:
        figure: changed in place.
        height_px: of the whole.
        told: a line above the figure, with what its numbers are of; it makes the figure a little higher.
    """
    figure.update_layout(template=_TEMPLATE, height=height_px)
    if told:
        top = figure.layout.margin.t or _TEMPLATE.layout.margin.t
        title = {"text": told, "font": {"size": 12}, "x": 0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top"}
        figure.update_layout(title={**title, "pad": {"t": 8}}, height=height_px + _TOLD_PX, margin={"t": top + _TOLD_PX})
    return figure


def new_figure(width_in: float, height_in: float) -> Figure:
    """A matplotlib figure with its own Agg canvas at 100 dots an inch; no global state is touched."""
    figure = Figure(figsize=(width_in, height_in), dpi=100, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def style_axes(axes: Axes) -> None:
    """Light grid, no box."""
    axes.grid(visible=True, color="#d9dde2", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors="#333333", labelsize=9)


def figure_to_rgb(figure: Figure) -> NDArray[np.uint8]:
    """Render a matplotlib figure: (H, W, 3) uint8 RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.array(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def add_plot_origin(figure: go.Figure, origin: Origin | None) -> go.Figure:
    """Write the origin of a plot into its `layout.meta`, in place, and return the plot."""
    return figure.update_layout(meta=None if origin is None else origin.to_dict())


def with_table_origin(
    plot: Callable[Concatenate[pd.DataFrame, P], go.Figure],
) -> Callable[Concatenate[pd.DataFrame, P], go.Figure]:
    """Decorate a plot function so that the plot has the origin of the table that is its first argument."""

    @wraps(plot)
    def plot_with_origin(table: pd.DataFrame, /, *args: P.args, **kwargs: P.kwargs) -> go.Figure:
        return add_plot_origin(plot(table, *args, **kwargs), origin_of_table(table))

    return plot_with_origin
