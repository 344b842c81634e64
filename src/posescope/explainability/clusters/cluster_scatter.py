"""A map of the persons: where they stand along the first two components, coloured by cluster."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from posescope.explainability.base import AnalysisInputs
from posescope.explainability.features.activations import batches_of_rows
from posescope.explainability.features.row_blocks import sample_rows

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["ComponentPlane", "plot_plane", "hover_texts", "plot_interactive_plane", "project_to_plane"]

_BLOCK_ROWS = 10_000
_MOST = 4000  # dots shown: more hide one another, and a page with them is slow
# Okabe and Ito's colours, which colour-blind readers can tell apart, and three more
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#b5a300", "#7d8590", "#7b3f98", "#8c564b")


@dataclass(frozen=True)
class ComponentPlane:
    """Coordinates (N, 2), and the titles of the two axes."""

    points: NDArray[np.float64]
    titles: tuple[str, str]


def project_to_plane(inputs: AnalysisInputs) -> ComponentPlane:
    """Where the persons stand along the first two components (0 along a second one that there is not)."""
    values, points, shares = inputs.features.values, np.zeros((len(inputs.features), 2)), np.zeros(2)
    there = min(len(inputs.components), 2)
    for rows in batches_of_rows(np.arange(len(values)), _BLOCK_ROWS):
        points[rows, :there] = inputs.components.project(values[rows[0] : rows[-1] + 1], there)
    shares[:there] = inputs.components.explained_variance_ratio[:there]
    return ComponentPlane(points, (f"component 1 ({shares[0]:.1%} of the variance)", f"component 2 ({shares[1]:.1%})"))


def hover_texts(inputs: AnalysisInputs) -> list[str]:
    """(N) who somebody is, and how well the model does."""
    ids, pck = inputs.features.person_ids, inputs.per_person_pck
    if pck is None:
        return [f"person {person}" for person in ids]
    return [f"person {person}" + ("" if np.isnan(own) else f"<br>PCK {own:.2f}") for person, own in zip(ids, pck, strict=True)]


def plot_plane(plane: ComponentPlane, labels: NDArray[np.int64], names: list[str]) -> NDArray[np.uint8]:
    """The map as a picture.

    Args:
        plane: of N persons.
        labels: (N,) 0..Q-1.
        names: Q, of the clusters.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    figure = Figure(figsize=(8, 6), dpi=110, layout="constrained")
    canvas, chart = FigureCanvasAgg(figure), figure.add_subplot()
    # In a shuffled order, so that the last cluster does not lie on top of the others.
    shown = np.random.default_rng(0).permutation(sample_rows(len(labels), _MOST, 0))
    colours = [_colour(int(label)) for label in labels[shown]]
    chart.scatter(plane.points[shown, 0], plane.points[shown, 1], s=9, c=colours, alpha=0.6, linewidths=0)
    for cluster, name in enumerate(names):
        chart.scatter([], [], s=30, c=_colour(cluster), label=name)
    chart.set_xlabel(plane.titles[0])
    chart.set_ylabel(plane.titles[1])
    chart.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=1 if max(map(len, names)) > 40 else 2, fontsize=8, frameon=False)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    return pixels[..., :3].copy()


def plot_interactive_plane(plane: ComponentPlane, labels: NDArray[np.int64], names: list[str], hover: list[str]) -> "go.Figure":
    """The same map with a text for each person under the pointer (N texts)."""
    import plotly.graph_objects as go  # noqa: PLC0415  a GPU machine lacks it

    figure, shown = go.Figure(), sample_rows(len(labels), _MOST, 0)
    for cluster, name in enumerate(names):
        own = shown[labels[shown] == cluster]
        figure.add_scatter(
            # Rounded, and as text: a page holds every coordinate.
            x=[float(f"{value:.4g}") for value in plane.points[own, 0]],
            y=[float(f"{value:.4g}") for value in plane.points[own, 1]],
            mode="markers",
            name=name,
            text=[hover[row] for row in own],
            hovertemplate="%{text}<extra></extra>",
            marker={"size": 5, "opacity": 0.65, "color": _colour(cluster)},
        )
    figure.update_xaxes(title_text=plane.titles[0])
    figure.update_yaxes(title_text=plane.titles[1])
    return figure


def _colour(cluster: int) -> str:
    return _COLOURS[cluster % len(_COLOURS)]
