"""The tab Compare: the run of the page (A) and another one (B) on the same persons.

score, persons that count -> headline, graphs, lists, tables
lasso, "select all on which A is better" -> selection -> rings in the graph, the tab Persons
click on a point or a thumbnail -> person -> both pictures of the person

While the tab is hidden, nothing is computed for a selection or a person of another tab.
"""

from typing import TYPE_CHECKING, Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from posescope.explorer.app.compare_answers import CHOOSE, CompareAnswers
from posescope.explorer.app.tabs import PERSON, SELECTION, aria, read_chosen_person
from posescope.explorer.comparison_words import words_of
from posescope.explorer.run_comparison import RunPair

if TYPE_CHECKING:
    from posescope.explorer.opened_run import OpenedRun

__all__ = ["CompareTab"]

_GRAPH: Any = {
    "scrollZoom": True,
    "displayModeBar": True,
    "modeBarButtons": [["lasso2d", "select2d", "pan2d", "zoom2d", "resetScale2d", "toImage"]],
}
_HINT = "Draw around points to select persons. A click shows a person. By keyboard: use the buttons and the thumbnails."
_BAND = "Vermilion: mean difference and its 95 % interval."
_OUTLINE = """(data) => {
  if (!data || !(data.range || data.lassoPoints)) { return window.dash_clientside.no_update; }
  const shape = data.lassoPoints || data.range;
  return {x: shape.x, y: shape.y};
}"""

# On a narrow screen the panel is below the graphs and the thumbnails; another person comes into view.
_SHOW_PANEL = """() => {
  const panel = document.querySelector(".compare-side"), heading = panel.querySelector("h2");
  const {top, height} = panel.getBoundingClientRect();
  if (!heading || panel.dataset.shown === heading.textContent) { return; }
  panel.dataset.shown = heading.textContent;
  panel.scrollTop = 0;
  if (height && (top < 0 || top > 0.8 * innerHeight)) { panel.scrollIntoView(); }
}"""


