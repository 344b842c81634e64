"""The tab Persons on a hand-made table: layout, answers, and malformed values."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.explorer.hand_made_table import table_of
from werkzeug.test import Client

from posescope.core.errors import DataError, OptionsError
from posescope.explorer.app.application import create_app
from posescope.explorer.app.persons_answers import PersonsAnswers
from posescope.explorer.app.persons_tab import PersonsTab
from posescope.explorer.opened_run import OpenedRun, open_run
from posescope.explorer.person_filters import PersonFilters
from posescope.explorer.table_file import ExplorerStore

PIXEL = base64.b64decode("/9j/4AAQSkZJRgABAQ==")
EMPTY = PersonFilters().model_dump(mode="json")
POST = {"Host": "127.0.0.1:8050", "Origin": "http://127.0.0.1:8050"}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    """Return a run of five persons without model, crops and features."""
    data_dir = tmp_path_factory.mktemp("run")
    ExplorerStore(data_dir / "08_reporting" / "explorer").write(table_of(5), lambda rows: [PIXEL] * len(rows))
    return open_run(data_dir)


@pytest.fixture(scope="module")
def answers(opened: OpenedRun) -> PersonsAnswers:
    return PersonsAnswers(opened)


def ids_in(components: list[Any]) -> list[int]:
    return [component.id["person"] for component in components]


def test_layout_and_callbacks_are_consistent(opened: OpenedRun) -> None:
    """Every id of a callback is in the layout, or is made by a callback; all begin with the name of the tab."""
    app = create_app([PersonsTab(opened)], "A run", "")
    text = json.dumps(app.layout.to_plotly_json(), default=lambda one: one.to_plotly_json())
    made_later = {"persons-heatmaps", "persons-heatmaps-show", "persons-to-latent", "persons-picture"}
    for callback in app.callback_map.values():
        for item in [*callback["inputs"], *callback["state"]]:
            own = item["id"]
            name = json.loads(own)["type"] if own.startswith("{") else own
            assert name.startswith("persons-") or name in ("selection", "person", "url", "tab-choice", "notice")
            assert own.startswith("{") or f'"{own}"' in text or own in made_later, own


def test_map_and_words_above_it(answers: PersonsAnswers) -> None:
    figure, words = answers.map_figure(EMPTY, "error", [10], 12)
    assert words[0].children == "5 of 5 persons pass the filters."
    assert [trace["name"] for trace in figure["data"]][:2] == ["unknown", "Error, % of the crop"]
    assert [trace["name"] for trace in figure["data"]][2:] == ["Behind the selected", "Selected", "This person"]
    assert answers.map_figure({"labels": {"cluster": ["2"]}}, "cluster", [], None)[1][0].children.startswith("1 of 5")


def test_outline_selects_persons_that_pass_the_filters(answers: PersonsAnswers) -> None:
    box = {"x": [-0.5, 2.5], "y": [0, 2]}
    assert answers.outlined(box, EMPTY) == [10, 11, 12]
    assert answers.outlined(box, {"file_name": "2.jpg"}) == [12]


def test_group_selects_its_persons(answers: PersonsAnswers) -> None:
    assert answers.in_slice("slice-1") == [10]
    assert answers.is_slice("slice-1", [10])
    assert not answers.is_slice("slice-1", [10, 11])
    assert not answers.is_slice("slice-1", [])
    with pytest.raises(OptionsError, match="slice-1"):
        answers.in_slice("slice-9")


def test_gallery_has_pages_in_order(answers: PersonsAnswers) -> None:
    buttons, words, page = answers.gallery(EMPTY, [], "worst", 7)
    assert ids_in(buttons) == [10, 12, 13, 14, 11]  # equal errors by row, unknown ones last
    assert (words, page) == ("Page 1 of 1", 0)
    assert ids_in(answers.gallery(EMPTY, [13, 10], "table", 0)[0]) == [10, 13]
    assert answers.gallery({"file_name": "nothing"}, [], "worst", 0)[0] == []


def test_selection_is_described_with_an_export_for_each_split(answers: PersonsAnswers) -> None:
    words = answers.selection_words([10, 11, 12])
    assert words[0].children == "3 persons selected, in 2 photographs. Mean error 2.5 % of the crop; all persons 2.5 %."
    assert words[1].children[0].children == "Download 3 persons of train2017 (COCO JSON)"
    assert "No person" in answers.selection_words([])[0].children
    hidden = answers.selection_words([10, 11, 12], {"file_name": "nothing"})[0].children
    assert "The filters hide 3 of them." in hidden
    assert ids_in(answers.gallery({"file_name": "0.jpg"}, [10, 11, 12], "table", 0)[0]) == [10]


def test_panel_of_a_person_without_crops_shows_the_thumbnail(answers: PersonsAnswers) -> None:
    text = json.dumps(
        [part.to_plotly_json() for part in answers.person(10, ["prediction"])], default=lambda one: one.to_plotly_json()
    )
    assert "persons in dark images" in text
    assert "data:image/jpeg" in text
    assert "Compute the heatmaps" in text
    assert "not found" in text
    with pytest.raises(DataError):
        answers.heatmaps(10)


def test_export_without_tables_says_where_they_are(answers: PersonsAnswers) -> None:
    with pytest.raises(DataError, match="persons"):
        answers.export("train2017", [10])


JUNK: list[Any] = [
    None,
    True,
    5,
    -1,
    2**70,
    1e308,
    "",
    "x" * 2000,
    "../../etc/passwd",
    [],
    [[]],
    {},
    {"ranges": 3},
    [None],
    ["a"],
    [1.5],
]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_malformed_values_give_expected_errors_only(answers: PersonsAnswers, junk: Any) -> None:
    def attempt(function: Any, *values: Any) -> None:
        try:
            function(*values)
        except (OptionsError, DataError):
            return

    for filters in (EMPTY, junk, {"ranges": {"error": junk}}, {"labels": {"cluster": junk}}, {"file_name": junk}):
        attempt(answers.map_figure, filters, "error", junk, None)
    attempt(answers.map_figure, EMPTY, junk, [], junk)
    attempt(answers.outlined, junk, EMPTY)
    attempt(answers.outlined, {"x": junk, "y": junk}, EMPTY)
    attempt(answers.in_slice, junk)
    attempt(answers.gallery, EMPTY, [], junk, 0)
    attempt(answers.selection_words, junk)
    attempt(answers.export, junk, [10])
    attempt(answers.person, junk, junk)
    attempt(answers.picture, 10, junk)
    attempt(answers.is_slice, "slice-1", junk)


def test_page_answers_a_request_of_the_map(opened: OpenedRun) -> None:
    app = create_app([PersonsTab(opened)], "A run", "")
    inputs = [
        ("persons-filters", "data", EMPTY),
        ("persons-colour", "value", "error"),
        ("selection", "data", []),
        ("person", "data", None),
    ]
    content = {
        "output": "..persons-map.figure...persons-shown.children..",
        "outputs": [{"id": "persons-map", "property": "figure"}, {"id": "persons-shown", "property": "children"}],
        "inputs": [{"id": name, "property": kind, "value": value} for name, kind, value in inputs],
        "changedPropIds": ["persons-colour.value"],
    }
    answer = Client(app.server).post("/_dash-update-component", json=content, headers=POST)
    assert answer.status_code == 200
    figure = answer.json["response"]["persons-map"]["figure"]
    assert len(figure["data"]) == 2
    assert np.isfinite(figure["layout"]["xaxis"]["range"]).all()


def test_no_file_but_the_table_is_read(opened: OpenedRun, answers: PersonsAnswers) -> None:
    """The run has one file; everything but crops, model and export is answered from it."""
    files = [path for path in Path(opened.data_dir).rglob("*") if path.is_file()]
    assert [path.name for path in files] == ["persons.parquet"]
    answers.map_figure(EMPTY, "split", [10], 10)


def test_first_view_is_in_the_layout_and_needs_no_request(opened: OpenedRun) -> None:
    app = create_app([PersonsTab(opened)], "A run", "")
    text = json.dumps(app.layout.to_plotly_json(), default=lambda one: one.to_plotly_json())
    assert '"scattergl"' in text
    assert "5 of 5 persons pass the filters." in text
    assert "Page 1 of 1" in text
    assert '"type": "persons-bars"' in text
    asked = [one["output"] for one in app._callback_list if not one["prevent_initial_call"] and not one["clientside_function"]]
    assert asked == []
