"""The content of the tab Persons: filters, the map with groups, selection and thumbnails, and the panel of one person."""

from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from posescope.explorer.app.person_panel import LAYERS
from posescope.explorer.app.persons_answers import ORDERS, PersonsAnswers
from posescope.explorer.app.tabs import aria
from posescope.explorer.person_filters import PersonFilters
from posescope.explorer.run_words import describe_slice

__all__ = ["GROUP", "no_person", "persons_layout"]

GROUP = "persons-group"
_FIRST_FILTERS = ("error", "radius", "cluster", "split")
_GRAPH: Any = {
    "scrollZoom": False,  # the wheel scrolls the page
    "displayModeBar": True,
    "modeBarButtons": [["lasso2d", "select2d", "pan2d", "zoom2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
}
_HINT = (
    "Each point is a person; persons with similar features are near each other. Draw around persons to select them, click one to "
    "see it. Rings: selected persons. Star: the person shown. By keyboard, use the filters and the thumbnails."
)
_GROUPS = (
    "Tested on persons that the network was not trained on. PCK: mean fraction of joints that are near enough to the annotation."
)
_MAP_STYLE = {"height": "min(28rem, 60vh)"}


def persons_layout(answers: PersonsAnswers) -> Component:
    """Return the content of the tab, with what is shown at first: the page needs no request for it.

    Args:
        answers: answers of the run.
    """
    return html.Div([_filter_side(answers), _map_side(answers), _person_side()], className="explore")


def _filter_side(answers: PersonsAnswers) -> Component:
    first = [name for name in _FIRST_FILTERS if name in answers.columns]
    filters = PersonFilters().model_dump(mode="json")
    return html.Div(
        [
            html.Label("File name", htmlFor="persons-file"),
            dcc.Input(id="persons-file", type="search", debounce=0.3, placeholder="part of a file name"),
            html.Label("Show filters for", htmlFor="persons-columns"),
            dcc.Dropdown(_column_options(answers), first, id="persons-columns", multi=True, clearable=False),
            html.Div(answers.cards(first, filters), id="persons-cards"),
            html.Button("Reset the filters", id="persons-reset", className="plain"),
            dcc.Store(id="persons-filters", data=filters),
            dcc.Store(id="persons-outline"),
            dcc.Store(id="persons-page", data=0),
            dcc.Download(id="persons-download"),
        ],
        className="side",
    )


def _column_options(answers: PersonsAnswers) -> Any:
    """Return the columns as choices, which are also found by the words of their ends, such as dark images."""
    about = answers.opened.about
    ends: dict[str, Any] = {f"attribute_{name}": one for name, one in about.attributes.items()}
    return [
        {"label": column.title, "value": name, "search": " ".join([column.title, *_ends_of(ends.get(name))])}
        for name, column in answers.columns.items()
    ]


def _ends_of(one: Any) -> tuple[str, ...]:
    return () if one is None else (one.low, one.high)


def _map_side(answers: PersonsAnswers) -> Component:
    orders: Any = [{"label": label, "value": name} for name, label in ORDERS.items()]
    colour = next(iter(answers.columns))
    figure, words = answers.map_figure({}, colour, [], None)
    pictures, place, _ = answers.gallery({}, [], "worst", 0)
    return html.Div(
        [
            _groups(answers),
            html.Div(
                [html.Label("Colour", htmlFor="persons-colour"),
                 dcc.Dropdown(_column_options(answers), colour, id="persons-colour", clearable=False),
                 html.P(words, id="persons-shown", className="more", role="status")],
                className="above-map",
            ),
            dcc.Graph(id="persons-map", figure=figure, config=_GRAPH, responsive=True, className="map", style=_MAP_STYLE),
            html.P(_HINT, className="hint"),
            html.Div(
                [html.Button("Select all that pass the filters", id="persons-all", className="plain"),
                 html.Button("Clear the selection", id="persons-clear", className="plain")],
                className="buttons",
            ),
            html.Div(answers.selection_words([]), id="persons-selected", role="status"),
            html.Div(
                [html.Label("Thumbnails", htmlFor="persons-order"),
                 dcc.Dropdown(orders, "worst", id="persons-order", clearable=False, searchable=False),
                 html.Button("Previous", id="persons-previous", className="plain"), html.Span(place, id="persons-place"),
                 html.Button("Next", id="persons-next", className="plain")],
                className="pager",
            ),
            html.Div(pictures, id="persons-gallery", className="thumbs"),
        ],
        className="centre",
    )  # fmt: skip


def _groups(answers: PersonsAnswers) -> Component:
    """Return a button for each failing group."""
    buttons: list[Component] = [
        html.Button(describe_slice(one), id={"type": GROUP, "slice": one.id}, className="plain group", **aria(pressed=False))
        for one in answers.opened.about.slices
    ]
    none = html.P("No group of persons was found on which the model fails more often.", className="more")
    what = html.P(_GROUPS, className="hint", hidden=not buttons)
    return html.Div(
        [html.H2("Failing groups", id="persons-groups-title"), *(buttons or [none]), what, dcc.Store(id="persons-slice")],
        className="groups", role="group", **aria(labelledby="persons-groups-title"),
    )  # fmt: skip


def no_person() -> Component:
    """Return what the panel shows without a person."""
    return html.P("Choose a person on the map or among the thumbnails.", className="hint empty")


def _person_side() -> Component:
    layers: Any = [{"label": f" {name}", "value": name} for name in LAYERS]
    waits_for: Any = {"persons-detail": "children"}
    return html.Div(
        [
            html.Fieldset(
                [html.Legend("Show on the pictures"),
                 dcc.Checklist(layers, list(LAYERS[:2]), id="persons-layers", inline=True)],
                className="layers",
            ),
            dcc.Loading(html.Div(no_person(), id="persons-detail"), delay_show=400, target_components=waits_for),
        ],
        className="detail", **aria(live="polite"),
    )  # fmt: skip
