"""Plots of latent traversals: a strip and an image grid per component, and an interactive plot with a slider for the step."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.drawing.heatmap_overlays import overlay_heatmaps
from posescope.drawing.image_grids import draw_image_grid
from posescope.drawing.skeletons import draw_skeleton, side_colour
from posescope.explainability.base import AnalysisInputs
from posescope.explainability.components.component_titles import ComponentName
from posescope.explainability.traversal.traversal_steps import Traversal

__all__ = ["draw_strip", "draw_traversal", "plot_traversals"]

_BACKGROUND_GREY = 225
_FAR = 0.95  # quantile of the distances between neighbours from which a step has left the data
_STRIP_TILES = 7
_STRIP_PX = 110
_SIDES = ("left", "right", "centre")
_GREY = "#7d8590"
_MOVING_TRACES = [1, 2, 3, 4, 5]  # changed by the slider; trace 0 is the mean


def draw_strip(inputs: AnalysisInputs, traversal: Traversal, name: ComponentName) -> NDArray[np.uint8]:
    """Draw decoded steps of one component in one row, at most seven, with words at both ends.

    All skeletons have the same scale and frame: the smallest square that holds them.

    Args:
        inputs: persons and model.
        traversal: the points of all components.
        name: name of the component.

    Returns:
        (H, W, 3) uint8.
    """
    steps = traversal.steps
    shown = np.argsort(steps, kind="stable")[np.unique(np.linspace(0, len(steps) - 1, _STRIP_TILES).round().astype(int))]
    joints = traversal.decoded.joints[(name.number - 1) * len(steps) + shown]
    low, high = joints.reshape(-1, 2).min(axis=0), joints.reshape(-1, 2).max(axis=0)
    side = 1.15 * float((high - low).max()) + 1e-6
    placed = (joints - (low + high) / 2) / side * _STRIP_PX + _STRIP_PX / 2
    background = np.full((_STRIP_PX, _STRIP_PX, 3), _BACKGROUND_GREY, dtype=np.uint8)
    tiles = [draw_skeleton(background, own, inputs.model.skeleton, thickness_px=3) for own in placed]
    captions = [_step_words(float(step)) for step in steps[shown]]
    captions[0], captions[-1] = (": ".join(filter(None, words)) for words in ((captions[0], name.low), (captions[-1], name.high)))
    return draw_image_grid(tiles, columns=len(tiles), captions=captions, tile_size=(_STRIP_PX, _STRIP_PX), gap_px=2)


def _step_words(step: float) -> str:
    return "average" if step == 0 else f"{step:+g}"


def draw_traversal(inputs: AnalysisInputs, table: pd.DataFrame, traversal: Traversal, name: ComponentName) -> NDArray[np.uint8]:
    """Draw the image grid of one component: nearest persons above, decoded steps below.

    Args:
        inputs: persons and model.
        table: rows of the table `traversal_steps` of the component; their index is that of the points.
        traversal: the points of all components.
        name: name of the component.

    Returns:
        (H, W, 3) uint8.
    """
    decoded = traversal.decoded
    skeleton, here = inputs.model.skeleton, table.index.to_numpy()
    crops = inputs.judged.shown_crops(traversal.nearest.rows[here], inputs.photographs)
    upper = [draw_skeleton(crop, joints, skeleton) for crop, joints in zip(crops, traversal.predicted[here], strict=True)]
    background = np.full((*inputs.judged.crops.crop_size, 3), _BACKGROUND_GREY, dtype=np.uint8)
    lower = [
        draw_skeleton(overlay_heatmaps(background, decoded.heatmaps[index]), decoded.joints[index], skeleton) for index in here
    ]
    labels = ["mean" if step == 0 else f"{step:+g} sd" for step in table["step"]]
    captions = [
        f"{label}: person {person}{_distance_words(quantile)}"
        for label, person, quantile in zip(labels, table["nearest_person_id"], table["distance_quantile"], strict=True)
    ]
    captions += [f"{label}, drawn" for label in labels]
    ratio = inputs.components.explained_variance_ratio[name.number - 1]
    title = f"{name.title[0].upper()}{name.title[1:]}, {ratio:.0%} of the variance. Above: nearest person, below: drawn step"
    return draw_image_grid([*upper, *lower], columns=len(upper), captions=captions, title=title)


def _distance_words(quantile: float) -> str:
    """State whether the nearest person is farther than `_FAR` of the persons are from each other."""
    return ", no person is near" if quantile >= _FAR else ""


def plot_traversals(
    table: pd.DataFrame, traversal: Traversal, skeleton: Skeleton, crop_size: tuple[int, int], names: Sequence[str]
) -> go.Figure:
    """Plot the decoded joints as lines, with a menu for the component and a slider for the step.

    The plot holds the joint coordinates of each slider position, a few kilobytes, and no images.

    Args:
        table: `traversal_steps`, one row per point, with the same steps for all components.
        traversal: the points.
        skeleton: skeleton of the joints.
        crop_size: (height, width) px.
        names: entry of each component in the menu.
    """
    sliders = [_slider(rows, traversal, skeleton) for _, rows in table.groupby("component", sort=True)]
    first = sliders[0]
    start = first["steps"][first["active"]]
    figure = go.Figure()
    figure.add_scatter(
        **_lines(traversal.mean_joints, skeleton.limbs),
        name="mean",
        mode="lines",
        line={"color": _GREY, "width": 2, "dash": "dot"},
    )
    figure.add_scatter(name="nearest person", mode="lines", line={"color": _GREY, "width": 1}, visible="legendonly")
    for side in _SIDES:
        colour = f"rgb{side_colour(side)}"
        figure.add_scatter(name=side, mode="lines+markers", line={"color": colour, "width": 4}, marker={"size": 6})
    figure.add_scatter(
        name="joints", mode="markers", text=list(skeleton.joints), marker={"color": "rgba(0,0,0,0)", "size": 12},
        hovertemplate="%{text}: %{x:.0f}, %{y:.0f} px<extra></extra>", showlegend=False,
    )  # fmt: skip
    for index, trace in enumerate(_MOVING_TRACES):
        figure.data[trace].update(x=start["args"][0]["x"][index], y=start["args"][0]["y"][index])
    figure.update_traces(hoverinfo="skip", selector={"mode": "lines"})
    height, width = crop_size
    figure.update_xaxes(range=[-0.5, width - 0.5], constrain="domain", showgrid=False, zeroline=False, title_text="crop px")
    figure.update_yaxes(range=[height - 0.5, -0.5], scaleanchor="x", constrain="domain", showgrid=False, zeroline=False)
    buttons = [
        {"label": name, "method": "update", "args": [slider["steps"][slider["active"]]["args"][0],
         {"sliders": [slider], **slider["steps"][slider["active"]]["args"][1]}, _MOVING_TRACES]}
        for name, slider in zip(names, sliders, strict=True)
    ]  # fmt: skip
    figure.update_layout(
        height=590, sliders=[first], margin={"t": 150},
        title={"text": start["args"][1]["title.text"], "font": {"size": 14}, "y": 0.98, "yanchor": "top"},
        updatemenus=[{"buttons": buttons, "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "showactive": True}],
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.15, "yanchor": "bottom"},
    )  # fmt: skip
    return figure


def _slider(rows: pd.DataFrame, traversal: Traversal, skeleton: Skeleton) -> dict[str, Any]:
    """Make the slider of one component; each position replaces the moving traces and the title."""
    nearest, decoded = traversal.predicted, traversal.decoded.joints
    steps = []
    for index, row in zip(rows.index.to_numpy(), rows.to_dict("records"), strict=True):
        parts = [_lines(nearest[index], skeleton.limbs)]
        parts += [_lines(decoded[index], _limbs_of(skeleton, side)) for side in _SIDES]
        parts += [{"x": [*_rounded(decoded[index][:, 0])], "y": [*_rounded(decoded[index][:, 1])]}]
        moved = {axis: [part[axis] for part in parts] for axis in ("x", "y")}
        title = {"title.text": _title(row)}
        steps.append(
            {"label": f"{row['step']:+g}" if row["step"] else "mean", "method": "update", "args": [moved, title, _MOVING_TRACES]}
        )
    active = int(np.abs(rows["step"].to_numpy(dtype=np.float64)).argmin())
    return {"active": active, "steps": steps, "currentvalue": {"prefix": "step, standard deviations: "}, "pad": {"t": 44}}


def _title(row: Mapping[Hashable, Any]) -> str:
    step = f"at {row['step']:+g} sd" if row["step"] else "at the mean"
    return (
        f"Component {row['component']:.0f} {step}: joints {row['displacement_px']:.1f} px from the average skeleton,<br>"
        f"{row['nearest_person_distance_px']:.1f} px from the nearest person{_distance_words(row['distance_quantile'])}"
    )


def _limbs_of(skeleton: Skeleton, side: str) -> list[tuple[int, int]]:
    """List the limbs of one colour; a limb between the centre and a side belongs to the side."""
    limbs = []
    for limb in skeleton.limbs:
        sides = {skeleton.side_of(end) for end in limb} - {"centre"}
        if side == (sides.pop() if len(sides) == 1 else "centre"):
            limbs.append(limb)
    return limbs


def _lines(joints: NDArray[np.float32], limbs: Sequence[tuple[int, int]]) -> dict[str, list[float | None]]:
    """Return x and y of both ends of each limb, separated by gaps."""
    axes = [[[*_rounded(joints[list(limb), axis]), None] for limb in limbs] for axis in (0, 1)]
    x, y = ([number for part in parts for number in part] for parts in axes)
    return {"x": x, "y": y}


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(float(value), 1) for value in values]
