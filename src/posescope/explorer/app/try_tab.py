"""The tab *Try it*: a photograph of one's own in the network of the run.

    photograph (drop, choose, camera)  ->  view: photograph and box  ->  figure, map, results
    rectangle, four numbers, choice of a found person  ->  another view
    joint  ->  attribution map

Callbacks unpack their inputs, make one call of `TryAnswers` and return.
"""

from typing import TYPE_CHECKING, Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from posescope.explorer.app.tabs import NOTICE, PERSON, aria, read_chosen_person
from posescope.explorer.app.try_answers import CHOOSE_PERSON, TryAnswers
from posescope.explorer.app.try_figures import box_of_drawing
from posescope.explorer.uploads import UploadLimits

if TYPE_CHECKING:
    from posescope.explorer.opened_run import OpenedRun

__all__ = ["TryTab"]

_SIDES = ("left", "top", "width", "height")
_FORMATS = "image/jpeg,image/png,image/webp"  # phones offer their camera for these, and convert HEIC
_GRAPH: Any = {
    "scrollZoom": False,
    "doubleClick": False,
    "displayModeBar": True,
    "modeBarButtons": [["drawrect", "pan2d", "zoom2d", "resetScale2d"]],
}
_MAP: Any = {"displaylogo": False, "displayModeBar": False}
# The chosen person is shown by the tab Persons.
_TO_PERSONS = """() => {
  const pressed = window.dash_clientside.callback_context.triggered.some((one) => one.value);
  const tab = document.querySelector('[role="tab"][aria-controls="persons-panel"]');
  if (tab && pressed) { tab.click(); }
}"""
_PRIVACY = (
    "Photographs never leave this machine: the network runs here, the last three photographs are kept in memory until the "
    "command ends, and none is written to disk."
)


