"""The Dash application: the frame of the page, its tabs, and how errors are shown."""

import logging
from collections.abc import Sequence
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, set_props
from dash.development.base_component import Component
from dash.exceptions import DashException
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from posescope.core.errors import PosescopeError
from posescope.explorer.app.request_rules import MAX_REQUEST_BYTES
from posescope.explorer.app.tabs import NOTICE, PERSON, SELECTION, URL, Tab, aria

__all__ = ["create_app"]

logger = logging.getLogger(__name__)

_NO_UPLOADS = {"displaylogo": False, "showSendToCloud": False, "plotlyServerURL": ""}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
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


def create_app(tabs: Sequence[Tab], title: str, lead: str) -> Dash:
    """Return the application.

    Args:
        tabs: tabs of the page, the first one open.
        title: heading of the page.
        lead: a line below it.
    """
    server = Flask(__name__, static_folder=None)
    server.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    app = Dash(
        __name__,
        server=server,  # type: ignore[arg-type]  # its annotation lacks Flask
        title=title,
        update_title="",
        assets_folder=str(files("posescope.explorer.app") / "assets"),
        index_string=_PAGE,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        serve_locally=True,
        suppress_callback_exceptions=True,  # parts of the page appear when they are needed
        on_error=_show_error,
        enable_mcp=False,
    )
    server.register_error_handler(Exception, _answer_error)
    app.layout = _frame(tabs, title, lead)
    _remove_uploads(app.layout)
    _register_tab_choice(app, [tab.name for tab in tabs])
    for tab in tabs:
        tab.register(app)
    return app


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
        html.Section(tab.layout(), id=f"{tab.name}-panel", role="tabpanel", hidden=number > 0, **aria(label=tab.title))
        for number, tab in enumerate(tabs)
    ]
    return html.Div(
        [
            dcc.Location(id=URL, refresh=False),
            dcc.Store(id=SELECTION, data=[]),
            dcc.Store(id=PERSON),
            html.Header([html.H1(title), html.P(lead, className="lead")], className="top"),
            html.Div(buttons, role="tablist", className="tab-choices", **aria(label="Parts of the page")),
            html.P(id=NOTICE, role="alert", className="notice", hidden=True),
            html.Main(panels),
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


def _register_tab_choice(app: Dash, names: Sequence[str]) -> None:
    """Show the panel whose button was pressed, or that the address names (`?tab=latent`)."""

    @app.callback(
        [Output(f"{name}-panel", "hidden") for name in names],
        Output({"type": "tab-choice", "name": ALL}, "aria-selected"),
        Input({"type": "tab-choice", "name": ALL}, "n_clicks"),
        Input(URL, "search"),
    )
    def choose(_clicks: Any, search: Any) -> Any:
        chosen = ctx.triggered_id
        name = chosen["name"] if isinstance(chosen, dict) else parse_qs(str(search or "").lstrip("?")).get("tab", [""])[0]
        shown = name if name in names else names[0]
        return *(one != shown for one in names), [str(one == shown).lower() for one in names]

    @app.callback(
        Output(NOTICE, "hidden", allow_duplicate=True),
        Input({"type": "tab-choice", "name": ALL}, "n_clicks"),
        State(NOTICE, "hidden"),
        prevent_initial_call=True,
    )
    def forget_notice(_clicks: Any, _hidden: Any) -> bool:
        return True


def _show_error(error: Exception) -> None:
    """Show the error of a callback above the tabs. Unexpected errors are logged with their place."""
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
