"""The frame of the page: the content of a tab comes when it is first shown."""

import json
from typing import Any

import pytest
from dash import ALL, Dash, Input, Output, ctx, html
from dash.development.base_component import Component
from werkzeug.test import Client

from posescope.explorer.app.application import create_app

POST = {"Host": "127.0.0.1:8050", "Origin": "http://127.0.0.1:8050"}


class WordsTab:
    """A tab with a word, which counts how often it was laid out."""

    def __init__(self, name: str) -> None:
        self.name, self.title, self.laid_out = name, name.title(), 0

    def layout(self) -> Component:
        self.laid_out += 1
        return html.P(f"words of {self.name}")

    def register(self, app: Dash) -> None:
        """Register nothing."""


def test_only_the_first_tab_is_in_the_layout() -> None:
    tabs = [WordsTab("near"), WordsTab("far")]
    app = create_app(tabs, "A run", "")
    text = json.dumps(app.layout.to_plotly_json(), default=lambda one: one.to_plotly_json())
    assert "words of near" in text
    assert "words of far" not in text
    assert [tab.laid_out for tab in tabs] == [1, 0]


def test_content_of_another_tab_comes_when_it_is_opened() -> None:
    tabs = [WordsTab(name) for name in ("near", "far", "farther")]
    content: dict[str, Any] = {
        "output": "far-panel.children",
        "outputs": {"id": "far-panel", "property": "children"},
        "inputs": [{"id": "far-opened", "property": "data", "value": True}],
        "changedPropIds": ["far-opened.data"],
    }
    answer = Client(create_app(tabs, "A run", "").server).post("/_dash-update-component", json=content, headers=POST)
    assert answer.json["response"]["far-panel"]["children"]["props"]["children"] == "words of far"
    assert [tab.laid_out for tab in tabs] == [1, 1, 0]


class ButtonsTab(WordsTab):
    """A tab that echoes which of its buttons was pressed."""

    def register(self, app: Dash) -> None:
        @app.callback(Output("near-pressed", "children"), Input({"type": "near-button", "number": ALL}, "n_clicks"))
        def press(_clicks: Any) -> str:
            return str(ctx.triggered_id and ctx.triggered_id["number"])


@pytest.mark.parametrize(
    ("clicks", "changed", "pressed"),
    [([1, None], [0], "0"), ([1, None], [1], None), ([1, 0], [1], None), ([1, 2], [1], "1"), ([None, None], [], "None")],
)
def test_button_that_appears_is_not_pressed(clicks: list[int | None], changed: list[int], pressed: str | None) -> None:
    ids = [{"type": "near-button", "number": number} for number in (0, 1)]
    names = [f'{{"number":{number},"type":"near-button"}}.n_clicks' for number in (0, 1)]
    content: dict[str, Any] = {
        "output": "near-pressed.children",
        "outputs": {"id": "near-pressed", "property": "children"},
        "inputs": [[{"id": one, "property": "n_clicks", "value": count} for one, count in zip(ids, clicks, strict=True)]],
        "changedPropIds": [names[place] for place in changed],
    }
    page = Client(create_app([ButtonsTab("near")], "A run", "").server)
    answer = page.post("/_dash-update-component", json=content, headers=POST)
    assert answer.status_code == (204 if pressed is None else 200)
    if pressed is not None:
        assert answer.json["response"]["near-pressed"]["children"] == pressed
