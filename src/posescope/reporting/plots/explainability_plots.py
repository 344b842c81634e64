"""What a network has learned: variance by component, number of clusters, what each skip connection carries."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.reporting.plots.plot_style import BLUE, GREEN, GREY, VERMILION, ReportError, apply_plot_style, require_columns

__all__ = ["plot_explained_variance", "plot_silhouettes", "plot_skip_ablation"]

_COMPONENTS_SHOWN = 60


def plot_explained_variance(ratios: NDArray[np.floating], shares: tuple[float, ...] = (0.5, 0.95)) -> go.Figure:
    """Share of the variance along each principal component (bars) and along the first n together (line).

    Args:
        ratios: (P,) shares in 0..1, descending; the first 60 are drawn, all count in the marks.
        shares: the figure says how many components hold each of these shares, where that many are given.

    Raises:
        ReportError: if there are no ratios.
    """
    ratios = np.asarray(ratios, dtype=np.float64)
    if ratios.ndim != 1 or ratios.size == 0:
        raise ReportError(f"explained variance: expected at least one share (P,), found shape {ratios.shape}.")
    together = np.cumsum(ratios)
    number = np.arange(1, min(len(ratios), _COMPONENTS_SHOWN) + 1)
    figure = go.Figure()
    figure.add_bar(x=number, y=100 * ratios[: len(number)], name="each component", marker_color=BLUE)
    figure.add_scatter(
        x=number, y=100 * together[: len(number)], name="all up to here", mode="lines+markers", line={"color": VERMILION},
        marker={"size": 5},
    )  # fmt: skip
    for share in shares:
        reached = np.flatnonzero(together >= share - 1e-12)
        if reached.size:
            count = int(reached[0]) + 1
            figure.add_hline(
                y=100 * share, line={"color": GREY, "dash": "dot", "width": 1}, annotation_position="top right",
                annotation_text=f"{share * 100:g} % with {count:,} component{'s' if count > 1 else ''}",
            )  # fmt: skip
    figure.update_xaxes(title_text="principal component")
    figure.update_yaxes(title_text="share of the variance, %", range=[0, 105])
    return apply_plot_style(figure)


def plot_silhouettes(table: pd.DataFrame) -> go.Figure:
    """Silhouette by number of clusters, the best one marked.

    Args:
        table: one row a number of clusters: clusters, silhouette (-1..1, may be NaN).

    Raises:
        ReportError: if a column is missing, there are no rows, or every silhouette is NaN.
    """
    require_columns(table, ("clusters", "silhouette"), "silhouettes")
    values = table["silhouette"].to_numpy(dtype=np.float64)
    if np.isnan(values).all():
        raise ReportError("silhouettes: every value is NaN, there is nothing to draw. Leave the figure out.")
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
    """How much each joint loses when one level's skip connection is switched off.

    Args:
        drops: index = levels (names or numbers), columns = joints, values = PCK lost (0..1; below 0: the joint gains; NaN where
            nobody is labelled).

    Raises:
        ReportError: if the table is empty.
    """
    if drops.empty:
        raise ReportError("skip ablation: the table has no rows or no columns, there is nothing to draw. Leave the figure out.")
    values = drops.to_numpy(dtype=np.float64)
    largest = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    figure = go.Figure(
        go.Heatmap(
            z=values, x=[str(name).replace("_", " ") for name in drops.columns], y=[str(level) for level in drops.index],
            colorscale="RdBu_r", zmid=0, zmin=-largest, zmax=largest, xgap=1, ygap=1, texttemplate="%{z:.2f}",
            colorbar={"title": {"text": "PCK lost", "font": {"size": 13}}, "thickness": 12}, textfont={"size": 11},
            hovertemplate="%{y}, %{x}: %{z:.3f} PCK lost<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(showgrid=False, tickangle=-40)
    return apply_plot_style(figure, height_px=212 + 44 * len(drops))
