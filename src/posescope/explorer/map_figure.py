"""The map of the persons as a plotly figure. Arrays are packed as base64, which browsers read without parsing numbers.

Layers, from below: persons without a value of the colour (grey), the others, the selection (rings), the person under discussion
(a star). Only the persons of a thinned map are drawn (`map_thinning`).
"""

import base64
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import pluralise
from posescope.explorer.map_thinning import MAX_SHOWN, thin_map
from posescope.explorer.person_columns import CategoryColumn, Column, RangeColumn

__all__ = [
    "BEHIND_MARKER", "CATEGORY_COLOURS", "MARK_COLOUR", "PERSON_MARKER", "POINT_TRACE", "SCALE_COLOURS", "SELECTED_MARKER",
    "UNKNOWN_COLOUR", "MapPlaces", "describe_shown", "draw_map", "map_layout", "pack_array", "scale_marker",
    "step_scale",
]  # fmt: skip

# Okabe and Ito's palette without the colour of the marks, and without yellow, which is lost on white.
CATEGORY_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8c6d31", "#7a68c4", "#5f8a8b")
MARK_COLOUR = "#d55e00"
UNKNOWN_COLOUR = "#8b949e"
# Light and dark pages have both ends visible; lightness rises, hue goes from blue to amber.
SCALE_COLOURS = ("#3f6fb5", "#8a63ad", "#c75a8b", "#e97d53", "#f2b134")
_COLOURS = 64
_TEXT = "#7d8590"
_GRID = "rgba(125, 133, 144, 0.18)"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_PAD = 0.04
_TITLE_CHARACTERS = 44

# A drawn outline must not dim persons: the selection has its own marks.
_SAME = {"marker": {"opacity": 0.75}}
POINT_TRACE: dict[str, Any] = {"type": "scattergl", "mode": "markers", "selected": _SAME, "unselected": _SAME}
# A dark ring in a light one is seen on all colours, and on light and dark pages.
BEHIND_MARKER = {"symbol": "circle-open", "size": 9, "color": "#ffffff", "line": {"width": 4, "color": "#ffffff"}}
SELECTED_MARKER = {"symbol": "circle-open", "size": 9, "color": "#111820", "line": {"width": 1.5, "color": "#111820"}}
PERSON_MARKER = {"symbol": "star", "size": 18, "color": "#111820", "line": {"width": 1.5, "color": "#ffffff"}}


@dataclass(frozen=True, eq=False)
class MapPlaces:
    """Places of N persons on the map.

    Attributes:
        places: (N, 2) float32.
        person_ids: (N,).
        titles: titles of the two axes.
    """

    places: NDArray[np.float32]
    person_ids: NDArray[np.int64]
    titles: tuple[str, str]

    @cached_property
    def ranges(self) -> tuple[list[float], list[float]]:
        """Ranges of the two axes, the same for all filters."""
        known = self.places[np.isfinite(self.places).all(axis=1)]
        if not len(known):
            return [0.0, 1.0], [0.0, 1.0]
        low, high = known.min(axis=0).astype(float), known.max(axis=0).astype(float)
        pad = np.maximum(high - low, 1e-6) * _PAD
        (x1, y1), (x2, y2) = (low - pad).tolist(), (high + pad).tolist()
        return [x1, x2], [y1, y2]


def pack_array(values: NDArray[Any]) -> dict[str, str]:
    """Return an array as plotly's packed form (`dtype`, `bdata`); uint8 and int16 as they are, other whole numbers as int32,
    fractions as float32.

    Example:
        >>> pack_array(np.array([1, 2]))
        {'dtype': 'i4', 'bdata': 'AQAAAAIAAAA='}
    """
    kind = {"uint8": "u1", "bool": "u1", "int16": "i2"}.get(str(values.dtype))
    kind = kind or ("i4" if np.issubdtype(values.dtype, np.integer) else "f4")
    packed = np.ascontiguousarray(values, dtype=f"<{kind}")
    return {"dtype": kind, "bdata": base64.b64encode(packed.tobytes()).decode("ascii")}


