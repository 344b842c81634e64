"""Plots of explainability: variance per component, silhouettes per number of clusters, skip ablation."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.reporting.plots.plot_style import BLUE, GREEN, GREY, VERMILION, apply_plot_style

__all__ = ["plot_explained_variance", "plot_silhouettes", "plot_skip_ablation"]

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


def plot_silhouettes(table: pd.DataFrame) -> go.Figure:
    """Plot the mean silhouette per number of clusters, with the best one marked.

    Args:
        table: one row per number of clusters: clusters, silhouette (-1..1, may be NaN, but not all of them).
    """
    values = table["silhouette"].to_numpy(dtype=np.float64)
    row = int(np.nanargmax(values))
    clusters = int(table["clusters"].iloc[row])
    figure = go.Figure()
    figure.add_scatter(x=table["clusters"], y=values, mode="lines+markers", line={"color": BLUE}, name="silhouette")
    figure.add_scatter(
        x=[clusters], y=[values[row]], mode="markers+text", textposition="top center", cliponaxis=False,
        marker={"color": GREEN, "size": 13, "symbol": "star"}, text=[f"{values[row]:.3f}"],
        name=f"best: {clusters} clusters",
    )  # fmt: skip
    figure.update_xaxes(title_text="number of clusters", dtick=1)
    figure.update_yaxes(title_text="mean silhouette")
    return apply_plot_style(figure, height_px=320)


def plot_skip_ablation(drops: pd.DataFrame) -> go.Figure:
    """Plot the loss of PCK per joint if the skip connection of one level is ablated.

    Args:
        drops: index: levels; columns: joints; values: loss of PCK (0..1, negative: gain, NaN: no labelled joint).
    """
    values = drops.to_numpy(dtype=np.float64)
    largest = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    figure = go.Figure(
        go.Heatmap(
            z=values, x=[str(name).replace("_", " ") for name in drops.columns], y=[str(level) for level in drops.index],
            colorscale="RdBu_r", zmid=0, zmin=-largest, zmax=largest, xgap=1, ygap=1, texttemplate="%{z:.2f}",
            colorbar={"title": {"text": "loss of PCK", "font": {"size": 13}}, "thickness": 12}, textfont={"size": 11},
            hovertemplate="%{y}, %{x}: %{z:.3f} loss of PCK<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(showgrid=False, tickangle=-40)
    return apply_plot_style(figure, height_px=212 + 44 * len(drops))
