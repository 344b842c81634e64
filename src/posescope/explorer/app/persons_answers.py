"""What the callbacks of the tab Persons return. Values that a page sends are checked here."""

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from dash import html
from dash.development.base_component import Component
from numpy.typing import NDArray

from posescope.core.errors import OptionsError, pluralise
from posescope.explorer.app.filter_cards import filter_card
from posescope.explorer.app.person_panel import person_button, person_heatmaps, person_panel, person_picture, read_layers
from posescope.explorer.app.tabs import read_person_ids
from posescope.explorer.map_figure import MapPlaces, describe_shown, draw_map
from posescope.explorer.map_outline import parse_outline
from posescope.explorer.person_columns import Column, columns_of
from posescope.explorer.person_filters import PersonFilters, parse_filters, passing_persons
from posescope.explorer.pictures import brighten_jpeg
from posescope.explorer.run_words import title_axes
from posescope.explorer.selection_export import EXPORT_USES, export_selection

if TYPE_CHECKING:
    from posescope.explorer.opened_run import OpenedRun

__all__ = ["ORDERS", "PersonsAnswers"]

ORDERS = {"worst": "largest error first", "best": "smallest error first", "table": "order of the table"}
_PAGE = 24


class PersonsAnswers:
    """Answers of one run. All selections are lists of person ids, all filters the content of the store `persons-filters`."""

    def __init__(self, opened: "OpenedRun") -> None:
        """Args:
        opened: the run.
        """
        self.opened = opened
        self._errors = opened.persons["error"].to_numpy(dtype=np.float64, na_value=np.nan)

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Columns by name, by which persons are coloured and filtered."""
        return columns_of(self.opened.persons, self.opened.about)

    @cached_property
    def _places(self) -> MapPlaces:
        places = self.opened.persons[["map_x", "map_y"]].to_numpy(dtype=np.float32)
        return MapPlaces(places, self.opened.person_ids, title_axes(self.opened.about))

    def filters(self, content: Any) -> PersonFilters:
        """Return the checked filters of the store."""
        own = content if isinstance(content, dict) else {}
        given: dict[str, Any] = {}
        for kind in ("ranges", "labels"):
            given |= own[kind] if isinstance(own.get(kind), dict) else {}
        return parse_filters(list(given), list(given.values()), own.get("file_name"), self.columns)

    def passing(self, filters: Any) -> NDArray[np.bool_]:
        """Return (N,) the persons that pass the filters."""
        return passing_persons(self.filters(filters), self.columns, self.opened.persons["file_name"])

    def cards(self, names: Any, filters: Any) -> list[Component]:
        """Return the filter cards of columns; unknown names are left out."""
        passing, checked = self.passing(filters), self.filters(filters)
        return [filter_card(self.columns[name], checked, passing) for name in names if name in self.columns]

    def map_figure(self, filters: Any, colour: Any, selection: Any, person: Any) -> tuple[dict[str, Any], list[Component]]:
        """Return the figure of the map and the sentences above it.

        Raises:
            OptionsError: if a value is malformed.
        """
        if not isinstance(colour, str) or colour not in self.columns:
            raise OptionsError(f"Colour: expected one of {', '.join(self.columns)}, found {colour!r}.")
        passing = self.passing(filters)
        row = None if person is None else self.row(person)
        figure, shown = draw_map(self._places, passing, self.columns[colour], self.rows(selection), row)
        return figure, [html.Span(line) for line in describe_shown(shown, int(passing.sum()), len(passing))]

    def outlined(self, outline: Any, filters: Any) -> list[int]:
        """Return the ids of the persons that pass the filters inside an outline."""
        inside = parse_outline(outline).contains(self._places.places)
        return self.ids(self.passing(filters) & inside)

    def in_slice(self, slice_id: Any) -> list[int]:
        """Return the ids of the persons of a failure slice.

        Raises:
            OptionsError: if there is no such slice.
        """
        known = [one.id for one in self.opened.about.slices]
        if slice_id not in known:
            raise OptionsError(
                f"Group: expected one of {', '.join(known) or 'none: this run has no groups'}, found {slice_id!r}."
            )
        ids: list[int] = self.opened.person_ids[self.opened.rows_in_slice(slice_id)].tolist()
        return ids

    def gallery(self, filters: Any, selection: Any, order: Any, page: Any, layers: Any = ()) -> tuple[list[Component], str, int]:
        """Return the thumbnails of a page, words on the page, and its number.

        The persons that pass the filters are shown; with a selection, those of them that are selected.
        """
        passing = self.passing(filters)
        rows = self.rows(selection) if selection else np.flatnonzero(passing)
        rows = rows[passing[rows]]
        rows = self._ordered(rows, order)
        pages = max(-(-len(rows) // _PAGE), 1)
        number = min(max(int(page or 0), 0), pages - 1)
        shown = rows[number * _PAGE : (number + 1) * _PAGE]
        pictures = self.opened.thumbnails(shown)
        if "brightened" in read_layers(layers):
            pictures = [brighten_jpeg(one) for one in pictures]
        buttons = [person_button(self.opened, int(row), one, "gallery") for row, one in zip(shown, pictures, strict=True)]
        return buttons, f"Page {number + 1:,} of {pages:,}", number

    def selection_words(self, selection: Any, filters: Any = None) -> list[Component]:
        """Return what is selected, and a button for each file of its export, which has all selected persons."""
        rows = self.rows(selection)
        if not len(rows):
            return [html.P("No person is selected. Draw around persons on the map, choose a group, or select all shown.")]
        persons = self.opened.persons.iloc[rows]
        images = persons[["source_split", "image_id"]].drop_duplicates()
        line = f"{pluralise(len(rows), 'person')} selected, in {pluralise(len(images), 'photograph')}."
        passing = int(self.passing(filters)[rows].sum())
        line += "" if passing == len(rows) else f" The filters hide {len(rows) - passing:,} of them."
        own, every = _mean(self._errors[rows]), _mean(self._errors)
        if np.isfinite(own):
            line += f" Mean error {own:.1f} % of the crop; all persons {every:.1f} %."
        buttons = [
            html.Button(
                f"Download {pluralise(count, 'person')} of {split} (COCO JSON)",
                id={"type": "persons-export", "split": str(split)},
                className="plain",
            )
            for split, count in persons["source_split"].value_counts(sort=False).items()
        ]
        uses = html.Ul([html.Li([html.B(f"{name}: "), text]) for name, text in EXPORT_USES], className="words")
        how = html.Details([html.Summary("What the file is for: relabel, remove, train on"), uses])
        saved = html.Span(id="persons-saved", role="status", className="more")
        return [html.P(line), html.Div([*buttons, saved], className="buttons"), how]

    def export(self, split: Any, selection: Any) -> dict[str, Any]:
        """Return a COCO file of the selected persons of one split, as `dcc.Download` takes it.

        Raises:
            OptionsError: if no selected person is of this split.
        """
        ids = self.opened.person_ids[self.rows(selection)]
        for one in export_selection(self.opened.places, ids, self.opened.about.category):
            if one.split == split:
                text = json.dumps(one.content, ensure_ascii=False)
                return {"content": text, "filename": one.name, "type": "application/json", "base64": False}
        raise OptionsError(f"Export: expected a split of the selection, found {split!r}.")

    def is_slice(self, slice_id: Any, selection: Any) -> bool:
        """Return whether the selection is exactly the persons of a failure slice."""
        return set(self.in_slice(slice_id)) == set(read_person_ids(selection))

    def person(self, person: Any, layers: Any) -> list[Component]:
        """Return the panel of a person, with the chosen layers of its picture (`LAYERS`)."""
        return person_panel(self.opened, self.columns, self.row(person), read_layers(layers))

    def picture(self, person: Any, layers: Any) -> Component:
        """Return the picture of a person with the chosen layers."""
        return person_picture(self.opened, self.row(person), read_layers(layers))

    def heatmaps(self, person: Any, layers: Any = ()) -> list[Component]:
        """Return the heatmaps of a person, on its crop with the chosen layers."""
        return person_heatmaps(self.opened, self.row(person), read_layers(layers))

    def rows(self, person_ids: Any) -> NDArray[np.int64]:
        """Return the rows of persons.

        Raises:
            OptionsError: if the ids are no list of numbers.
        """
        return self.opened.rows_of(read_person_ids(person_ids))

    def row(self, person: Any) -> int:
        """Return the row of a person."""
        return int(self.rows([person])[0])

    def ids(self, chosen: NDArray[np.bool_]) -> list[int]:
        """Return the ids of (N,) chosen persons."""
        found: list[int] = self.opened.person_ids[chosen].tolist()
        return found

    def _ordered(self, rows: NDArray[np.int64], order: Any) -> NDArray[np.int64]:
        if order == "table":
            return np.sort(rows)
        errors = self._errors[rows] if order == "best" else -self._errors[rows]
        return rows[np.lexsort((rows, errors))]  # unknown errors last


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