def draw_map(
    at: MapPlaces,
    passing: NDArray[np.bool_],
    colour: Column,
    selected: NDArray[np.int64],
    person: int | None,
    limit: int = MAX_SHOWN,
) -> tuple[dict[str, Any], int]:
    """Return the figure and the number of persons that it shows.

    Args:
        at: places of N persons.
        passing: (N,) persons that pass the filters.
        colour: column by which they are coloured.
        selected: (n,) rows of the selection.
        person: row of the person under discussion.
        limit: maximum number of shown persons.
    """
    rows = np.flatnonzero(passing)
    keep = np.zeros(len(passing), dtype=np.bool_)
    keep[selected] = True
    if person is not None:
        keep[person] = True
    rows = rows[thin_map(at.places[rows], colour.bins[rows], keep[rows], limit)]
    traces = _colour_by_range(at, rows, colour) if isinstance(colour, RangeColumn) else _colour_by_category(at, rows, colour)
    marked = np.intersect1d(rows, selected)
    if len(marked):
        traces.append(_marks(at, marked, "Behind the selected", BEHIND_MARKER))
        traces.append(_marks(at, marked, "Selected", SELECTED_MARKER))
    if person is not None:
        traces.append(_marks(at, np.array([person]), "This person", PERSON_MARKER))
    return {"data": traces, "layout": map_layout(at, isinstance(colour, CategoryColumn))}, len(rows)


def step_scale(colours: Sequence[str], count: int = _COLOURS) -> list[list[Any]]:
    """Return a colour scale of plotly with steps of one colour each.

    plotly's WebGL points keep a palette of 255 colours. A graph that exceeds it after its first drawing loses all colours, as
    with a continuous scale and the marks of a selection.

    Args:
        colours: hex colours at equal distances, at least two.
        count: number of steps.

    Example:
        >>> step_scale(("#000000", "#0000ff"), 2)
        [[0.0, '#000000'], [0.5, '#000000'], [0.5, '#0000ff'], [1.0, '#0000ff']]
    """
    stops = np.array([[int(colour[place : place + 2], 16) for place in (1, 3, 5)] for colour in colours], dtype=np.float64)
    at, ends = np.linspace(0, 1, count), np.linspace(0, 1, count + 1).tolist()
    rgb = np.rint(np.stack([np.interp(at, np.linspace(0, 1, len(stops)), channel) for channel in stops.T], axis=1)).astype(int)
    hexes = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in rgb.tolist()]
    return [[end, colour] for low, high, colour in zip(ends, ends[1:], hexes, strict=False) for end in (low, high)]


def scale_marker(colour: RangeColumn) -> dict[str, Any]:
    """Return plotly's marker of a column with numbers, without the numbers: colours from the 1st to the 99th percentile."""
    finite = colour.values[np.isfinite(colour.values)]
    low, high = map(float, np.percentile(finite, [1, 99])) if len(finite) else (0.0, 1.0)
    heading = {"text": _escape(_title(colour)), "side": "right"}
    bar = {"title": heading, "thickness": 10, "outlinewidth": 0, "len": 0.55, "tickfont": {"size": 11}}
    bar |= {"y": 0, "yanchor": "bottom"}  # the buttons of the graph are above it
    limits = {"cmin": low, "cmax": max(high, low + 1e-9)}
    return {"colorscale": step_scale(SCALE_COLOURS), **limits, "colorbar": bar, "showscale": True}


def _title(colour: RangeColumn) -> str:
    return f"{colour.title}, {colour.unit}" if colour.unit else colour.title


def _colour_by_range(at: MapPlaces, rows: NDArray[np.int64], colour: RangeColumn) -> list[dict[str, Any]]:
    values = colour.values[rows]
    known = np.isfinite(values)
    shown = _points(at, rows[known], _title(colour), {"color": pack_array(values[known]), **scale_marker(colour)})
    unit = _escape(colour.unit)
    shown["hovertemplate"] = f"person %{{customdata}}<br>{_escape(colour.title)} %{{marker.color:.3g}} {unit}<extra></extra>"
    unknown = [_points(at, rows[~known], "unknown", {"color": UNKNOWN_COLOUR})] if not known.all() else []
    return [*unknown, shown]


