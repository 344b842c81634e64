"""The tab Persons: a map of all persons, filters, groups, the selection with its export, and the panel of one person.

filters -> persons-filters -> map, histograms, thumbnails
lasso, group, "select all" -> selection -> map, thumbnails, export; the button of a group is pressed while its persons are it
click on the map or a thumbnail -> person -> panel
"""

from typing import TYPE_CHECKING, Any

from dash import ALL, Dash, Input, Output, State, ctx, no_update
from dash.development.base_component import Component

from posescope.explorer.app.filter_cards import BARS, LABELS, RANGE, bars_of, options_of
from posescope.explorer.app.person_panel import CHOOSE
from posescope.explorer.app.persons_answers import PersonsAnswers
from posescope.explorer.app.persons_layout import GROUP, no_person, persons_layout
from posescope.explorer.app.tabs import PERSON, SELECTION, URL, read_chosen_person
from posescope.explorer.person_columns import CategoryColumn, RangeColumn
from posescope.explorer.person_filters import parse_filters

if TYPE_CHECKING:
    from posescope.explorer.opened_run import OpenedRun

__all__ = ["PersonsTab"]

# The outline alone: plotly would send every person inside it.
_OUTLINE = """(data) => {
  if (!data || !(data.range || data.lassoPoints)) { return window.dash_clientside.no_update; }
  const shape = data.lassoPoints || data.range;
  return {x: shape.x, y: shape.y};
}"""
_SLICE = "(search) => new URLSearchParams(search || '').get('slice') ?? window.dash_clientside.no_update"
# The frame of the thumbnail whose person is shown.
_MARK_OPEN = """(person) => {
  document.querySelectorAll("button.thumb").forEach((one) => {
    const isOpen = one.id.startsWith("{") && JSON.parse(one.id).person === person;
    isOpen ? one.setAttribute("aria-current", "true") : one.removeAttribute("aria-current");
  });
}"""
_TO_LATENT = """(clicks) => {
  const tab = document.querySelector('[role="tab"][aria-controls="latent-panel"]');
  if (tab && clicks) { tab.click(); }
}"""

# On a narrow screen the panel is below the map and the thumbnails.
_SHOW_PANEL = """() => {
  const panel = document.querySelector(".detail"), {top, height} = panel.getBoundingClientRect();
  panel.scrollTop = 0;
  if (height && (top < 0 || top > 0.8 * innerHeight)) { panel.scrollIntoView(); }
}"""


