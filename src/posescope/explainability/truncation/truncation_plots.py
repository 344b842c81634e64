"""An interactive plot of truncation curves, and a heat map of the drop of PCK per joint."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from posescope.explainability.static_plots import plot_matrix
from posescope.explainability.truncation.component_subsets import INTACT, SubsetKind, subset_of
from posescope.explainability.truncation.truncation_curve import TruncationCurve

__all__ = ["plot_curves", "plot_joint_drops"]

# Colours of Okabe and Ito, which are safe for colour-blind readers.
_LINES: tuple[tuple[SubsetKind, str, str], ...] = (
    ("first", "the first k", "#0072b2"),
    ("random", "k random", "#e69f00"),
    ("last", "the last k", "#d55e00"),
)
_TITLES = {"own": "own skip activations", "mean": "mean skip activations", "none": "no skips"}
_ROWS = 7  # maximum number of rows of the heat map per treatment of the skip connections


def plot_curves(measured: Sequence[TruncationCurve]) -> go.Figure:
    """Plot one panel per treatment of the skip connections, with 95 % intervals over images."""
    ticks = sorted({count for curve in measured for kind, _, _ in _LINES for count in curve.counts(kind)})
    figure = make_subplots(rows=1, cols=len(measured), shared_yaxes=True, horizontal_spacing=0.05)
    for column, curve in enumerate(measured, start=1):
        for kind, name, colour in _LINES:
            counts = curve.counts(kind)
            positions = [ticks.index(count) for count in counts]
            pcks = [curve.pck(subset_of(kind, count, curve.axes)) for count in counts]
            shown = {"legendgroup": name, "row": 1, "col": column}
            figure.add_scatter(
                x=[*positions, *reversed(positions)], y=[*(pck.high for pck in pcks), *(pck.low for pck in reversed(pcks))],
                mode="lines", fill="toself", fillcolor=colour, opacity=0.18, line={"width": 0}, hoverinfo="skip",
                showlegend=False, **shown,
            )  # fmt: skip
            figure.add_scatter(
                x=positions, y=[pck.estimate for pck in pcks], name=name, mode="lines+markers", line={"color": colour},
                hovertext=[f"k = {count}: {pck:.3f}" for count, pck in zip(counts, pcks, strict=True)],
                hoverinfo="text+name", showlegend=column == 1, **shown,
            )  # fmt: skip
        intact = curve.pck(INTACT).estimate
        figure.add_scatter(
            x=[0, len(ticks) - 1], y=[intact, intact], name="intact", mode="lines", line={"color": "#7d8590", "dash": "dash"},
            legendgroup="intact", showlegend=column == 1, row=1, col=column,
        )  # fmt: skip
        # The legend occupies the space above.
        title = f"number of components, the others at their mean<br>{_TITLES[curve.skips]}"
        figure.update_xaxes(title_text=title, row=1, col=column)
    figure.update_xaxes(tickvals=list(range(len(ticks))), ticktext=[str(count) for count in ticks])
    figure.update_yaxes(title_text="PCK (thesis)", rangemode="tozero", row=1, col=1)
    return figure


def plot_joint_drops(joints: pd.DataFrame) -> NDArray[np.uint8]:
    """Plot the drop of PCK of each joint with the first k components, for some of the measured k.

    Args:
        joints: table of `tabulate_joints`.
    """
    names, values, columns = [], [], list(dict.fromkeys(joints["joint"]))
    for skips, own in joints.groupby("skips", sort=False):
        counts = np.unique(own["k"])[:-1]  # with all components the drop is near zero
        for count in counts[np.unique(np.linspace(0, len(counts) - 1, _ROWS).round().astype(int))]:
            names.append(f"first {count}, {_TITLES[str(skips)]}" if count else f"none, {_TITLES[str(skips)]}")
            values.append(own[own["k"] == count].set_index("joint")["drop"].reindex(columns).to_numpy(dtype=np.float64))
    title = "Drop of PCK per joint when only the first components are kept"
    return plot_matrix(np.stack(values), names, columns, title=title, unit="drop of PCK")
