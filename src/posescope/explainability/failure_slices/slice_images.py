"""Images of persons of a slice, and a plot of the PCK inside and outside of all slices."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.drawing.image_grids import draw_image_grid
from posescope.drawing.photographs import PhotographMode
from posescope.drawing.skeletons import draw_skeleton
from posescope.evaluation.bootstrap import Interval
from posescope.evaluation.error_analysis.error_types import ERROR_TYPES
from posescope.explainability.base import StudyPersons

__all__ = ["SHOWN", "choose_shown", "draw_slice", "plot_slices"]

SHOWN = 4  # persons with the lowest PCK, and as many typical ones
_MIN_TILE_PX = 128
_INSIDE, _OUTSIDE = "#d55e00", "#0072b2"  # Okabe and Ito


def choose_shown(
    members: NDArray[np.int64], pck: NDArray[np.float64], groups: NDArray[np.int64], count: int = SHOWN
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose the persons of a slice to show, at most one per photograph as long as there are enough photographs.

    Args:
        members: (n,) rows of the persons inside.
        pck, groups: (N,) PCK and photograph of all persons.
        count: number of persons of each kind.

    Returns:
        Rows of those with the lowest PCK, and of others with the PCK nearest to the median of the slice.
    """
    lowest = _spread(members[np.argsort(pck[members], kind="stable")], groups)[:count]
    others = np.setdiff1d(members, lowest)
    distance = np.abs(pck[others] - np.median(pck[members]))
    return lowest, _spread(others[np.argsort(distance, kind="stable")], groups)[:count]


def _spread(rows: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort the first person of each photograph before all others; otherwise keep the order."""
    _, first = np.unique(groups[rows], return_index=True)
    repeated = np.ones(len(rows), dtype=bool)
    repeated[first] = False
    return rows[np.argsort(repeated, kind="stable")]


def draw_slice(
    persons: StudyPersons, rows: tuple[NDArray[np.int64], NDArray[np.int64]], skeleton: Skeleton, photographs: PhotographMode
) -> NDArray[np.uint8]:
    """Draw persons with their annotated and below it their predicted skeleton: the lowest PCK first, then typical ones.

    Args:
        persons: the judged persons.
        rows: rows as returned by `choose_shown`.
        skeleton: joints of the model.
        photographs: how photographs are shown.
    """
    images, captions, targets = [], [], persons.crops.targets
    columns = max(len(part) for part in rows)
    for kind, part in zip(("worst", "typical"), rows, strict=True):
        if not len(part):
            continue
        crops = persons.shown_crops(part, photographs)
        annotated = [
            draw_skeleton(crop, targets.joints[row], skeleton, targets.visibility[row])
            for crop, row in zip(crops, part, strict=True)
        ]
        predicted = [
            draw_skeleton(crop, persons.predictions.joints[row], skeleton) for crop, row in zip(crops, part, strict=True)
        ]
        blank = [np.full_like(crops[0], 255)] * (columns - len(part))
        empty = [""] * len(blank)
        images += [*annotated, *blank, *predicted, *blank]
        captions += [f"{kind}, true joints: person {persons.person_ids[row]}" for row in part] + empty
        captions += [_answer_caption(persons, row) for row in part] + empty
    tile = tuple(max(side, _MIN_TILE_PX) for side in persons.crops.crop_size)
    return draw_image_grid(images, columns=columns, captions=captions, tile_size=(tile[0], tile[1]))


def _answer_caption(persons: StudyPersons, row: int) -> str:
    """Return the number of correct joints, and whether left and right are exchanged at half of the labelled joints or more."""
    caption = f"answer: {persons.found_joints(row)}"
    if persons.error_types is None:
        return caption
    types = persons.error_types[row]
    exchanged, labelled = (types == ERROR_TYPES.index("inversion")).sum(), (types >= 0).sum()
    return f"{caption}, left and right exchanged" if 2 * exchanged >= labelled > 0 else caption


def plot_slices(names: Sequence[str], inside: Sequence[Interval], outside: Sequence[Interval]) -> go.Figure:
    """Plot the mean PCK inside and outside of each slice, with 95 % intervals over photographs.

    Args:
        names: names of the slices, the first at the top.
        inside, outside: PCK of each.
    """
    figure = go.Figure()
    places = list(range(len(names)))
    for name, colour, values, shift in (("on these persons", _INSIDE, inside, 0.1), ("on all others", _OUTSIDE, outside, -0.1)):
        figure.add_scatter(
            x=[one.estimate for one in values],
            y=[place - shift for place in places],
            error_x={
                "array": [one.high - one.estimate for one in values],
                "arrayminus": [one.estimate - one.low for one in values],
            },
            mode="markers",
            name=name,
            marker={"color": colour, "size": 9},
            hovertext=[f"{label}<br>PCK {one:.3f}" for label, one in zip(names, values, strict=True)],
            hoverinfo="text+name",
        )
    figure.update_yaxes(tickvals=places, ticktext=[_broken(name) for name in names], automargin=True)
    figure.update_yaxes(range=[len(names) - 0.5, -0.5])  # the first at the top
    figure.update_xaxes(title_text="PCK", range=[0, 1])
    figure.update_layout(height=170 + 70 * len(names), legend={"orientation": "h", "yanchor": "bottom", "y": 1.0})
    return figure


def _broken(text: str, width: int = 30) -> str:
    """Break a text into lines of about so many letters."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)