class CompareTab:
    """See the module."""

    name, title = "compare", "Compare"

    def __init__(self, first: "OpenedRun", second: "OpenedRun") -> None:
        """Args:
            first: the run of the page, A.
            second: the other run, B.

        Raises:
            DataError: if they have no person or no joint in common, or other annotations.
        """
        self._answers = CompareAnswers(RunPair(first, second))

    def layout(self) -> Component:
        """Return the content of the tab."""
        return html.Div(
            [
                dcc.Store(id="compare-outline"),
                self._runs(),
                self._controls(),
                html.P(id="compare-headline", role="status", className="compare-headline"),
                html.Ul(id="compare-notes", className="words"),
                html.Div(
                    [self._graphs(), self._lists(), self._person_side()],
                    className="compare",
                ),
                self._tables(),  # not in the grid, whose sticky column would lie over it
            ]
        )

    def register(self, app: Dash) -> None:
        """Register the callbacks of the tab."""
        self._register_results(app)
        self._register_selection(app)
        self._register_person(app)

    # Parts of the page.

    def _runs(self) -> Component:
        pair = self._answers.pair
        names = _names(pair)
        parts = [
            html.P([html.B(f"{letter}: "), f"{name}, model {run.about.model}"])
            for letter, name, run in zip("AB", names, (pair.first, pair.second), strict=True)
        ]
        return html.Div(parts, id="compare-runs")

    def _controls(self) -> Component:
        pair = self._answers.pair
        scores: Any = [{"label": words_of(name).title, "value": name} for name in pair.scores]
        trained: Any = [{"label": "Include persons that a model was trained on", "value": "trained"}]
        any_trained = bool((pair.trained_a | pair.trained_b).any())
        return html.Div(
            [
                html.Div(
                    [
                        html.Label("Score", htmlFor="compare-score"),
                        dcc.Dropdown(scores, next(iter(pair.scores)), id="compare-score", clearable=False),
                    ]
                ),
                html.Div(dcc.Checklist(trained, [], id="compare-trained"), hidden=not any_trained, className="labels"),
            ],
            className="compare-controls",
        )

    @staticmethod
    def _graphs() -> Component:
        return html.Div(
            [
                html.P(id="compare-shown", className="more", role="status"),
                html.Div(dcc.Graph(id="compare-scatter", config=_GRAPH, responsive=True), className="compare-scatter"),
                html.P(_HINT, className="hint"),
                html.Div(
                    dcc.Graph(id="compare-histogram", config={"displayModeBar": False}, responsive=True),
                    className="compare-histogram",
                ),
                html.P(_BAND, className="hint"),
                html.Div(
                    [html.Button("Select all on which B is better", id="compare-select-better", className="plain"),
                     html.Button("Select all on which A is better", id="compare-select-worse", className="plain")],
                    className="buttons",
                ),
                html.P(id="compare-selected", role="status", className="more"),
            ],
            className="compare-graphs",
        )  # fmt: skip

    @staticmethod
    def _lists() -> Component:
        legend = html.P(
            [
                html.Span(className="compare-line compare-line-a"), "A: dashed orange, rings. ",
                html.Span(className="compare-line compare-line-b"), "B: solid blue, dots. ",
                html.Span(className="compare-line compare-line-true"), "Annotation: thin white.",
            ],
            className="hint",
        )  # fmt: skip
        return html.Div(
            [
                html.H2("B better by most"),
                legend,
                html.Div(id="compare-improved", className="thumbs"),
                html.H2("A better by most"),
                html.Div(id="compare-worsened", className="thumbs"),
            ],
            className="compare-lists",
        )

    @staticmethod
    def _person_side() -> Component:
        hint = html.P("Choose a person in the graph or among the thumbnails.", className="hint")
        return html.Div(
            dcc.Loading(html.Div(hint, id="compare-person"), delay_show=400), className="compare-side", **aria(live="polite")
        )

    @staticmethod
    def _tables() -> Component:
        parts = [html.H2("Joints"), html.Div(id="compare-joints"), html.H2("Groups"), html.Div(id="compare-groups")]
        return html.Div(parts, className="compare-tables")

    # Callbacks.

    def _register_results(self, app: Dash) -> None:
        answers = self._answers

        @app.callback(
            Output("compare-headline", "children"),
            Output("compare-notes", "children"),
            Output("compare-histogram", "figure"),
            Output("compare-improved", "children"),
            Output("compare-worsened", "children"),
            Output("compare-joints", "children"),
            Output("compare-groups", "children"),
            Input("compare-score", "value"),
            Input("compare-trained", "value"),
        )
        def show_results(score: Any, trained: Any) -> Any:
            found = answers.summary(score, trained)
            lists = (found.improved, found.worsened)
            return found.headline, found.notes, found.histogram, *lists, found.joints, found.groups

        @app.callback(
            Output("compare-scatter", "figure"),
            Output("compare-shown", "children"),
            Input("compare-panel", "hidden"),
            Input("compare-score", "value"),
            Input("compare-trained", "value"),
            Input(SELECTION, "data"),
            Input(PERSON, "data"),
        )
        def show_scatter(hidden: Any, score: Any, trained: Any, selection: Any, person: Any) -> Any:
            return no_update if hidden else answers.scatter(score, trained, selection, person)

    def _register_selection(self, app: Dash) -> None:
        answers = self._answers
        outline = (Output("compare-outline", "data"), Input("compare-scatter", "selectedData"))
        app.clientside_callback(_OUTLINE, *outline, prevent_initial_call=True)  # type: ignore[no-untyped-call]

        @app.callback(
            Output(SELECTION, "data", allow_duplicate=True),
            Input("compare-outline", "data"),
            Input("compare-select-better", "n_clicks"),
            Input("compare-select-worse", "n_clicks"),
            State("compare-score", "value"),
            State("compare-trained", "value"),
            prevent_initial_call=True,
        )
        def select(outline: Any, better: Any, worse: Any, score: Any, trained: Any) -> Any:
            if ctx.triggered_id == "compare-outline":
                return answers.outlined(outline, score, trained) if outline else no_update
            if not (better or worse):  # the content of the tab was inserted
                return no_update
            return answers.changed(score, trained, better=ctx.triggered_id == "compare-select-better")

        app.callback(Output("compare-selected", "children"), Input(SELECTION, "data"))(answers.selection_words)

    def _register_person(self, app: Dash) -> None:
        answers = self._answers

        @app.callback(
            Output(PERSON, "data", allow_duplicate=True),
            Input({"type": CHOOSE, "place": ALL, "person": ALL}, "n_clicks"),
            Input("compare-scatter", "clickData"),
            prevent_initial_call=True,
        )
        def choose(_clicks: Any, clicked: Any) -> Any:
            return read_chosen_person(clicked)

        @app.callback(
            Output("compare-person", "children"),
            Input("compare-panel", "hidden"),
            Input(PERSON, "data"),
        )
        def show_person(hidden: Any, person: Any) -> Any:
            return no_update if hidden or person is None else answers.person(person)

        shown = Input("compare-person", "children")
        app.clientside_callback(_SHOW_PANEL, shown, prevent_initial_call=True)  # type: ignore[no-untyped-call]


def _names(pair: RunPair) -> tuple[str, str]:
    """Return the shortest ends of both folders that differ."""
    first, second = (run.data_dir.absolute().parts for run in (pair.first, pair.second))
    for count in range(1, max(len(first), len(second)) + 1):
        ends = ["/".join(parts[-count:]) for parts in (first, second)]
        if ends[0] != ends[1]:
            return ends[0], ends[1]
    return first[-1], second[-1]
