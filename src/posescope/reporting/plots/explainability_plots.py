"""Plot of the variance per component; analyses bring their own plots."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.reporting.plots.plot_style import BLUE, GREY, VERMILION, apply_plot_style

__all__ = ["plot_explained_variance"]

_COMPONENTS_SHOWN = 60


def plot_explained_variance(ratios: NDArray[np.floating], fractions: tuple[float, ...] = (0.5, 0.95)) -> go.Figure:
    """Plot the explained variance of each principal component (bars) and of the first n components (line).

    Args:
        ratios: (P,) explained variance ratios, descending; the first 60 are drawn.
        fractions: cumulative variance fractions whose number of components is marked.
    """
    ratios = np.asarray(ratios, dtype=np.float64)
    together = np.cumsum(ratios)
    number = np.arange(1, min(len(ratios), _COMPONENTS_SHOWN) + 1)
    figure = go.Figure()
    figure.add_bar(x=number, y=100 * ratios[: len(number)], name="each component", marker_color=BLUE)
    figure.add_scatter(
        x=number, y=100 * together[: len(number)], name="cumulative", mode="lines+markers", line={"color": VERMILION},
        marker={"size": 5},
    )  # fmt: skip
    for fraction in fractions:
        reached = np.flatnonzero(together >= fraction - 1e-12)
        if reached.size:
            count = int(reached[0]) + 1
            figure.add_hline(
                y=100 * fraction, line={"color": GREY, "dash": "dot", "width": 1}, annotation_position="top right",
                annotation_text=f"{fraction * 100:g} % with {count:,} component{'s' if count > 1 else ''}",
            )  # fmt: skip
    figure.update_xaxes(title_text="principal component")
    figure.update_yaxes(title_text="explained variance, %", range=[0, 105])
    return apply_plot_style(figure)
