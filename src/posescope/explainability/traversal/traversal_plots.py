"""The contact sheet of a walk: who stands nearest to each step above, what the network makes of the step below."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.drawing.heatmap_overlays import overlay_heatmaps
from posescope.drawing.image_grids import draw_image_grid
from posescope.drawing.skeletons import draw_skeleton, side_colour
from posescope.explainability.base import AnalysisInputs
from posescope.explainability.traversal.traversal_steps import DecodedFeatures

__all__ = ["draw_traversal", "plot_traversals"]

_GROUND_GREY = 225


def draw_traversal(
    inputs: AnalysisInputs, table: pd.DataFrame, decoded: DecodedFeatures, predicted: NDArray[np.float32], rows: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """The sheet of one component.

    Args:
        inputs: persons and model.
        table: the rows of the table `latent_traversal` of one component; their index counts points.
        decoded: of all points.
        predicted: (M, K, 2) joints that the network predicts for the nearest person of each point.
        rows: (M,) those persons.
    """
    skeleton, here = inputs.model.skeleton, table.index.to_numpy()
    crops = inputs.crops.read_images(rows[here])
    upper = [draw_skeleton(crop, joints, skeleton) for crop, joints in zip(crops, predicted[here], strict=True)]
    ground = np.full((*inputs.crops.crop_size, 3), _GROUND_GREY, dtype=np.uint8)
    lower = [draw_skeleton(overlay_heatmaps(ground, decoded.heatmaps[index]), decoded.joints[index], skeleton) for index in here]
    places = ["mean" if step == 0 else f"{step:+g} sd" for step in table["step"]]
    captions = [
        f"{place}: person {person}, {_farther(quantile)}"
        for place, person, quantile in zip(places, table["nearest_person_id"], table["distance_quantile"], strict=True)
    ]
    captions += [
        f"{place} decoded, {px:.0f} px apart" for place, px in zip(places, table["nearest_person_distance_px"], strict=True)
    ]
    component = int(table["component"].iloc[0])
    share = inputs.components.explained_variance_ratio[component - 1]
    title = f"Component {component} ({share:.1%} of the variance): nearest person above, decoded step below"
    return draw_image_grid([*upper, *lower], columns=len(upper), captions=captions, title=title)


def _farther(quantile: float) -> str:
    return "no neighbours" if np.isnan(quantile) else f"farther than {quantile:.0%} of neighbours"


# MERGED from walk_slider: The walks as a figure to play with: a menu for the component, a slider for the step, the
# decoded skeleton as lines.
#
# No pictures and no frames: each slider position carries the coordinates of one skeleton, some kilobytes for the whole
# figure.

if TYPE_CHECKING:
    import plotly.graph_objects as go

_SIDES = ("left", "right", "centre")
_GREY = "#7d8590"
_MOVING = [1, 2, 3, 4, 5]  # traces that a slider position changes; trace 0, the mean, stays


def plot_traversals(
    table: pd.DataFrame,
    decoded: NDArray[np.float32],
    nearest: NDArray[np.float32],
    origin: NDArray[np.float32],
    skeleton: Skeleton,
    crop_size: tuple[int, int],
    names: Sequence[str],
) -> "go.Figure":
    """The figure.

    Args:
        table: `latent_traversal`, a row a point, all components with the same steps.
        decoded: (M, K, 2) joints of each point, crop px.
        nearest: (M, K, 2) predicted joints of the nearest person.
        origin: (K, 2) joints of the decoded mean.
        skeleton: of K joints.
        crop_size: (height, width) px.
        names: what each component is called in the menu.
    """
    import plotly.graph_objects as go  # noqa: PLC0415 - a machine that only computes may lack it

    sliders = [_slider(rows, decoded, nearest, skeleton) for _, rows in table.groupby("component", sort=True)]
    first = sliders[0]
    start = first["steps"][first["active"]]
    figure = go.Figure()
    figure.add_scatter(
        **_lines(origin, skeleton.limbs), name="mean", mode="lines", line={"color": _GREY, "width": 2, "dash": "dot"}
    )
    figure.add_scatter(name="nearest person", mode="lines", line={"color": _GREY, "width": 1}, visible="legendonly")
    for side in _SIDES:
        colour = f"rgb{side_colour(side)}"
        figure.add_scatter(name=side, mode="lines+markers", line={"color": colour, "width": 4}, marker={"size": 6})
    figure.add_scatter(
        name="joints", mode="markers", text=list(skeleton.joints), marker={"color": "rgba(0,0,0,0)", "size": 12},
        hovertemplate="%{text}: %{x:.0f}, %{y:.0f} px<extra></extra>", showlegend=False,
    )  # fmt: skip
    for place, trace in enumerate(_MOVING):
        figure.data[trace].update(x=start["args"][0]["x"][place], y=start["args"][0]["y"][place])
    figure.update_traces(hoverinfo="skip", selector={"mode": "lines"})
    height, width = crop_size
    figure.update_xaxes(range=[-0.5, width - 0.5], constrain="domain", showgrid=False, zeroline=False, title_text="crop px")
    figure.update_yaxes(range=[height - 0.5, -0.5], scaleanchor="x", constrain="domain", showgrid=False, zeroline=False)
    buttons = [
        {"label": name, "method": "update", "args": [slider["steps"][slider["active"]]["args"][0],
         {"sliders": [slider], **slider["steps"][slider["active"]]["args"][1]}, _MOVING]}
        for name, slider in zip(names, sliders, strict=True)
    ]  # fmt: skip
    figure.update_layout(
        height=560, sliders=[first], margin={"t": 120},
        title={"text": start["args"][1]["title.text"], "font": {"size": 14}, "y": 0.98, "yanchor": "top"},
        updatemenus=[{"buttons": buttons, "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom", "showactive": True}],
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
    )  # fmt: skip
    return figure


def _slider(rows: pd.DataFrame, decoded: NDArray[np.float32], nearest: NDArray[np.float32], skeleton: Skeleton) -> dict[str, Any]:
    """One component's slider: each position replaces the moving traces and says where it stands."""
    steps = []
    for index, row in zip(rows.index.to_numpy(), rows.to_dict("records"), strict=True):
        parts = [_lines(nearest[index], skeleton.limbs)]
        parts += [_lines(decoded[index], _limbs_of(skeleton, side)) for side in _SIDES]
        parts += [{"x": [*_rounded(decoded[index][:, 0])], "y": [*_rounded(decoded[index][:, 1])]}]
        moved = {axis: [part[axis] for part in parts] for axis in ("x", "y")}
        title = {"title.text": _title(row)}
        steps.append(
            {"label": f"{row['step']:+g}" if row["step"] else "mean", "method": "update", "args": [moved, title, _MOVING]}
        )
    active = int(np.abs(rows["step"].to_numpy(dtype=np.float64)).argmin())
    return {"active": active, "steps": steps, "currentvalue": {"prefix": "step, standard deviations: "}, "pad": {"t": 44}}


