"""Plots of components and attributes: heat map and bars of shares, the persons at the ends of each component, a scatter plot."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.drawing.image_grids import draw_image_grid
from posescope.drawing.skeletons import draw_skeleton
from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.base import AnalysisInputs
from posescope.explainability.components.component_titles import ComponentName
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explainability.static_plots import plot_intervals, plot_matrix

__all__ = ["draw_ends", "draw_extremes", "extreme_rows", "plot_correlations", "plot_probes", "plot_scores"]

Floats = NDArray[np.float64]
_TILE = (112, 112)
_END_TILE = (120, 120)
_MOST_POINTS = 1000
_SHOWN_SHARE = 0.05  # a column of the heat map explains at least this much of one component


def plot_correlations(correlations: pd.DataFrame, names: Sequence[ComponentName]) -> NDArray[np.uint8]:
    """Plot the share of each component (row) that each attribute explains, with the sign of the correlation.

    Args:
        correlations: table of the pairs (`AttributeShares`), columns component, attribute, is_unknown, correlation and r2.
        names: names of the components.
    """
    label = correlations["attribute"] + np.where(correlations["is_unknown"], " unknown", "")
    signed = correlations.assign(label=label, signed=np.sign(correlations["correlation"]) * correlations["r2"].clip(lower=0.0))
    table = signed.pivot_table(index="component", columns="label", values="signed", sort=False, dropna=False)
    shown = table.loc[:, (table.abs() >= _SHOWN_SHARE).any()]
    shown = shown if shown.shape[1] else table
    return plot_matrix(
        shown.to_numpy(dtype=np.float64),
        [names[int(number) - 1].title for number in shown.index],
        [str(column) for column in shown],
        title="Share of each component that each attribute explains",
        unit="share (R²), with the sign of the correlation",
    )


def plot_probes(probes: pd.DataFrame) -> NDArray[np.uint8]:
    """Plot how much of each attribute all components together predict, with interval and control; best attribute first."""
    ranked = probes.sort_values("r2", ascending=False, kind="stable")
    return plot_intervals(
        [_range(str(name)) for name in ranked["attribute"]],
        ranked[["r2_low", "r2", "r2_high"]].to_numpy(dtype=np.float64),
        ranked["control_high"].to_numpy(dtype=np.float64),
        title="What all components together predict",
        unit="fraction of the differences between persons (R²)",
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
    inputs: AnalysisInputs, scores: Floats, names: Sequence[ComponentName], count: int
) -> dict[str, NDArray[np.uint8]]:
    """Draw the image `component_extremes`, if there are at least two images.

    Each block shows one component: the judged persons at its low end, most extreme first, then those at its high end, most
    extreme last, with annotated joints.

    Args:
        inputs: the persons.
        scores: (N, P) scores of the judged persons; one block of the image per component.
        names: names of at least P components.
        count: persons at each end.
    """
    count = min(count, len(np.unique(inputs.judged.groups)) // 2)
    if count == 0:
        return {}
    blocks = []
    for component, name in zip(range(scores.shape[1]), names, strict=False):
        low, high = extreme_rows(scores[:, component], inputs.judged.groups, count)
        rows = np.concatenate([low, high[::-1]])
        captions = [_deviations(inputs, row, component, scores) for row in rows]
        title = _capitalised(name.title)
        blocks.append(draw_image_grid(_draw_persons(inputs, rows), 2 * count, captions, _TILE, title=title))
    return {"component_extremes": np.concatenate(blocks)}


def draw_ends(inputs: AnalysisInputs, scores: Floats, name: ComponentName, count: int) -> dict[str, NDArray[np.uint8]]:
    """Draw the image `component_<i>_ends`, if there are at least two images: low end above, high end below, in words.

    Args:
        inputs: the persons.
        scores: (N, P) scores of the judged persons.
        name: name of the component.
        count: persons at each end, side by side.
    """
    component, count = name.number - 1, min(count, len(np.unique(inputs.judged.groups)) // 2)
    if count == 0:
        return {}
    ends = extreme_rows(scores[:, component], inputs.judged.groups, count)
    grids = [
        draw_image_grid(
            _draw_persons(inputs, rows),
            count,
            [_attribute_words(inputs, row, attribute) if words else "" for row in rows],
            _END_TILE,
            title=f"Component {name.number}, {end} end" + (f": {words}" if words else ""),
        )
        for rows, end, words, attribute in zip(
            ends, ("low", "high"), (name.low, name.high), (name.low_attribute, name.high_attribute), strict=True
        )
    ]
    return {f"component_{name.number}_ends": np.concatenate(grids)}


def _draw_persons(inputs: AnalysisInputs, rows: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    targets, skeleton = inputs.judged.crops.targets, inputs.model.skeleton
    shown = inputs.judged.shown_crops(rows, inputs.photographs)
    crops = zip(shown, targets.joints[rows], targets.visibility[rows], strict=True)
    return [draw_skeleton(image, joints, skeleton, seen) for image, joints, seen in crops]


def _deviations(inputs: AnalysisInputs, row: int, component: int, scores: Floats) -> str:
    return f"{scores[row, component] / np.sqrt(inputs.components.variances[component]):+.1f} sd"


def _attribute_words(inputs: AnalysisInputs, row: int, attribute: str) -> str:
    """Return the value if it is known and its unit needs no explanation."""
    value, unit = float(inputs.judged.attributes[attribute].iloc[row]), attribute_named(attribute).unit
    if np.isnan(value) or unit not in {"fraction", "degrees"}:
        return ""
    words = f"{value:.0%}" if unit == "fraction" else f"{value:.0f} {unit}"
    return f"{attribute.replace('_', ' ')}: {words}"


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _range(attribute: str) -> str:
    known = attribute_named(attribute)
    return f"{known.low} … {known.high}"


def plot_scores(inputs: AnalysisInputs, scores: Floats, names: Sequence[ComponentName]) -> go.Figure:
    """Plot the score of each component against its attributes: a point per judged person, a button per component and attribute.

    Args:
        inputs: the persons.
        scores: (N, P) scores of the judged persons.
        names: names of components with attributes, at least one.
    """
    figure, buttons = go.Figure(), []
    pairs = [(name, attribute) for name in names for attribute in dict.fromkeys((name.low_attribute, name.high_attribute))]
    for place, (name, attribute) in enumerate(pairs):
        figure.add_trace(_points(inputs, scores[:, name.number - 1], name.number, attribute).update(visible=place == 0))
        shown = [other == place for other in range(len(pairs))]
        changes = {"xaxis.title.text": _across(name), "yaxis.title.text": _upwards(attribute)}
        label = f"component {name.number}: {attribute}"
        buttons.append({"label": label, "method": "update", "args": [{"visible": shown}, changes]})
    figure.update_xaxes(title_text=_across(pairs[0][0])).update_yaxes(title_text=_upwards(pairs[0][1]))
    menu = {"buttons": buttons, "x": 0.0, "xanchor": "left", "y": 1.01, "yanchor": "bottom", "pad": {"b": 4}}
    return figure.update_layout(updatemenus=[menu], showlegend=False)


def _across(name: ComponentName) -> str:
    return f"score on component {name.number}, standard deviations"


def _upwards(attribute: str) -> str:
    unit = attribute_named(attribute).unit
    return f"{attribute}: {_range(attribute)}" + (f", {unit}" if unit else "")


def _points(inputs: AnalysisInputs, scores: Floats, number: int, attribute: str) -> go.Scatter:
    values = inputs.judged.attributes[attribute].to_numpy(dtype=np.float64)
    known = np.flatnonzero(np.isfinite(values))
    rows = known[sample_rows(len(known), _MOST_POINTS, inputs.seed)]
    return go.Scatter(
        x=(scores[rows] / np.sqrt(inputs.components.variances[number - 1])).round(3),
        y=values[rows].round(3),
        mode="markers",
        marker={"size": 5, "opacity": 0.5},
        text=[f"person {person}" for person in inputs.judged.person_ids[rows]],
        hovertemplate="%{text}<br>score %{x:.2f}<br>" + attribute + " %{y:.2f}<extra></extra>",
    )