class PersonsTab:
    """See the module."""

    name, title = "persons", "Persons"

    def __init__(self, opened: "OpenedRun") -> None:
        """Args:
        opened: the run.
        """
        self._answers = PersonsAnswers(opened)

    def layout(self) -> Component:
        """Return the content of the tab."""
        return persons_layout(self._answers)

    def register(self, app: Dash) -> None:
        """Register the callbacks of the tab."""
        self._register_filters(app)
        self._register_map(app)
        self._register_selection(app)
        self._register_person(app)

    def _register_filters(self, app: Dash) -> None:
        answers, columns = self._answers, self._answers.columns

        @app.callback(
            Output("persons-cards", "children"),
            Input("persons-columns", "value"),
            Input("persons-reset", "n_clicks"),
            State("persons-filters", "data"),
            prevent_initial_call=True,
        )
        def show_cards(names: Any, _reset: Any, filters: Any) -> Any:
            return answers.cards(names or (), {} if ctx.triggered_id == "persons-reset" else filters)

        @app.callback(Output("persons-file", "value"), Input("persons-reset", "n_clicks"), prevent_initial_call=True)
        def clear_file(_reset: Any) -> str:
            return ""

        @app.callback(
            Output("persons-filters", "data"),
            Input({"type": RANGE, "column": ALL}, "value"),
            Input({"type": LABELS, "column": ALL}, "value"),
            Input("persons-file", "value"),
            State({"type": RANGE, "column": ALL}, "id"),
            State({"type": LABELS, "column": ALL}, "id"),
            prevent_initial_call=True,
        )
        def read_filters(ranges: Any, labels: Any, file_name: Any, range_ids: Any, label_ids: Any) -> Any:
            names = [one["column"] for one in [*range_ids, *label_ids]]
            return parse_filters(names, [*ranges, *labels], file_name, columns).model_dump(mode="json")

        @app.callback(
            Output({"type": BARS, "column": ALL}, "children"),
            Output({"type": LABELS, "column": ALL}, "options"),
            Input("persons-filters", "data"),
            State({"type": BARS, "column": ALL}, "id"),
            State({"type": LABELS, "column": ALL}, "id"),
            prevent_initial_call=True,
        )
        def show_bars(filters: Any, bar_ids: Any, label_ids: Any) -> Any:
            passing = answers.passing(filters)
            ranges = [columns[one["column"]] for one in bar_ids]
            labels = [columns[one["column"]] for one in label_ids]
            return (
                [bars_of(column, passing) if isinstance(column, RangeColumn) else no_update for column in ranges],
                [options_of(column, passing) if isinstance(column, CategoryColumn) else no_update for column in labels],
            )

    def _register_map(self, app: Dash) -> None:
        app.callback(
            Output("persons-map", "figure"),
            Output("persons-shown", "children"),
            Input("persons-filters", "data"),
            Input("persons-colour", "value"),
            Input(SELECTION, "data"),
            Input(PERSON, "data"),
            prevent_initial_call=True,
        )(self._answers.map_figure)
        outline = (Output("persons-outline", "data"), Input("persons-map", "selectedData"))
        app.clientside_callback(_OUTLINE, *outline, prevent_initial_call=True)  # type: ignore[no-untyped-call]

    def _register_selection(self, app: Dash) -> None:
        answers = self._answers

        app.clientside_callback(_SLICE, Output("persons-slice", "data"), Input(URL, "search"))  # type: ignore[no-untyped-call]

        @app.callback(
            Output(SELECTION, "data"),
            Input("persons-outline", "data"),
            Input("persons-slice", "data"),
            Input({"type": GROUP, "slice": ALL}, "n_clicks"),
            Input("persons-all", "n_clicks"),
            Input("persons-clear", "n_clicks"),
            State("persons-filters", "data"),
            prevent_initial_call=True,
        )
        def select(outline: Any, slice_id: Any, _groups: Any, _all: Any, _clear: Any, filters: Any) -> Any:
            match ctx.triggered_id:
                case "persons-outline":
                    return answers.outlined(outline, filters)
                case "persons-slice":
                    return answers.in_slice(slice_id)
                case {"slice": chosen}:
                    return answers.in_slice(chosen)
                case "persons-all":
                    return answers.ids(answers.passing(filters))
                case _:
                    return []

        @app.callback(
            Output({"type": GROUP, "slice": ALL}, "aria-pressed"),
            Input(SELECTION, "data"),
            State({"type": GROUP, "slice": ALL}, "id"),
            prevent_initial_call=True,
        )
        def press(selection: Any, ids: Any) -> Any:
            return [str(answers.is_slice(one["slice"], selection)).lower() for one in ids]

        words = (Output("persons-selected", "children"), Input(SELECTION, "data"), Input("persons-filters", "data"))
        app.callback(*words, prevent_initial_call=True)(answers.selection_words)

        @app.callback(
            Output("persons-gallery", "children"),
            Output("persons-place", "children"),
            Output("persons-page", "data"),
            Input(SELECTION, "data"),
            Input("persons-filters", "data"),
            Input("persons-order", "value"),
            Input("persons-previous", "n_clicks"),
            Input("persons-next", "n_clicks"),
            Input("persons-layers", "value"),
            State("persons-page", "data"),
            prevent_initial_call=True,
        )
        def show_gallery(selection: Any, filters: Any, order: Any, _previous: Any, _next: Any, layers: Any, page: Any) -> Any:
            step = {"persons-previous": -1, "persons-next": 1, "persons-layers": 0}.get(str(ctx.triggered_id))
            return answers.gallery(filters, selection, order, 0 if step is None else int(page or 0) + step, layers)

        @app.callback(
            Output("persons-download", "data"),
            Output("persons-saved", "children"),
            Input({"type": "persons-export", "split": ALL}, "n_clicks"),
            State(SELECTION, "data"),
            prevent_initial_call=True,
        )
        def download(clicks: Any, selection: Any) -> Any:
            if not any(clicks):
                return no_update, no_update
            file = answers.export(ctx.triggered_id["split"], selection)
            return file, f"{file['filename']} is in the download folder of the browser."

    def _register_person(self, app: Dash) -> None:
        answers = self._answers

        @app.callback(
            Output(PERSON, "data"),
            Input({"type": CHOOSE, "place": ALL, "person": ALL}, "n_clicks"),
            Input("persons-map", "clickData"),
            prevent_initial_call=True,
        )
        def choose(_clicks: Any, clicked: Any) -> Any:
            return read_chosen_person(clicked)

        @app.callback(
            Output("persons-detail", "children"),
            Input(PERSON, "data"),
            State("persons-layers", "value"),
            prevent_initial_call=True,
        )
        def show_person(person: Any, layers: Any) -> Any:
            return no_person() if person is None else answers.person(person, layers)

        @app.callback(
            Output("persons-picture", "children"),
            Input("persons-layers", "value"),
            State(PERSON, "data"),
            prevent_initial_call=True,
        )
        def show_layers(layers: Any, person: Any) -> Any:
            return no_update if person is None else answers.picture(person, layers)

        for script, *inputs in (
            (_MARK_OPEN, Input(PERSON, "data"), Input("persons-gallery", "children"), Input("persons-detail", "children")),
            (_TO_LATENT, Input("persons-to-latent", "n_clicks")),
        ):
            app.clientside_callback(script, *inputs, prevent_initial_call=True)  # type: ignore[no-untyped-call]
        panel = Input("persons-detail", "children")
        app.clientside_callback(_SHOW_PANEL, panel, prevent_initial_call=True)  # type: ignore[no-untyped-call]

        @app.callback(
            Output("persons-heatmaps", "children"),
            Output("persons-heatmaps-show", "hidden"),
            Input("persons-heatmaps-show", "n_clicks"),
            State(PERSON, "data"),
            State("persons-layers", "value"),
            prevent_initial_call=True,
        )
        def show_heatmaps(clicks: Any, person: Any, layers: Any) -> Any:
            return (answers.heatmaps(person, layers), True) if clicks else (no_update, no_update)
