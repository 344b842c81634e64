"""An interactive plot of a truncation curve, and a heat map of the drop of PCK per joint."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.explainability.static_plots import plot_matrix
from posescope.explainability.truncation.component_subsets import INTACT, SubsetKind, subset_of
from posescope.explainability.truncation.truncation_curve import TruncationCurve

__all__ = ["plot_curve", "plot_joint_drops"]

# Colours of Okabe and Ito, which are safe for colour-blind readers.
_LINES: tuple[tuple[SubsetKind, str, str], ...] = (
    ("first", "first components", "#0072b2"),
    ("persons", "random persons", "#e69f00"),
)
_TITLES = {"own": "skip connections unchanged", "mean": "skip connections at their average", "none": ""}
_ROWS = 5  # maximum number of rows of the heat map per treatment of the skip connections


def plot_curve(curve: TruncationCurve, asked: int | None) -> go.Figure:
    """Plot PCK against the number of components or of random persons, with 95 % intervals over photographs.

    Args:
        curve: the measured curve.
        asked: number of components that is marked; None: no number.
    """
    ticks = sorted({count for kind, _, _ in _LINES for count in _measured(curve, kind)})
    figure = go.Figure()
    for kind, name, colour in _LINES:
        counts = _measured(curve, kind)
        positions = [ticks.index(count) for count in counts]
        pcks = [curve.pck(subset_of(kind, count, curve.axes)) for count in counts]
        figure.add_scatter(
            x=[*positions, *reversed(positions)], y=[*(pck.high for pck in pcks), *(pck.low for pck in reversed(pcks))],
            mode="lines", fill="toself", fillcolor=colour, opacity=0.18, line={"width": 0}, hoverinfo="skip", legendgroup=name,
            showlegend=False,
        )  # fmt: skip
        figure.add_scatter(
            x=positions, y=[pck.estimate for pck in pcks], name=name, mode="lines+markers", line={"color": colour},
            hovertext=[f"{count}: {pck:.3f}" for count, pck in zip(counts, pcks, strict=True)], hoverinfo="text+name",
            legendgroup=name,
        )  # fmt: skip
    intact = curve.pck(INTACT).estimate
    figure.add_scatter(
        x=[0, len(ticks) - 1], y=[intact, intact], name="whole network", mode="lines", line={"color": "#7d8590", "dash": "dash"}
    )
    if asked in ticks:
        figure.add_vline(
            x=ticks.index(asked), line={"color": "#7d8590", "dash": "dot", "width": 1}, annotation_text=f"{asked} components",
            annotation_position="bottom right",
        )  # fmt: skip
    title = "<br>".join(filter(None, ["number of components or persons", _TITLES[curve.skips]]))
    figure.update_xaxes(title_text=title, tickvals=list(range(len(ticks))), ticktext=[str(count) for count in ticks])
    figure.update_yaxes(title_text="PCK (thesis)", range=[0, 1])
    return figure


def _measured(curve: TruncationCurve, kind: SubsetKind) -> list[int]:
    """List the measured numbers; none and all of the components are of the kind `first`."""
    return [count for count in curve.counts(kind) if kind == "first" or count < curve.axes]


def plot_joint_drops(joints: pd.DataFrame) -> NDArray[np.uint8]:
    """Plot the drop of PCK of each joint with the first k components, for some of the measured k.

    Args:
        joints: table of `tabulate_joints`.
    """
    names, values, columns = [], [], list(dict.fromkeys(joints["joint"]))
    for skips, own in joints.groupby("skips", sort=False):
        counts = np.unique(own["k"])[:-1]  # with all components the drop is near zero
        for count in counts[np.unique(np.linspace(0, len(counts) - 1, _ROWS).round().astype(int))]:
            names.append(", ".join(filter(None, [f"first {count}" if count else "none", _TITLES[str(skips)]])))
            values.append(own[own["k"] == count].set_index("joint")["drop"].reindex(columns).to_numpy(dtype=np.float64))
    title = "Drop of PCK per joint when only the first components are kept"
    return plot_matrix(np.stack(values), names, [joint.replace("_", " ") for joint in columns], title=title, unit="drop of PCK")
