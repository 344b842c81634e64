"""Plots as RGB arrays, by matplotlib's object-oriented interface (no window, no global state)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["plot_intervals", "plot_matrix", "render"]


def plot_matrix(
    values: NDArray[np.float64],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    unit: str,
    min_range: float = 0.05,
) -> NDArray[np.uint8]:
    """Plot a matrix with a diverging colour scale around zero (blue below, red above) and its values.

    Args:
        values: (R, M); NaN is grey.
        rows, columns: R and M names.
        title: title of the plot.
        unit: label of the colour bar.
        min_range: the colour scale spans at least -min_range..min_range, so that noise stays pale.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    width = max(2.6, 1.6 + 0.075 * max(map(len, rows), default=0)) + 0.55 * len(columns)
    figure = Figure(figsize=(width, 1.9 + 0.38 * len(rows)), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    limit = max(float(np.nanmax(np.abs(values), initial=0.0)), min_range)
    axes.set_facecolor("0.85")
    mesh = axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = "white" if abs(value) > 0.6 * limit else "black"
            axes.text(column, row, f"{round(value, 2) + 0.0:.2f}", ha="center", va="center", fontsize=7, color=ink)
    axes.set_title(title, fontsize=10)
    figure.colorbar(mesh, ax=axes, label=unit)
    return render(figure)


def plot_intervals(
    names: Sequence[str],
    values: NDArray[np.float64],
    controls: NDArray[np.float64],
    *,
    title: str,
    unit: str,
) -> NDArray[np.uint8]:
    """Plot a horizontal bar per value, 0 to 1, with its interval as a line, and its control as a grey bar on top.

    An interval that reaches below -0.1 is cut there.

    Args:
        names: N names, from top to bottom.
        values: (N, 3) low end, value and high end.
        controls: (N,) value that chance reaches; NaN: none.
        title: title of the plot.
        unit: label of the axis.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    figure = Figure(figsize=(7.2, 1.5 + 0.3 * len(names)), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(names))
    axes.barh(places, values[:, 1], color="#4c78a8", height=0.7, label="judged persons, with 95 % interval")
    axes.hlines(places, values[:, 0], values[:, 2], color="black", linewidth=1.2)
    axes.barh(places, np.nan_to_num(controls), color="0.75", height=0.7, label="by chance at most (99 %)")
    axes.set_yticks(places, names, fontsize=9)
    axes.set_xlim(max(-0.1, min(0.0, float(np.nanmin(values, initial=0.0)))), 1.0)
    axes.set_xlabel(unit)
    axes.set_title(title, fontsize=11)
    axes.set_ylim(len(names) - 0.4, -0.6)
    figure.legend(fontsize=8, loc="outside lower center", ncols=2)
    return render(figure)


def render(figure: Figure) -> NDArray[np.uint8]:
    """Render a figure as (H, W, 3) uint8 RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    return pixels[..., :3].copy()