def _title(row: Mapping[Hashable, Any]) -> str:
    place = f"at {row['step']:+g} sd" if row["step"] else "at the mean"
    text = (
        f"Component {row['component']:.0f} {place}: {row['displacement_px']:.1f} px a joint from the mean, "
        f"{row['nearest_person_distance_px']:.1f} px from the nearest person"
    )
    quantile = row["distance_quantile"]
    return text if np.isnan(quantile) else f"{text}<br>(who is farther than {quantile:.0%} of neighbours are)"


def _limbs_of(skeleton: Skeleton, side: str) -> list[tuple[int, int]]:
    """Limbs of one colour, by the rule of drawn skeletons: a limb between the centre and a side is the side's."""
    limbs = []
    for limb in skeleton.limbs:
        sides = {skeleton.side_of(end) for end in limb} - {"centre"}
        if side == (sides.pop() if len(sides) == 1 else "centre"):
            limbs.append(limb)
    return limbs


def _lines(joints: NDArray[np.float32], limbs: Sequence[tuple[int, int]]) -> dict[str, list[float | None]]:
    """One line with gaps: x and y of both ends of each limb, then nothing."""
    axes = [[[*_rounded(joints[list(limb), axis]), None] for limb in limbs] for axis in (0, 1)]
    x, y = ([number for part in parts for number in part] for parts in axes)
    return {"x": x, "y": y}


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(float(value), 1) for value in values]
