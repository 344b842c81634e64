"""Filters beside the map: a small histogram of each column, and below it a range or labels. They work by keyboard."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from dash import dcc, html
from dash.development.base_component import Component
from numpy.typing import NDArray

from posescope.core.errors import pluralise
from posescope.explorer.app.tabs import aria
from posescope.explorer.person_columns import CategoryColumn, Column, RangeColumn
from posescope.explorer.person_filters import PersonFilters

__all__ = ["BARS", "LABELS", "RANGE", "bars_of", "filter_card", "options_of"]

RANGE, LABELS, BARS = "persons-range", "persons-labels", "persons-bars"
_STEPS = 200


def filter_card(column: Column, filters: PersonFilters, passing: NDArray[np.bool_]) -> Component:
    """Return the filter of a column.

    Args:
        column: the column.
        filters: present filters.
        passing: (N,) persons that pass them.
    """
    if isinstance(column, CategoryColumn):
        return html.Fieldset([html.Legend(column.title), _labels(column, filters.labels, passing)], className="filter")
    unit = [html.Span(f" {column.unit}", className="unit")] if column.unit else []
    bars = html.Div(bars_of(column, passing), id={"type": BARS, "column": column.name}, className="histogram")
    return html.Fieldset([html.Legend([column.title, *unit]), bars, _range(column, filters.ranges)], className="filter")


def bars_of(column: RangeColumn, passing: NDArray[np.bool_]) -> Component:
    """Return the histogram of a column: all persons pale, those that pass dark.

    Args:
        column: the column.
        passing: (N,) persons that pass all filters.
    """
    total, shown = column.count(np.ones(len(passing), dtype=np.bool_)), column.count(passing)
    bins = [_bar("bin", "height", int(own), int(every), int(total.max())) for own, every in zip(shown, total, strict=True)]
    return html.Div(
        bins, className="bins", role="img", **aria(label=f"Histogram of {column.title}: {pluralise(int(shown.sum()), 'person')}")
    )


def options_of(column: CategoryColumn, passing: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return the labels of a column with the number of persons that pass; arguments as `bars_of`."""
    total, shown = column.count(np.ones(len(passing), dtype=np.bool_)), column.count(passing)
    return [
        {
            "value": label,
            "label": html.Span(
                [html.Span(name), html.Span(f"{own:,} of {every:,}", className="count"),
                 _bar("bar", "width", int(own), int(every), int(total.max()))],
                className="label",
            ),
        }
        for label, name, own, every in zip(column.labels, column.names, shown, total, strict=True)
    ]  # fmt: skip


def _bar(kind: str, side: str, own: int, every: int, highest: int) -> Component:
    parts = [
        html.Span(className=name, style={side: f"{_percent(count, highest)}%"}) for name, count in (("all", every), ("own", own))
    ]
    return html.Span(parts, className=kind, title=f"{own:,} of {pluralise(every, 'person')}")


def _percent(count: int, highest: int) -> float:
    """Return the length of a bar; one person stays visible."""
    return 0.0 if not count else max(round(100 * count / max(highest, 1), 1), 2.0)


def _range(column: RangeColumn, ranges: Mapping[str, tuple[float, float]]) -> Component:
    low, high = column.limits
    step = _step(low, high)
    start, end = np.floor(low / step) * step, np.ceil(high / step) * step
    own = ranges.get(column.name, (start, end))
    return dcc.RangeSlider(
        id={"type": RANGE, "column": column.name},
        min=_clean(start), max=_clean(end), step=step, value=[_clean(own[0]), _clean(own[1])],
        marks=None, allowCross=False, updatemode="mouseup",
    )  # fmt: skip


def _labels(column: CategoryColumn, labels: Mapping[str, tuple[str, ...]], passing: NDArray[np.bool_]) -> Component:
    chosen = list(labels.get(column.name, ()))
    options: Any = options_of(column, passing)
    return dcc.Checklist(id={"type": LABELS, "column": column.name}, options=options, value=chosen, className="labels")


def _step(low: float, high: float) -> float:
    """Return a step of 1, 2 or 5 times a power of ten, about 200 in the range.

    A column of one value has a range of a thousandth of it: the ends of the slider are rounded, and have to enclose the value.
    """
    rough = ((high - low) or max(1e-3 * abs(low), 1e-6)) / _STEPS
    power = 10.0 ** np.floor(np.log10(rough))
    return _clean(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999))


def _clean(value: float) -> float:
    return float(f"{value:.9g}")
