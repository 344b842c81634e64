"""Scatter plot of the persons along the first two components, coloured by cluster."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.explainability.base import AnalysisInputs
from posescope.explainability.features.row_blocks import sample_rows

__all__ = ["plot_plane"]

_MAX_POINTS = 4000  # more cover one another and make a page slow
# Okabe and Ito's palette, distinguishable with colour blindness, and three more colours
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#b5a300", "#7d8590", "#7b3f98", "#8c564b")


def plot_plane(inputs: AnalysisInputs, labels: NDArray[np.int64], names: list[str]) -> go.Figure:
    """Plot the persons along the first two components, with a hover text each.

    Args:
        inputs: inputs of the analysis. With one component only, the second coordinate is 0.
        labels: (N,) 0..Q-1.
        names: names of the Q clusters.
    """
    points, fractions, axes = np.zeros((len(labels), 2)), np.zeros(2), min(len(inputs.components), 2)
    points[:, :axes] = inputs.components.project(inputs.judged.features.values, axes)
    fractions[:axes] = inputs.components.explained_variance_ratio[:axes]
    texts, shown = _hover_texts(inputs), sample_rows(len(labels), _MAX_POINTS, 0)
    figure = go.Figure()
    for cluster, name in enumerate(names):
        own = shown[labels[shown] == cluster]
        figure.add_scatter(
            # Rounded, since the page stores every coordinate.
            x=[float(f"{value:.4g}") for value in points[own, 0]],
            y=[float(f"{value:.4g}") for value in points[own, 1]],
            mode="markers",
            name=name,
            text=[texts[row] for row in own],
            hovertemplate="%{text}<extra></extra>",
            marker={"size": 5, "opacity": 0.65, "color": _COLOURS[cluster % len(_COLOURS)]},
        )
    figure.update_xaxes(title_text=f"component 1 ({fractions[0]:.1%} of the variance)")
    figure.update_yaxes(title_text=f"component 2 ({fractions[1]:.1%})")
    return figure


def _hover_texts(inputs: AnalysisInputs) -> list[str]:
    """(N,) id and PCK of each person."""
    scored = zip(inputs.judged.features.person_ids, inputs.judged.per_person_pck, strict=True)
    return [f"person {person}" + ("" if np.isnan(pck) else f"<br>PCK {pck:.2f}") for person, pck in scored]