class TryTab:
    """The tab *Try it*.

    Args:
        opened: the run.
        limits: largest photograph.
    """

    name = "try"
    title = "Try it"

    def __init__(self, opened: "OpenedRun", limits: UploadLimits | None = None) -> None:
        self._limits = limits or UploadLimits()
        self._answers = TryAnswers(opened, self._limits)
        self._joints = opened.about.skeleton.joints

    def layout(self) -> Component:
        """Return the content of the tab: how to bring a photograph, and below it the results."""
        return html.Div(
            [
                dcc.Store(id="try-view"),
                html.P("See what the network makes of a photograph of your own."),
                self._entry(),
                html.P(_PRIVACY, className="hint"),
                html.P(id="try-note", role="status", className="more"),
                dcc.Loading(
                    html.Div([self._photograph_side(), self._result_side()], id="try-shown", className="try", hidden=True)
                ),
            ]
        )

    def register(self, app: Dash) -> None:
        """Register the callbacks of the tab."""
        self._register_view(app)
        self._register_results(app)

    def _entry(self) -> Component:
        limits = self._limits
        text = f"JPEG, PNG or WebP, up to {limits.max_megabytes:g} MB and {limits.max_megapixels:g} megapixels"
        upload = dcc.Upload(
            html.Button(["Drop a photograph here, or choose one", html.Small(text)], className="try-drop"),
            id="try-upload",
            accept=_FORMATS,
            max_size=limits.max_bytes,
            multiple=False,
            className="try-upload",
        )
        camera = html.Button("Use the camera", id="try-camera", className="plain")
        note = html.Span(id="try-camera-note", role="status", className="hint")
        data: Any = {"data-max-bytes": str(limits.max_bytes), "data-formats": _FORMATS}  # read by assets/try_upload.js
        return html.Div([upload, camera, note], className="try-entry", **data)

    def _photograph_side(self) -> Component:
        inputs = [
            html.Div(
                [
                    html.Label(f"{side.capitalize()}, px", htmlFor=f"try-{side}"),
                    dcc.Input(id=f"try-{side}", type="number", step="any"),
                ]
            )
            for side in _SIDES
        ]
        return html.Div(
            [
                html.Div(dcc.Graph(id="try-photograph", config=_GRAPH, responsive=True), className="try-photograph"),
                html.P(
                    "Draw a rectangle around a person to try another box. Circles: the joint is inside with the calibrated "
                    "probability. Rings without a circle: joints not to be trusted. Left orange, right blue.",
                    className="hint",
                ),
                html.Div(
                    [html.Label("Found persons", htmlFor="try-found"), dcc.Dropdown(id="try-found", placeholder="Choose one")],
                    id="try-found-part",
                    hidden=True,
                ),
                html.Fieldset(
                    [html.Legend("Box in numbers"), *inputs, html.Button("Use this box", id="try-use", className="plain")],
                    className="try-box",
                ),
                self._network_part(),
            ],
        )  # fmt: skip

    def _network_part(self) -> Component:
        joints = [{"label": name.replace("_", " "), "value": row} for row, name in enumerate(self._joints)]
        evidence = [
            html.H3("Pixels behind a joint"),
            html.Label("Joint", htmlFor="try-joint", className="unseen"),
            dcc.Dropdown(joints, None, id="try-joint", placeholder="Choose a joint"),
            dcc.Loading(html.Div(id="try-evidence")),
        ]
        crop = [html.H3("What the network sees"), html.Div(id="try-crop")]
        return html.Div([html.Div(crop), html.Div(evidence)], className="try-pair")

    def _result_side(self) -> Component:
        return html.Div(
            [
                html.H3("Where it is on the map"),
                html.Div(dcc.Graph(id="try-map", config=_MAP, responsive=True), className="try-map"),
                html.P(id="try-place", className="hint"),
                html.Div(id="try-results"),
            ],
            **aria(live="polite"),
        )

    def _register_view(self, app: Dash) -> None:
        answers = self._answers

        @app.callback(
            Output("try-view", "data"),
            Output("try-found", "options"),
            Output("try-found", "value"),
            Output("try-found-part", "hidden"),
            Output("try-note", "children"),
            Output(NOTICE, "hidden", allow_duplicate=True),
            Input("try-upload", "contents"),
            prevent_initial_call=True,
        )
        def open_photograph(contents: Any) -> Any:
            if contents is None:
                return (no_update,) * 6
            view, options, note = answers.open_photograph(contents)
            return view, options, None, not options, note, True

        @app.callback(
            Output("try-view", "data", allow_duplicate=True),
            Input("try-photograph", "relayoutData"),
            Input("try-found", "value"),
            Input("try-use", "n_clicks"),
            State("try-view", "data"),
            *(State(f"try-{side}", "value") for side in _SIDES),
            prevent_initial_call=True,
        )
        def choose_box(drawn: Any, row: Any, _clicks: Any, view: Any, *numbers: Any) -> Any:
            match ctx.triggered_id:
                case "try-found":
                    return no_update if row is None else answers.choose_found(view, row)
                case "try-use":
                    return answers.choose_box(view, numbers)
                case _:
                    box = box_of_drawing(drawn)
                    return no_update if box is None else answers.choose_box(view, box)

        chosen = Input({"type": CHOOSE_PERSON, "person": ALL}, "n_clicks")
        app.clientside_callback(_TO_PERSONS, chosen, prevent_initial_call=True)  # type: ignore[no-untyped-call]

        @app.callback(Output(PERSON, "data", allow_duplicate=True), chosen, prevent_initial_call=True)
        def choose_person(_clicks: Any) -> Any:
            return read_chosen_person()

    def _register_results(self, app: Dash) -> None:
        answers = self._answers

        @app.callback(
            Output("try-shown", "hidden"),
            Output("try-photograph", "figure"),
            Output("try-map", "figure"),
            Output("try-place", "children"),
            Output("try-results", "children"),
            Output("try-crop", "children"),
            *(Output(f"try-{side}", "value") for side in _SIDES),
            Input("try-view", "data"),
            prevent_initial_call=True,
        )
        def show(view: Any) -> Any:
            shown = (answers.map_figure(view), answers.place_words(view), answers.results(view), answers.crop(view))
            return False, answers.photograph_figure(view), *shown, *(round(value, 1) for value in view["box"])

        @app.callback(
            Output("try-evidence", "children"),
            Input("try-joint", "value"),
            Input("try-view", "data"),
            prevent_initial_call=True,
        )
        def show_evidence(joint: Any, view: Any) -> Any:
            return answers.evidence(view, joint)
