"""Tests of posescope.explorer.app.try_tab: the layout and the wiring of its callbacks."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("dash", reason="dash is not installed")

from dash import Dash, dcc, html
from tests.explorer.app.test_try_answers import contents_of
from tests.explorer.small_run import small_run

import posescope.explorer.app as package
from posescope.explorer.app.tabs import PERSON
from posescope.explorer.app.try_tab import TryTab


@pytest.fixture
def app(untrained_model: Any) -> Dash:
    tab = TryTab(small_run(untrained_model))
    app = Dash(__name__, suppress_callback_exceptions=True)
    app.layout = html.Div([dcc.Store(id=PERSON), tab.layout()])
    tab.register(app)
    return app


def ids_in(component: Any) -> list[str]:
    return [str(one.id) for one in component._traverse() if getattr(one, "id", None)]


def test_ids_begin_with_the_name_of_the_tab(app: Dash) -> None:
    found = ids_in(app.layout.children[1])
    assert all(one.startswith("try-") for one in found)
    assert len(found) == len(set(found))


def test_callbacks_name_components_of_the_page(app: Dash) -> None:
    known = {*ids_in(app.layout), PERSON}
    wiring = json.dumps([[key, one["inputs"], one["state"]] for key, one in app.callback_map.items()], default=str)
    used = set(re.findall(r"try-[a-z-]+", wiring))
    assert used - known == {"try-person"}  # buttons of the results


def post(app: Dash, output: str, inputs: list[Any], changed: str) -> Any:
    """Send a request as the page does, and return its response."""
    key = next(one for one in app.callback_map if output in one)
    entry = app.callback_map[key]
    outputs = [{"id": part.rsplit(".", 1)[0], "property": part.rsplit(".", 1)[1]} for part in key.strip(".").split("...")]
    names = [(one["id"], one["property"]) for one in [*entry["inputs"], *entry["state"]]]
    filled = [{"id": name, "property": prop, "value": value} for (name, prop), value in zip(names, inputs, strict=True)]
    count = len(entry["inputs"])
    body = {
        "output": key, "outputs": outputs if key.startswith("..") else outputs[0], "inputs": filled[:count],
        "state": filled[count:], "changedPropIds": [changed],
    }  # fmt: skip
    return app.server.test_client().post("/_dash-update-component", json=body)


def test_a_photograph_is_opened_and_shown(app: Dash) -> None:
    opened = post(app, "try-note.children", [contents_of(0)], "try-upload.contents").get_json()["response"]
    view = opened["try-view"]["data"]
    assert opened["try-found-part"]["hidden"]
    shown = post(app, "try-shown.hidden", [view], "try-view.data").get_json()["response"]
    assert shown["try-shown"]["hidden"] is False
    assert [shown[f"try-{side}"]["value"] for side in ("left", "top", "width", "height")] == [0, 0, 90, 60]


def test_numbers_make_a_box(app: Dash) -> None:
    view = post(app, "try-note.children", [contents_of(0)], "try-upload.contents").get_json()["response"]["try-view"]["data"]
    answer = post(app, "try-view.data@", [None, None, 1, view, 5, 6, 30, 40], "try-use.n_clicks").get_json()["response"]
    assert answer["try-view"]["data"]["box"] == [5, 6, 30, 40]


def test_the_page_opens_without_torch() -> None:
    code = "import sys, posescope.explorer.app.try_tab; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_camera_is_short_and_names_no_address() -> None:
    source = (Path(str(package.__file__)).parent / "assets" / "try_camera.js").read_text(encoding="utf-8")
    assert len(source.splitlines()) < 60
    assert "http" not in source
