"""Charts as arrays, drawn by matplotlib's object-oriented interface: no window, no global state."""

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["heat_map"]


def heat_map(
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
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    return pixels[..., :3].copy()
