"""The Dash application: the frame of the page, its tabs, and how errors are shown."""

import json
import logging
from collections.abc import Callable, Sequence
from functools import wraps
from importlib.resources import files
from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, set_props
from dash.development.base_component import Component
from dash.exceptions import DashException, PreventUpdate
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from posescope.core.errors import PosescopeError
from posescope.explorer.app.request_rules import MAX_REQUEST_BYTES
from posescope.explorer.app.tabs import NOTICE, PERSON, SELECTION, URL, Tab, aria

__all__ = ["PRELOADED", "create_app"]

logger = logging.getLogger(__name__)

_NO_UPLOADS = {"displaylogo": False, "showSendToCloud": False, "plotlyServerURL": ""}
_CHOOSE_TAB = """(clicks, search, ...opened) => {
  const names = NAMES, pressed = window.dash_clientside.callback_context.triggered_id;
  const asked = pressed && pressed.name || new URLSearchParams(search || "").get("tab");
  const shown = names.includes(asked) ? asked : names[0], keep = window.dash_clientside.no_update;
  const pick = (now, other) => names.map((name) => name === shown ? now : other);
  const first = names.map((name, place) => name === shown && !opened[place] ? true : keep);
  return [...pick(false, true), pick("true", "false"), ...first, pressed && pressed.name ? true : keep];
}"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
PRELOADED
<meta name="color-scheme" content="light dark">
<title>{%title%}</title>
{%favicon%}
{%css%}
</head>
<body>
{%app_entry%}
<footer class="hidden">{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""

# Scripts that Dash asks for when it has read the layout; plotly's has 5 MB.
PRELOADED = tuple(
    f"/_dash-component-suites/{path}"
    for path in (
        "plotly/package_data/plotly.min.js", "dash/dcc/async-graph.js", "dash/dcc/async-dropdown.js", "dash/dcc/async-slider.js",
    )
)  # fmt: skip


def create_app(tabs: Sequence[Tab], title: str, lead: str) -> Dash:
    """Return the application.

    Args:
        tabs: tabs of the page, the first one open.
        title: heading of the page.
        lead: a line below it.
    """
    server = Flask(__name__, static_folder=None)
    server.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    app = _Application(
        __name__,
        server=server,  # type: ignore[arg-type]  # its annotation lacks Flask
        title=title,
        update_title="",
        assets_folder=str(files("posescope.explorer.app") / "assets"),
        index_string=_PAGE.replace(
            "PRELOADED", "\n".join(f'<link rel="preload" as="script" href="{path}">' for path in PRELOADED)
        ),
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        serve_locally=True,
        suppress_callback_exceptions=True,  # parts of the page appear when they are needed
        on_error=_show_error,
        enable_mcp=False,
    )
    server.register_error_handler(Exception, _answer_error)
    app.layout = _frame(tabs, title, lead)
    _remove_uploads(app.layout)
    _register_tab_choice(app, tabs)
    for tab in tabs:
        tab.register(app)
    return app


class _Application(Dash):
    """Dash, with callbacks that run for a button only if it was pressed.

    When a button appears that matches the inputs of a callback, such as a thumbnail, Dash runs the callback, and the numbers of
    presses of the other buttons are no sign of it: they stay as they are.
    """

    def callback(self, *arguments: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
        """Register a callback."""
        register = super().callback(*arguments, **options)
        return lambda function: register(_skip_unpressed(function))


def _skip_unpressed(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def answer(*values: Any, **named: Any) -> Any:
        triggers = ctx.triggered or ()  # none: the first call
        if triggers and all(one["prop_id"].endswith(".n_clicks") and not one["value"] for one in triggers):
            raise PreventUpdate
        return function(*values, **named)

    return answer


def _frame(tabs: Sequence[Tab], title: str, lead: str) -> Component:
    buttons = [
        html.Button(
            tab.title,
            id={"type": "tab-choice", "name": tab.name},
            role="tab",
            className="tab-choice",
            **aria(selected=number == 0, controls=f"{tab.name}-panel"),
        )
        for number, tab in enumerate(tabs)
    ]
    panels = [
        html.Section(
            None if number else tab.layout(), id=f"{tab.name}-panel", role="tabpanel", hidden=number > 0, **aria(label=tab.title)
        )
        for number, tab in enumerate(tabs)
    ]
    return html.Div(
        [
            dcc.Location(id=URL, refresh=False),
            dcc.Store(id=SELECTION, data=[]),
            dcc.Store(id=PERSON),
            *(dcc.Store(id=_opened(tab.name)) for tab in tabs),
            html.Header([html.H1(title), html.P(lead, className="lead")], className="top"),
            html.Div(buttons, role="tablist", className="tab-choices", **aria(label="Parts of the page")),
            html.Main(panels),
            html.Div(
                [
                    html.P(id=NOTICE, role="alert", hidden=True),
                    html.Button("Close", id={"type": NOTICE, "part": "close"}, className="plain"),
                ],
                className="notice notice-bar",
            ),
        ],
        className="frame",
    )


def _remove_uploads(part: Any) -> None:
    """Remove plotly's button that uploads a chart, from all graphs of a layout."""
    if isinstance(part, dcc.Graph):
        given: dict[str, Any] = getattr(part, "config", None) or {}
        setattr(part, "config", {**given, **_NO_UPLOADS})  # noqa: B010  (Dash declares the names of its properties at run time)
    children = getattr(part, "children", None)
    for child in children if isinstance(children, list | tuple) else [children]:
        if isinstance(child, Component):
            _remove_uploads(child)