def _colour_by_category(at: MapPlaces, rows: NDArray[np.int64], colour: CategoryColumn) -> list[dict[str, Any]]:
    bins = colour.bins[rows]
    traces = [_points(at, rows[bins < 0], "none", {"color": UNKNOWN_COLOUR})] if (bins < 0).any() else []
    for number, name in enumerate(colour.names):
        own = rows[bins == number]
        if len(own):
            traces.append(_points(at, own, name, {"color": CATEGORY_COLOURS[number % len(CATEGORY_COLOURS)]}))
    return traces


def _points(at: MapPlaces, rows: NDArray[np.int64], name: str, marker: dict[str, Any]) -> dict[str, Any]:
    size = 6 if len(rows) <= 5000 else 4
    return {
        **POINT_TRACE,
        "name": _escape(name),
        "x": pack_array(at.places[rows, 0]),
        "y": pack_array(at.places[rows, 1]),
        # A list: of packed arrays, Dash does not read the entry of the point that was clicked.
        "customdata": at.person_ids[rows].tolist(),
        "marker": {"size": size, "opacity": 0.75, **marker},
        "hovertemplate": f"person %{{customdata}}<br>{_escape(name)}<extra></extra>",
    }


def _marks(at: MapPlaces, rows: NDArray[np.int64], name: str, marker: dict[str, Any]) -> dict[str, Any]:
    return {**_points(at, rows, name, marker), "hoverinfo": "skip", "hovertemplate": None, "showlegend": False}


def map_layout(at: MapPlaces, has_legend: bool) -> dict[str, Any]:
    """Return plotly's layout of the map.

    Args:
        at: places of the persons.
        has_legend: whether colours are labels.
    """
    (x, y), (x_title, y_title) = at.ranges, at.titles
    axis = {"automargin": True, "gridcolor": _GRID, "zeroline": False, "showline": False, "ticks": "", "tickfont": {"size": 11}}
    return {
        "xaxis": {**axis, "range": x, "title": {"text": _wrap(x_title), "font": {"size": 12}}},
        "yaxis": {**axis, "range": y, "title": {"text": _wrap(y_title), "font": {"size": 12}}},
        "paper_bgcolor": "rgba(0, 0, 0, 0)",
        "plot_bgcolor": "rgba(0, 0, 0, 0)",
        "font": {"family": _FONT, "size": 12, "color": _TEXT},
        "margin": {"l": 48, "r": 8, "t": 8, "b": 44},
        "showlegend": has_legend,
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "font": {"size": 12}, "itemsizing": "constant"},
        "dragmode": "lasso",
        "hovermode": "closest",
        "uirevision": "map",  # zoom and position stay
        "modebar": {"bgcolor": "rgba(0, 0, 0, 0)", "color": _TEXT, "activecolor": MARK_COLOUR, "orientation": "v"},
        "newselection": {"line": {"color": MARK_COLOUR, "width": 1.5}},
    }


def _wrap(title: str) -> str:
    """Return lines that a narrow screen has space for; plotly cuts longer ones."""
    return "<br>".join(_escape(line) for line in textwrap.wrap(title, _TITLE_CHARACTERS, break_long_words=False))


def _escape(text: str) -> str:
    """Return a text in which plotly reads no tags: names come from files."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def describe_shown(shown: int, passing: int, total: int) -> Sequence[str]:
    """Return sentences above the map."""
    lines = [f"{passing:,} of {pluralise(total, 'person')} {'passes' if total == 1 else 'pass'} the filters."]
    if shown < passing:
        lines.append(
            f"The map shows {shown:,} of them: the selection, rare colours, and a sample of every place. Lassos, histograms and "
            "exports count all."
        )
    return lines
