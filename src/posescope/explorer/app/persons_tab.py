"""The tab Persons: a map of all persons, filters, groups, the selection with its export, and the panel of one person.

filters -> persons-filters -> map, histograms, thumbnails
lasso, group, "select all" -> selection -> map, thumbnails, export
click on the map or a thumbnail -> person -> panel
"""

from typing import TYPE_CHECKING, Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from posescope.explorer.app.filter_cards import BARS, LABELS, RANGE, bars_of, options_of
from posescope.explorer.app.person_panel import CHOOSE
from posescope.explorer.app.persons_answers import ORDERS, PersonsAnswers
from posescope.explorer.app.tabs import PERSON, SELECTION, URL, aria
from posescope.explorer.person_columns import CategoryColumn, RangeColumn
from posescope.explorer.person_filters import PersonFilters, parse_filters
from posescope.explorer.run_words import describe_slice

if TYPE_CHECKING:
    from posescope.explorer.opened_run import OpenedRun

__all__ = ["PersonsTab"]

_FIRST_FILTERS = ("error", "radius", "cluster", "split")
_GRAPH: Any = {
    "scrollZoom": True,
    "displayModeBar": True,
    "modeBarButtons": [["lasso2d", "select2d", "pan2d", "zoom2d", "resetScale2d", "toImage"]],
}
_HINT = "Draw around persons to select them. Scroll to zoom, double-click to see all. By keyboard: use filters and thumbnails."
_MAP_STYLE = {"height": "min(34rem, 70vh)"}
# The outline alone: plotly would send every person inside it.
_OUTLINE = """(data) => {
  if (!data || !(data.range || data.lassoPoints)) { return window.dash_clientside.no_update; }
  const shape = data.lassoPoints || data.range;
  return {x: shape.x, y: shape.y};
}"""
# The choice leaves an unknown group out without a word.
_SLICE = """(search, groups) => {
  const {no_update, set_props} = window.dash_clientside, chosen = new URLSearchParams(search || "").get("slice");
  if (chosen === null) { return no_update; }
  if (groups.some((one) => one.value === chosen)) { return chosen; }
  const known = groups.map((one) => one.value).join(", ") || "none: this run has no groups";
  set_props("notice", {children: `Group: expected one of ${known}, found ${chosen.slice(0, 50)}.`, hidden: false});
  return no_update;
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
        return html.Div([self._filter_side(), self._map_side(), self._person_side()], className="explore")

    def register(self, app: Dash) -> None:
        """Register the callbacks of the tab."""
        self._register_filters(app)
        self._register_map(app)
        self._register_selection(app)
        self._register_person(app)

    # Parts of the page.

    def _filter_side(self) -> Component:
        first = [name for name in _FIRST_FILTERS if name in self._answers.columns]
        filters = PersonFilters().model_dump(mode="json")
        return html.Div(
            [
                html.Label("File name", htmlFor="persons-file"),
                dcc.Input(id="persons-file", type="search", debounce=0.3, placeholder="part of a file name"),
                html.Label("Filters", htmlFor="persons-columns"),
                dcc.Dropdown(self._column_options(), first, id="persons-columns", multi=True, clearable=False),
                html.Div(self._answers.cards(first, filters), id="persons-cards"),
                html.Button("Reset the filters", id="persons-reset", className="plain"),
                dcc.Store(id="persons-filters", data=filters),
                dcc.Store(id="persons-outline"),
                dcc.Store(id="persons-page", data=0),
                dcc.Download(id="persons-download"),
            ],
            className="side",
        )

    def _column_options(self) -> Any:
        return [{"label": column.title, "value": name} for name, column in self._answers.columns.items()]

    def _map_side(self) -> Component:
        slices: Any = [{"label": describe_slice(one), "value": one.id} for one in self._answers.opened.about.slices]
        none = "no failing group was found" if not slices else "choose a group to select its persons"
        orders: Any = [{"label": label, "value": name} for name, label in ORDERS.items()]
        # What is shown at first is a part of the layout: the page needs no request for it.
        colour = next(iter(self._answers.columns))
        figure, words = self._answers.map_figure({}, colour, [], None)
        pictures, place, _ = self._answers.gallery({}, [], "worst", 0)
        return html.Div(
            [
                html.Div(
                    [html.Label("Colour", htmlFor="persons-colour"),
                     dcc.Dropdown(self._column_options(), colour, id="persons-colour", clearable=False),
                     html.P(words, id="persons-shown", className="more", role="status")],
                    className="above-map",
                ),
                dcc.Graph(id="persons-map", figure=figure, config=_GRAPH, responsive=True, className="map", style=_MAP_STYLE),
                html.P(_HINT, className="hint"),
                html.Label("Failing groups", htmlFor="persons-slice"),
                dcc.Dropdown(slices, None, id="persons-slice", placeholder=none, disabled=not slices),
                html.Div(
                    [html.Button("Select all shown", id="persons-all", className="plain"),
                     html.Button("Clear the selection", id="persons-clear", className="plain")],
                    className="buttons",
                ),
                html.Div(self._answers.selection_words([]), id="persons-selected", role="status"),
                html.Div(
                    [html.Label("Thumbnails", htmlFor="persons-order"),
                     dcc.Dropdown(orders, "worst", id="persons-order", clearable=False),
                     html.Button("Previous", id="persons-previous", className="plain"), html.Span(place, id="persons-place"),
                     html.Button("Next", id="persons-next", className="plain")],
                    className="pager",
                ),
                html.Div(pictures, id="persons-gallery", className="thumbs"),
            ],
            className="centre",
        )  # fmt: skip

    @staticmethod
    def _person_side() -> Component:
        hint = html.P("Choose a person on the map or among the thumbnails.", className="hint empty")
        return html.Div(
            dcc.Loading(html.Div(hint, id="persons-detail"), delay_show=400), className="detail", **aria(live="polite")
        )

    # Callbacks.

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

        address = (Output("persons-slice", "value"), Input(URL, "search"), State("persons-slice", "options"))
        app.clientside_callback(_SLICE, *address)  # type: ignore[no-untyped-call]

        @app.callback(
            Output(SELECTION, "data"),
            Input("persons-outline", "data"),
            Input("persons-slice", "value"),
            Input("persons-all", "n_clicks"),
            Input("persons-clear", "n_clicks"),
            State("persons-filters", "data"),
            prevent_initial_call=True,
        )
        def select(outline: Any, slice_id: Any, _all: Any, _clear: Any, filters: Any) -> Any:
            match ctx.triggered_id:
                case "persons-outline":
                    return answers.outlined(outline, filters)
                case "persons-slice":
                    return answers.in_slice(slice_id) if slice_id else []
                case "persons-all":
                    return answers.ids(answers.passing(filters))
                case _:
                    return []

        words = (Output("persons-selected", "children"), Input(SELECTION, "data"))
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
            State("persons-page", "data"),
            prevent_initial_call=True,
        )
        def show_gallery(selection: Any, filters: Any, order: Any, _previous: Any, _next: Any, page: Any) -> Any:
            step = {"persons-previous": -1, "persons-next": 1}.get(str(ctx.triggered_id))
            return answers.gallery(filters, selection, order, 0 if step is None else int(page or 0) + step)

        @app.callback(
            Output("persons-download", "data"),
            Input({"type": "persons-export", "split": ALL}, "n_clicks"),
            State(SELECTION, "data"),
            prevent_initial_call=True,
        )
        def download(clicks: Any, selection: Any) -> Any:
            return answers.export(ctx.triggered_id["split"], selection) if any(clicks) else no_update

    def _register_person(self, app: Dash) -> None:
        answers = self._answers

        @app.callback(
            Output(PERSON, "data"),
            Input({"type": CHOOSE, "place": ALL, "person": ALL}, "n_clicks"),
            Input("persons-map", "clickData"),
            prevent_initial_call=True,
        )
        def choose(clicks: Any, clicked: Any) -> Any:
            if isinstance(ctx.triggered_id, dict):
                return ctx.triggered_id["person"] if any(clicks) else no_update
            return clicked["points"][0].get("customdata", no_update) if clicked else no_update

        @app.callback(Output("persons-detail", "children"), Input(PERSON, "data"), prevent_initial_call=True)
        def show_person(person: Any) -> Any:
            return no_update if person is None else answers.person(person)

        panel = Input("persons-detail", "children")
        app.clientside_callback(_SHOW_PANEL, panel, prevent_initial_call=True)  # type: ignore[no-untyped-call]

        @app.callback(
            Output("persons-heatmaps", "children"),
            Input("persons-heatmaps-show", "n_clicks"),
            State(PERSON, "data"),
            prevent_initial_call=True,
        )
        def show_heatmaps(clicks: Any, person: Any) -> Any:
            return answers.heatmaps(person) if clicks else no_update