def _register_tab_choice(app: Dash, tabs: Sequence[Tab]) -> None:
    """Show the panel whose button was pressed, or that the address names (`?tab=latent`).

    The content of the other tabs comes when they are first shown, so that hidden tabs are not drawn and send no requests.
    """
    names = [tab.name for tab in tabs]
    app.clientside_callback(  # type: ignore[no-untyped-call]
        _CHOOSE_TAB.replace("NAMES", json.dumps(names)),
        [Output(f"{name}-panel", "hidden") for name in names],
        Output({"type": "tab-choice", "name": ALL}, "aria-selected"),
        [Output(_opened(name), "data") for name in names],
        Output(NOTICE, "hidden", allow_duplicate=True),
        Input({"type": "tab-choice", "name": ALL}, "n_clicks"),
        Input(URL, "search"),
        [State(_opened(name), "data") for name in names],
        prevent_initial_call="initial_duplicate",
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        "(presses) => presses ? true : window.dash_clientside.no_update",
        Output(NOTICE, "hidden", allow_duplicate=True),
        Input({"type": NOTICE, "part": "close"}, "n_clicks"),
        prevent_initial_call=True,
    )
    for tab in tabs[1:]:

        @app.callback(Output(f"{tab.name}-panel", "children"), Input(_opened(tab.name), "data"), prevent_initial_call=True)
        def open_tab(_opened: Any, tab: Tab = tab) -> Component:
            content = tab.layout()
            _remove_uploads(content)
            return content


def _opened(name: str) -> str:
    """Return the id of the store that states whether a tab was shown before."""
    return f"{name}-opened"


def _show_error(error: Exception) -> None:
    """Show the error of a callback at the bottom of the window. Unexpected errors are logged with their place."""
    if isinstance(error, PosescopeError):
        text = str(error)
    else:
        logger.error("The page could not answer a request.", exc_info=error)
        text = f"This did not work ({type(error).__name__}). The terminal shows where."
    set_props(NOTICE, {"children": text, "hidden": False})


def _answer_error(error: Exception) -> Any:
    """Answer requests that the application cannot read; errors of callbacks do not come here (`_show_error`)."""
    cause = getattr(error, "original_exception", None) or error
    if isinstance(cause, HTTPException):
        return cause
    logger.warning("A request was refused as malformed: %s", type(cause).__name__)
    logger.debug("The refused request.", exc_info=cause)
    status = 404 if isinstance(cause, DashException) else 400
    return Response("The request is malformed.\n", status=status, mimetype="text/plain")
