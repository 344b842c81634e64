"""Figures of the tab *Try it*: the photograph with boxes and joints, and its place on the map of the run."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.explorer.pictures import data_uri, encode_jpeg

if TYPE_CHECKING:
    from posescope.explorer.opened_run import OpenedRun
    from posescope.explorer.person_boxes import FoundBoxes
    from posescope.explorer.tried_photograph import PlaceAmongPersons, TriedPerson

__all__ = ["box_of_drawing", "draw_photograph", "draw_place", "joint_rows"]

_LEAST_DRAWN_PX = 3  # a smaller rectangle is a click
_MOST_MAP_POINTS = 2000  # drawn as SVG, which every browser has
_OWN_SHAPE = "box"
_BOX_COLOUR, _OTHER_COLOUR, _STAR_COLOUR = "#d55e00", "rgba(255, 255, 255, 0.7)", "#d55e00"
_NEAR_COLOUR, _PERSON_COLOUR, _TEXT = "#0072b2", "rgba(125, 133, 144, 0.45)", "#7d8590"


def draw_photograph(image: NDArray[np.uint8], found: "FoundBoxes", tried: "TriedPerson", skeleton: Skeleton) -> dict[str, Any]:
    """Return a figure in px of the photograph, with joints, radii and boxes, on which a rectangle can be drawn.

    Args:
        image: (H, W, 3) uint8 RGB.
        found: boxes of its persons.
        tried: the person that was tried.
        skeleton: joints and limbs.
    """
    from posescope.explorer.trial_pictures import draw_tried_person  # noqa: PLC0415

    picture = data_uri(encode_jpeg(draw_tried_person(image, tried.pose, skeleton)))
    height, width = image.shape[:2]
    others = [_rectangle(box, _OTHER_COLOUR, "dot") for box in found.boxes if found.is_detected]
    return {
        "data": [_joint_labels(tried, skeleton)],
        "layout": {
            "images": [
                {"source": picture, "xref": "x", "yref": "y", "x": 0, "y": 0, "sizex": width, "sizey": height,
                 "sizing": "stretch", "layer": "below"}
            ],
            "shapes": [*others, _rectangle(tried.box, _BOX_COLOUR, "solid")],
            "xaxis": {"range": [0, width], "visible": False, "constrain": "domain"},
            "yaxis": {"range": [height, 0], "visible": False, "scaleanchor": "x", "constrain": "domain"},
            "dragmode": "drawrect",
            "newshape": {"line": {"color": _BOX_COLOUR, "width": 3}},
            "margin": {"l": 0, "r": 0, "t": 30, "b": 0},  # the buttons are above the photograph
            "modebar": {"bgcolor": "rgba(0,0,0,0)"},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "showlegend": False,
        },
    }  # fmt: skip


def draw_place(opened: "OpenedRun", place: "PlaceAmongPersons") -> dict[str, Any]:
    """Return the run's map with the place of the person (a star) and its nearest persons."""
    persons = opened.persons
    rows = np.arange(len(persons))
    rows = rows if len(rows) <= _MOST_MAP_POINTS else np.random.default_rng(0).choice(rows, _MOST_MAP_POINTS, replace=False)
    near = opened.rows_of(place.nearest.tolist())
    x, y = persons["map_x"].to_numpy(dtype=float), persons["map_y"].to_numpy(dtype=float)
    axis = {"zeroline": False, "showgrid": False, "tickfont": {"color": _TEXT}, "title": {"font": {"color": _TEXT}}}
    titles = ("component 1", "component 2") if opened.about.map == "components" else ("", "")
    return {
        "data": [
            {"type": "scatter", "mode": "markers", "x": x[rows].tolist(), "y": y[rows].tolist(), "hoverinfo": "skip",
             "marker": {"size": 4, "color": _PERSON_COLOUR}},
            {"type": "scatter", "mode": "markers", "x": x[near].tolist(), "y": y[near].tolist(),
             "text": [f"person {person}" for person in place.nearest], "hoverinfo": "text",
             "marker": {"size": 9, "color": _NEAR_COLOUR}},
            {"type": "scatter", "mode": "markers", "x": [place.map_position[0]], "y": [place.map_position[1]],
             "text": ["this photograph"], "hoverinfo": "text",
             "marker": {"size": 18, "color": _STAR_COLOUR, "symbol": "star"}},
        ],
        "layout": {
            "xaxis": axis | {"title": {"text": titles[0], "font": {"color": _TEXT}}},
            "yaxis": axis | {"title": {"text": titles[1], "font": {"color": _TEXT}}},
            "margin": {"l": 45, "r": 5, "t": 5, "b": 40},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "showlegend": False,
        },
    }  # fmt: skip


def box_of_drawing(change: object) -> list[float] | None:
    """Return the box of a rectangle that was drawn on the photograph.

    Args:
        change: `relayoutData` of the graph. Without a new rectangle (zoom, resize) there is no box, and a click is none.

    Returns:
        x, y, w, h px, or None.

    Example:
        >>> box_of_drawing({"shapes": [{"x0": 30, "x1": 10, "y0": 5, "y1": 45}]})
        [10.0, 5.0, 20.0, 40.0]
    """
    shapes = change.get("shapes") if isinstance(change, Mapping) else None
    last = shapes[-1] if isinstance(shapes, list) and shapes else None
    if not isinstance(last, Mapping) or last.get("name") == _OWN_SHAPE:
        return None
    try:
        x0, x1, y0, y1 = (float(last[name]) for name in ("x0", "x1", "y0", "y1"))
    except (KeyError, TypeError, ValueError):
        return None
    box = [min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0)]
    return box if min(box[2:]) >= _LEAST_DRAWN_PX else None


def joint_rows(joints: tuple[str, ...], tried: "TriedPerson") -> list[tuple[str, str, str, str]]:
    """Return name, score, radius and trust of each joint as cells of a table; unknown ones are empty or `none`."""
    pose, count = tried.pose, len(joints)
    radii = np.full(count, np.nan) if pose.radii is None else pose.radii
    distrusted = np.zeros(count, dtype=np.bool_) if pose.do_not_trust is None else pose.do_not_trust
    trust = ["" if np.isnan(radius) else "no" if bad else "yes" for radius, bad in zip(radii, distrusted, strict=True)]
    return [
        (name.replace("_", " "), f"{score:.2f}", "none" if np.isnan(radius) else f"{radius:.0f} px", word)
        for name, score, radius, word in zip(joints, pose.scores, radii, trust, strict=True)
    ]


def _joint_labels(tried: "TriedPerson", skeleton: Skeleton) -> dict[str, Any]:
    """Return invisible points that show name, score and radius of each joint under the pointer."""
    texts = [f"{name}: {', '.join(part for part in row if part)}" for name, *row in joint_rows(skeleton.joints, tried)]
    return {
        "type": "scatter", "mode": "markers", "x": (tried.pose.joints[:, 0] + 0.5).tolist(),
        "y": (tried.pose.joints[:, 1] + 0.5).tolist(), "text": texts, "hoverinfo": "text", "cliponaxis": True,
        "marker": {"size": 14, "color": "rgba(0,0,0,0)"},
    }  # fmt: skip


def _rectangle(box: NDArray[np.float64], colour: str, dash: str) -> dict[str, Any]:
    x, y, width, height = box.tolist()
    line = {"color": colour, "width": 2, "dash": dash}
    return {"type": "rect", "name": _OWN_SHAPE, "x0": x, "y0": y, "x1": x + width, "y1": y + height, "line": line}
