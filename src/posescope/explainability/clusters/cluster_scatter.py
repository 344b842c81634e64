"""Scatter plots of the persons along the first two components, coloured by cluster."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from matplotlib.figure import Figure
from numpy.typing import NDArray

from posescope.explainability.base import AnalysisInputs
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explainability.static_plots import render

__all__ = ["ComponentPlane", "plot_interactive_plane", "plot_plane", "project_to_plane"]

_MAX_POINTS = 4000  # more cover one another and make a page slow
# Okabe and Ito's palette, distinguishable with colour blindness, and three more colours
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#b5a300", "#7d8590", "#7b3f98", "#8c564b")


@dataclass(frozen=True)
class ComponentPlane:
    """Persons along the first two components, in clusters.

    Attributes:
        points: (N, 2) coordinates.
        titles: titles of the two axes.
        labels: (N,) 0..Q-1.
        names: names of the Q clusters.
        hover: texts of the N persons.
    """

    points: NDArray[np.float64]
    titles: tuple[str, str]
    labels: NDArray[np.int64]
    names: list[str]
    hover: list[str]


def project_to_plane(inputs: AnalysisInputs, labels: NDArray[np.int64], names: list[str]) -> ComponentPlane:
    """Project the persons onto the first two components (0 along the second one if there is only one).

    Args:
        inputs: inputs of the analysis.
        labels: (N,) 0..Q-1.
        names: names of the Q clusters.
    """
    points, fractions, axes = np.zeros((len(inputs.features), 2)), np.zeros(2), min(len(inputs.components), 2)
    points[:, :axes] = inputs.components.project(inputs.features.values, axes)
    fractions[:axes] = inputs.components.explained_variance_ratio[:axes]
    titles = (f"component 1 ({fractions[0]:.1%} of the variance)", f"component 2 ({fractions[1]:.1%})")
    return ComponentPlane(points, titles, labels, names, _hover_texts(inputs))


def _hover_texts(inputs: AnalysisInputs) -> list[str]:
    """(N,) id and PCK of each person."""
    scored = zip(inputs.features.person_ids, inputs.per_person_pck, strict=True)
    return [f"person {person}" + ("" if np.isnan(pck) else f"<br>PCK {pck:.2f}") for person, pck in scored]


def plot_plane(plane: ComponentPlane) -> NDArray[np.uint8]:
    """Plot the persons as an (H, W, 3) uint8 RGB array."""
    labels, names = plane.labels, plane.names
    figure = Figure(figsize=(8, 6), dpi=110, layout="constrained")
    chart = figure.add_subplot()
    # In random order, so that the last cluster does not cover the others.
    shown = np.random.default_rng(0).permutation(sample_rows(len(labels), _MAX_POINTS, 0))
    colours = [_colour(int(label)) for label in labels[shown]]
    chart.scatter(plane.points[shown, 0], plane.points[shown, 1], s=9, c=colours, alpha=0.6, linewidths=0)
    for cluster, name in enumerate(names):
        chart.scatter([], [], s=30, c=_colour(cluster), label=name)
    chart.set_xlabel(plane.titles[0])
    chart.set_ylabel(plane.titles[1])
    chart.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=1 if max(map(len, names)) > 40 else 2, fontsize=8, frameon=False)
    return render(figure)


def plot_interactive_plane(plane: ComponentPlane) -> go.Figure:
    """Plot the persons with a hover text each."""
    figure, shown = go.Figure(), sample_rows(len(plane.labels), _MAX_POINTS, 0)
    for cluster, name in enumerate(plane.names):
        own = shown[plane.labels[shown] == cluster]
        figure.add_scatter(
            # Rounded, since the page stores every coordinate.
            x=[float(f"{value:.4g}") for value in plane.points[own, 0]],
            y=[float(f"{value:.4g}") for value in plane.points[own, 1]],
            mode="markers",
            name=name,
            text=[plane.hover[row] for row in own],
            hovertemplate="%{text}<extra></extra>",
            marker={"size": 5, "opacity": 0.65, "color": _colour(cluster)},
        )
    figure.update_xaxes(title_text=plane.titles[0])
    figure.update_yaxes(title_text=plane.titles[1])
    return figure


def _colour(cluster: int) -> str:
    return _COLOURS[cluster % len(_COLOURS)]
