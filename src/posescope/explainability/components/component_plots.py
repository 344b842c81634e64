"""Plots of components and attributes: R2 as heat maps, the extreme persons of each component, and a scatter plot."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.drawing.image_grids import draw_image_grid
from posescope.drawing.skeletons import draw_skeleton
from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.base import AnalysisInputs
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explainability.static_plots import plot_matrix

__all__ = ["draw_extremes", "extreme_rows", "plot_correlations", "plot_probes", "plot_scores"]

_TILE = (104, 104)
_MOST_POINTS = 1000


def plot_correlations(correlations: pd.DataFrame) -> NDArray[np.uint8]:
    """Plot held-out R2, with the sign of the correlation, for each component (row) and attribute (column)."""
    signed = correlations.assign(signed=np.sign(correlations["pearson"]) * correlations["r2"].clip(lower=0.0))
    table = signed.pivot_table(index="component", columns="attribute", values="signed", sort=False, dropna=False)
    rows = [f"component {number}" for number in table.index]
    title = "R² of each attribute, predicted from each component, on held-out persons"
    return plot_matrix(
        table.to_numpy(dtype=np.float64), rows, list(table.columns), title=title, unit="R2, with the sign of the correlation"
    )


def plot_probes(probes: pd.DataFrame) -> NDArray[np.uint8]:
    """Plot held-out R2 of each attribute from all components, with its interval and its control; best attribute first."""
    ranked = probes.sort_values("r2", ascending=False, kind="stable")
    columns = {"r2_low": "low", "r2": "R²", "r2_high": "high", "control_high": "by chance"}
    title = "R² from all components, held-out persons"
    return plot_matrix(
        ranked[list(columns)].to_numpy(dtype=np.float64),
        list(ranked["attribute"]),
        list(columns.values()),
        title=title,
        unit="R²",
    )


def extreme_rows(
    scores: NDArray[np.float64], groups: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the persons with the lowest and the highest scores, at most one per image.

    Args:
        scores: (n,) along one component.
        groups: (n,) image of each person.
        count: maximum number of persons at each end.

    Returns:
        Rows at the low end and rows at the high end, most extreme first.
    """
    order = np.argsort(scores, kind="stable")
    ends = []
    for ranked in (order, order[::-1]):
        _, first = np.unique(groups[ranked], return_index=True)
        ends.append(ranked[np.sort(first)[:count]].astype(np.int64))
    return ends[0], ends[1]


def draw_extremes(
    inputs: AnalysisInputs, scores: NDArray[np.float64], attributes: pd.DataFrame, names: pd.DataFrame, count: int
) -> dict[str, NDArray[np.uint8]]:
    """Draw the image `component_extremes`, if there are at least two images.

    Each row shows one component: the persons at its low end, most extreme first, then those at its high end, most extreme last,
    with annotated joints.

    Args:
        inputs: the persons.
        scores: (N, P); one row of the image per component.
        attributes: attributes of the same persons, for the captions.
        names: best attribute of each component, for the captions.
        count: persons at each end.
    """
    shown = {number: attributes[name] for number, name in zip(names["component"], names["attribute"], strict=True)}
    count = min(count, len(np.unique(inputs.judged.groups)) // 2)
    if count == 0:
        return {}
    images, captions = [], []
    for component in range(scores.shape[1]):
        low, high = extreme_rows(scores[:, component], inputs.judged.groups, count)
        rows = np.concatenate([low, high[::-1]])
        images += _draw_persons(inputs, rows)
        captions += [_caption(inputs, row, component, scores, shown.get(component + 1)) for row in rows]
    title = f"Persons at the ends of each component: the {count} lowest, then the {count} highest, one component per row"
    grid = draw_image_grid(images, columns=2 * count, captions=captions, tile_size=_TILE, title=title)
    return {"component_extremes": grid}


def _draw_persons(inputs: AnalysisInputs, rows: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    targets, skeleton = inputs.judged.crops.targets, inputs.model.skeleton
    crops = zip(inputs.judged.crops.read_images(rows), targets.joints[rows], targets.visibility[rows], strict=True)
    return [draw_skeleton(image, joints, skeleton, seen) for image, joints, seen in crops]


def _caption(inputs: AnalysisInputs, row: int, component: int, scores: NDArray[np.float64], values: pd.Series | None) -> str:
    deviations = scores[row, component] / np.sqrt(inputs.components.variances[component])
    text = f"PC{component + 1} {deviations:+.1f} sd"
    if values is None:
        return text
    value = float(values.iloc[row])
    return f"{text}\n{values.name} " + ("unknown" if np.isnan(value) else f"{value:.3g}")


def plot_scores(inputs: AnalysisInputs, scores: NDArray[np.float64], attributes: pd.DataFrame, names: pd.DataFrame) -> go.Figure:
    """Plot the score of each component against its best attribute: one point per person, one button per component.

    Args:
        inputs: the persons.
        scores: (N, P) coordinates along the components.
        attributes: attributes of the same persons.
        names: best attribute of each component.
    """
    figure, buttons, titles = go.Figure(), [], []
    for place, (_, row) in enumerate(names.iterrows()):
        number, attribute = int(row["component"]), attribute_named(row["attribute"])
        across = f"score of component {number}, standard deviations"
        upwards = f"{attribute.name}: {attribute.low} to {attribute.high}" + (f", {attribute.unit}" if attribute.unit else "")
        figure.add_trace(_points(inputs, scores[:, number - 1], number, attributes[attribute.name]).update(visible=place == 0))
        changes = {"xaxis.title.text": across, "yaxis.title.text": upwards}
        label = f"component {number}: {attribute.name}, R² {row['r2']:.2f}"
        shown = [other == place for other in range(len(names))]
        buttons.append({"label": label, "method": "update", "args": [{"visible": shown}, changes]})
        titles.append((across, upwards))
    figure.update_xaxes(title_text=titles[0][0]).update_yaxes(title_text=titles[0][1])
    menu = {"buttons": buttons, "x": 0.0, "xanchor": "left", "y": 1.01, "yanchor": "bottom", "pad": {"b": 4}}
    return figure.update_layout(updatemenus=[menu], showlegend=False)


def _points(inputs: AnalysisInputs, scores: NDArray[np.float64], number: int, attribute: pd.Series) -> go.Scatter:
    values = attribute.to_numpy(dtype=np.float64)
    known = np.flatnonzero(np.isfinite(values))
    rows = known[sample_rows(len(known), _MOST_POINTS, inputs.seed)]
    return go.Scatter(
        x=(scores[rows] / np.sqrt(inputs.components.variances[number - 1])).round(3),
        y=values[rows].round(3),
        mode="markers",
        marker={"size": 5, "opacity": 0.5},
        text=[f"person {person}" for person in inputs.judged.features.person_ids[rows]],
        hovertemplate="%{text}<br>score %{x:.2f}<br>" + str(attribute.name) + " %{y:.2f}<extra></extra>",
    )
