"""Charts as arrays, drawn by matplotlib's object-oriented interface: no window, no global state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["Curve", "plot_curve_panels", "plot_matrix"]


@dataclass(frozen=True)
class Curve:
    """A line with a band: at places (whole numbers, see `plot_curve_panels`) its values, and the lower and upper end of the band."""

    name: str
    colour: str
    places: Sequence[int]
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
    smallest_reach: float = 0.05,
) -> NDArray[np.uint8]:
    """A matrix in colours around zero (blue is below, red is above), with its numbers.

    Args:
        values: (R, M); NaN is left grey.
        rows, columns: R and M names.
        title: above the chart.
        unit: beside the colour bar.
        smallest_reach: the colours span at least -reach..reach, so that noise does not look like a finding.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    figure = Figure(figsize=(2.6 + 0.55 * len(columns), 1.9 + 0.38 * len(rows)), dpi=110, layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.add_subplot()
    reach = max(float(np.nanmax(np.abs(values), initial=0.0)), smallest_reach)
    axes.set_facecolor("0.85")
    picture = axes.imshow(values, cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right", fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = "white" if abs(value) > 0.6 * reach else "black"
            axes.text(column, row, f"{round(value, 2) + 0.0:.2f}", ha="center", va="center", fontsize=7, color=ink)
    axes.set_title(title, fontsize=10)
    figure.colorbar(picture, ax=axes, label=unit)
    return _pixels(canvas)


def plot_curve_panels(
    panels: Mapping[str, Sequence[Curve]],
    ticks: Sequence[str],
    *,
    x_label: str,
    y_label: str,
    marks: Mapping[str, float] | None = None,
) -> NDArray[np.uint8]:
    """Panels side by side, each with lines and bands; one scale for all.

    Args:
        panels: the lines by the title of their panel.
        ticks: what stands below the places 0, 1, ...: the steps between them are drawn alike, whatever their size.
        x_label, y_label: of the axes.
        marks: by the title of a panel, a height at which a dashed line is drawn.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    figure = Figure(figsize=(1.2 + max(3.6, 0.42 * len(ticks)) * len(panels), 4.2), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for axes, (title, lines) in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True):
        for line in lines:
            axes.plot(line.places, line.values, color=line.colour, marker="o", markersize=3, label=line.name)
            axes.fill_between(line.places, line.lows, line.highs, color=line.colour, alpha=0.18, linewidth=0)
        if title in (marks or {}):
            axes.axhline((marks or {})[title], color="0.3", linestyle="--", linewidth=1, label="intact")
        axes.set_xticks(range(len(ticks)), ticks, rotation=60, fontsize=8)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(x_label)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.axes[0].set_ylabel(y_label)
    return _pixels(canvas)


def _pixels(canvas: FigureCanvasAgg) -> NDArray[np.uint8]:
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    return pixels[..., :3].copy()
