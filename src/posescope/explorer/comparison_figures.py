"""Figures of two runs: the score of each person in A and in B, and the histogram of the differences."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.explorer.comparison_words import ScoreWords, words_of
from posescope.explorer.map_figure import MARK_COLOUR, pack_array, step_scale
from posescope.explorer.map_thinning import MAX_SHOWN, thin_map
from posescope.explorer.run_comparison import PairComparison

__all__ = ["A_COLOUR", "B_COLOUR", "PersonScatter", "draw_histogram"]

A_COLOUR, B_COLOUR = "#e6950f", "#3f8fd6"  # A better, B better; as in the pictures
_EQUAL_COLOUR = "#939ca6"
_TEXT, _GRID = "#7d8590", "rgba(125, 133, 144, 0.18)"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_SPREAD = 0.012  # of the axis, so that persons with equal values do not hide each other
_REPEATED = 0.5  # fraction of persons whose values another one has: more are spread
_COLOURS = 9  # steps of the difference, for the thinned graph
_BINS = 31  # odd: the middle one holds 0
_CLEAR = "rgba(0, 0, 0, 0)"


@dataclass(frozen=True, eq=False)
class PersonScatter:
    """The compared persons by their score in A (x) and in B (y).

    Attributes:
        found: the comparison.
        person_ids: (n,) of the compared persons.
    """

    found: PairComparison
    person_ids: NDArray[np.int64]

    @cached_property
    def words(self) -> ScoreWords:
        """How the score is shown."""
        return words_of(self.found.score.name)

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """(n, 2) shown values of A and B."""
        score, rows = self.found.score, self.found.rows
        return self.words.factor * np.column_stack([score.first[rows], score.second[rows]])

    @cached_property
    def is_spread(self) -> bool:
        """Whether so many persons have equal values that they are spread."""
        count = len(self.values)
        return count > 0 and len(np.unique(self.values, axis=0)) < _REPEATED * count

    @cached_property
    def places(self) -> NDArray[np.float64]:
        """(n, 2) places of the points."""
        if not self.is_spread:
            return self.values
        shifts = np.random.default_rng(0).uniform(-_SPREAD, _SPREAD, self.values.shape)
        return self.values + shifts * self._width

    def draw(
        self, selected: NDArray[np.bool_], person: NDArray[np.bool_], limit: int = MAX_SHOWN
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the figure and the sentences above it.

        Args:
            selected: (n,) persons of the selection.
            person: (n,) the person under discussion, at most one.
            limit: maximum number of shown persons.
        """
        gains = self.words.factor * self.found.gains
        limits = _colour_limit(gains)
        steps = np.clip(np.rint(gains / limits * (_COLOURS // 2)), -(_COLOURS // 2), _COLOURS // 2).astype(np.int64)
        rows = thin_map(self.places, steps, selected | person, limit)
        traces = [self._points(rows, gains, limits)]
        for name, chosen, symbol, size in (("Selected", selected, "circle-open", 10), ("This person", person, "star", 16)):
            own = rows[chosen[rows]]
            if len(own):
                marker = {"color": MARK_COLOUR, "symbol": symbol, "size": size, "line": {"width": 1.5, "color": MARK_COLOUR}}
                traces.append({**self._trace(own, name, marker), "hoverinfo": "skip", "hovertemplate": None})
        return {"data": traces, "layout": self._layout()}, self._describe(len(rows))

    def _describe(self, shown: int) -> list[str]:
        count = len(self.values)
        lines = [f"One point per person: {self.words.title}. B is better {self._side(better='B')} the line."]
        if self.found.trained.any():
            lines.append("Diamonds: persons that a model was trained on.")
        if self.is_spread:
            lines.append("Points are moved a little, since many persons have equal values.")
        if shown < count:
            lines.append(
                f"The graph shows {shown:,} of {count:,} persons: the selection, rare differences, and a sample of every place. "
                "A lasso counts all."
            )
        return lines

    def _side(self, better: str) -> str:
        return "below" if (better == "B") == self.words.lower_is_better else "above"

    @cached_property
    def _width(self) -> float:
        low, high = self._range
        return high - low

    @cached_property
    def _range(self) -> tuple[float, float]:
        if not len(self.values):
            return 0.0, self.words.factor
        low, high = float(self.values.min()), float(self.values.max())
        return low, high if high > low else low + 1

    def _points(self, rows: NDArray[np.int64], gains: NDArray[np.float64], limit: float) -> dict[str, Any]:
        bar = {
            "title": {"text": f"B better by{f', {self.words.gain_unit}' if self.words.gain_unit else ''}", "side": "bottom"},
            "orientation": "h", "y": -0.12, "yanchor": "top", "thickness": 10, "outlinewidth": 0, "len": 0.9,
            "tickfont": {"size": 11},
        }  # fmt: skip
        marker = {
            "color": pack_array(gains[rows]), "cmin": -limit, "cmax": limit, "colorbar": bar, "showscale": True,
            "colorscale": step_scale((A_COLOUR, _EQUAL_COLOUR, B_COLOUR)), "size": 7 if len(rows) <= 2000 else 5,
            "opacity": 0.8,
        }  # fmt: skip
        if self.found.trained[rows].any():
            marker["symbol"] = np.where(self.found.trained[rows], "diamond", "circle").tolist()
        trace = self._trace(rows, "Persons", marker)
        values = self.values[rows]
        trace["text"] = [f"A {first:.3g}, B {second:.3g}" for first, second in values.tolist()]
        trace["hovertemplate"] = "person %{customdata}<br>%{text}<br>B better by %{marker.color:.3g}<extra></extra>"
        return trace

    def _trace(self, rows: NDArray[np.int64], name: str, marker: dict[str, Any]) -> dict[str, Any]:
        unchanged = {"marker": {"opacity": marker.get("opacity", 1)}}  # a drawn outline must not dim persons
        return {
            "type": "scattergl", "mode": "markers", "name": name, "showlegend": False, "marker": marker,
            "x": pack_array(self.places[rows, 0]), "y": pack_array(self.places[rows, 1]),
            "customdata": self.person_ids[rows].tolist(),  # of packed arrays, Dash does not read the clicked entry
            "selected": unchanged, "unselected": unchanged,
        }  # fmt: skip

    def _layout(self) -> dict[str, Any]:
        low, high = self._range
        pad = 0.05 * self._width
        ends = [low - pad, high + pad]
        axis = {**_axis(), "range": ends, "constrain": "domain"}
        unit = f", {self.words.unit}" if self.words.unit else ""
        corner = {"xref": "x domain", "yref": "y domain", "showarrow": False, "font": {"size": 12, "color": _TEXT}}
        above, below = ("A", "B") if self.words.lower_is_better else ("B", "A")
        return {
            **_plain_layout(),
            "margin": {"l": 48, "r": 8, "t": 34, "b": 96},
            "xaxis": {**axis, "title": {"text": f"A{unit}", "font": {"size": 12}}},
            "yaxis": {**axis, "title": {"text": f"B{unit}", "font": {"size": 12}}, "scaleanchor": "x"},
            "shapes": [
                {"type": "line", "x0": ends[0], "y0": ends[0], "x1": ends[1], "y1": ends[1], "layer": "below",
                 "line": {"color": _TEXT, "width": 1.2, "dash": "dash"}}
            ],
            "annotations": [
                {**corner, "text": f"{above} better", "x": 0, "y": 1.01, "xanchor": "left", "yanchor": "bottom"},
                {**corner, "text": f"{below} better", "x": 0.98, "y": 0.02, "xanchor": "right", "yanchor": "bottom"},
            ],
            "dragmode": "lasso",
            "hovermode": "closest",
            "uirevision": self.found.score.name,  # zoom and position stay
            "newselection": {"line": {"color": MARK_COLOUR, "width": 1.5}},
        }  # fmt: skip


def draw_histogram(found: PairComparison) -> dict[str, Any]:
    """Return the histogram of the differences, with their mean and its 95 % interval.

    Args:
        found: the comparison.
    """
    words = words_of(found.score.name)
    gains = words.factor * found.gains
    limit = float(np.abs(gains).max(initial=0.0)) or 1.0
    counts, edges = np.histogram(gains, bins=_BINS, range=(-limit, limit))
    centres = (edges[:-1] + edges[1:]) / 2
    middle = _BINS // 2
    colours = [A_COLOUR if number < middle else B_COLOUR if number > middle else _EQUAL_COLOUR for number in range(_BINS)]
    sign = -1 if words.lower_is_better else 1
    mean, *ends = (sign * words.factor * one for one in (found.overall.difference, found.overall.low, found.overall.high))
    return {
        "data": [
            {"type": "bar", "x": centres.tolist(), "y": counts.tolist(), "width": float(edges[1] - edges[0]) * 0.9,
             "marker": {"color": colours},
             "hovertemplate": "B better by about %{x:.3g}: %{y} persons<extra></extra>"}
        ],
        "layout": {
            **_plain_layout(),
            "xaxis": {**_axis(), "range": [-limit * 1.05, limit * 1.05],
                      "title": {"text": f"← A better   {words.gain_unit}   B better →", "font": {"size": 12}}},
            "yaxis": {**_axis(), "title": {"text": "persons", "font": {"size": 12}}},
            "shapes": _marks_of_mean(mean, ends) if found.overall.count else [],
            "dragmode": False,
        },
    }  # fmt: skip


def _marks_of_mean(mean: float, ends: list[float]) -> list[dict[str, Any]]:
    band = {"type": "rect", "yref": "paper", "y0": 0, "y1": 1, "x0": min(ends), "x1": max(ends), "layer": "below",
            "fillcolor": "rgba(213, 94, 0, 0.22)", "line": {"width": 0}}  # fmt: skip
    line = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": mean, "x1": mean, "line": {"color": MARK_COLOUR, "width": 2}}
    zero = {
        "type": "line",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "x0": 0,
        "x1": 0,
        "line": {"color": _TEXT, "width": 1, "dash": "dash"},
    }
    return [band, zero, line]


def _colour_limit(gains: NDArray[np.float64]) -> float:
    return max(float(np.percentile(np.abs(gains), 98)) if len(gains) else 1.0, 1e-9)


def _axis() -> dict[str, Any]:
    return {"gridcolor": _GRID, "zeroline": False, "showline": False, "ticks": "", "tickfont": {"size": 11}}


def _plain_layout() -> dict[str, Any]:
    return {
        "paper_bgcolor": _CLEAR, "plot_bgcolor": _CLEAR, "font": {"family": _FONT, "size": 12, "color": _TEXT},
        "margin": {"l": 48, "r": 8, "t": 8, "b": 44}, "showlegend": False,
        "modebar": {"bgcolor": _CLEAR, "color": _TEXT, "activecolor": MARK_COLOUR},
    }  # fmt: skip
