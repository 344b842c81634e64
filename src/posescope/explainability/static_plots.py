"""Plots as RGB arrays, by matplotlib's object-oriented interface (no window, no global state)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["Curve", "plot_curve_panels", "plot_matrix", "render"]


@dataclass(frozen=True)
class Curve:
    """A line with an interval band.

    Attributes:
        name: name in the legend.
        colour: colour of line and band.
        positions: positions on the x axis, as indices of the ticks of `plot_curve_panels`.
        values, lows, highs: the line and the ends of the band at these positions.
    """

    name: str
    colour: str
    positions: Sequence[int]
    values: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]


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
    figure = Figure(figsize=(2.6 + 0.55 * len(columns), 1.9 + 0.38 * len(rows)), dpi=110, layout="constrained")
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


def plot_curve_panels(
    panels: Mapping[str, Sequence[Curve]],
    ticks: Sequence[str],
    *,
    x_label: str,
    y_label: str,
    marks: Mapping[str, float] | None = None,
) -> NDArray[np.uint8]:
    """Plot lines with interval bands in panels that share the y axis.

    Args:
        panels: lines by title of their panel.
        ticks: labels of the positions 0, 1, ..., which are equally spaced.
        x_label, y_label: labels of the axes.
        marks: y of a dashed line labelled "intact", by title of the panel.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    figure = Figure(figsize=(1.2 + max(3.6, 0.42 * len(ticks)) * len(panels), 4.2), dpi=110, layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True):
        for line in lines:
            axes.plot(line.positions, line.values, color=line.colour, marker="o", markersize=3, label=line.name)
            axes.fill_between(line.positions, line.lows, line.highs, color=line.colour, alpha=0.18, linewidth=0)
        if title in (marks or {}):
            axes.axhline((marks or {})[title], color="0.3", linestyle="--", linewidth=1, label="intact")
        axes.set_xticks(range(len(ticks)), ticks, rotation=60, fontsize=8)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(x_label)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.axes[0].set_ylabel(y_label)
    return render(figure)


def render(figure: Figure) -> NDArray[np.uint8]:
    """Render a figure as (H, W, 3) uint8 RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    return pixels[..., :3].copy()
