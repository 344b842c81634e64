"""The tab Compare on two hand-made runs: layout, answers, malformed values, and the page with and without it."""

import json
from typing import Any

import numpy as np
import pytest
from tests.explorer.two_runs import make_run
from werkzeug.test import Client

from posescope.core.errors import DataError, OptionsError
from posescope.explorer.app.application import create_app
from posescope.explorer.app.compare_answers import CompareAnswers
from posescope.explorer.app.compare_tab import CompareTab
from posescope.explorer.app.page import make_page
from posescope.explorer.app.tabs import read_person_ids
from posescope.explorer.opened_run import OpenedRun
from posescope.explorer.run_comparison import ERROR, PCK, RunPair

MISS = 50.0
POST = {"Host": "127.0.0.1:8050", "Origin": "http://127.0.0.1:8050"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[OpenedRun, OpenedRun]:
    """Return runs of four persons: 10 got better, 11 worse, 12 is equal, 13 was trained on."""
    root = tmp_path_factory.mktemp("runs")
    splits = {"split": ["val", "val", "val", "train"]}
    errors = np.zeros((4, 3))
    errors[0, 0] = MISS
    first = make_run(root / "first", errors, columns=splits)
    second = make_run(root / "second", errors[[1, 0, 2, 3]], columns=splits)
    return first, second


@pytest.fixture(scope="module")
def answers(runs: tuple[OpenedRun, OpenedRun]) -> CompareAnswers:
    return CompareAnswers(RunPair(*runs))


def text_of(parts: Any) -> str:
    return json.dumps(parts, ensure_ascii=False, default=lambda one: one.to_plotly_json())


def test_layout_and_callbacks_are_consistent(runs: tuple[OpenedRun, OpenedRun]) -> None:
    """Every id of a callback is in the layout, or is made by a callback; all begin with the name of the tab."""
    app = create_app([CompareTab(*runs)], "Two runs", "")
    text = text_of(app.layout)
    for callback in app.callback_map.values():
        for item in [*callback["inputs"], *callback["state"]]:
            own = item["id"]
            name = json.loads(own)["type"] if own.startswith("{") else own
            assert name.startswith("compare-") or name in ("selection", "person", "url", "tab-choice", "notice")
            assert own.startswith("{") or f'"{own}"' in text, own
    assert "first, model" in text


def test_summary_has_all_parts(answers: CompareAnswers) -> None:
    found = answers.summary(PCK, [])
    assert "better on 1, worse on 1, equal on 1" in found.headline
    assert [button.id["person"] for button in found.improved] == [10]
    assert [button.id["person"] for button in found.worsened] == [11]
    assert "66.7 → 100.0 %" in text_of(found.improved)
    assert "left dot" in text_of(found.joints)
    assert "failing group: persons in dark images" in text_of(found.groups)
    assert "left out" in text_of(found.notes)
    assert "equal on 2" in answers.summary(PCK, ["trained"]).headline


def test_selection_by_outline_and_by_button(answers: CompareAnswers) -> None:
    assert answers.outlined({"x": [60, 70], "y": [95, 105]}, PCK, []) == [10]
    assert answers.outlined({"x": [95, 105], "y": [95, 105]}, PCK, []) == [12]
    assert answers.outlined({"x": [95, 105], "y": [95, 105]}, PCK, ["trained"]) == [12, 13]
    assert answers.changed(ERROR, [], better=True) == [10]
    assert answers.changed(ERROR, [], better=False) == [11]
    assert answers.selection_words([10, 11]).startswith("2 persons selected")
    assert answers.selection_words([]).startswith("No person")


def test_scatter_marks_selection_and_person(answers: CompareAnswers) -> None:
    """Persons of the run that are not compared are no error: other tabs select them."""
    figure, words = answers.scatter(PCK, [], [10, 13, 99], 11)
    assert [trace["name"] for trace in figure["data"]] == ["Persons", "Selected", "This person"]
    assert "One point per person" in words[0].children
    assert len(answers.scatter(PCK, [], [], None)[0]["data"]) == 1


def test_panel_shows_both_runs(answers: CompareAnswers) -> None:
    text = text_of(answers.person(10))
    assert text.count("data:image/jpeg") == 2
    assert "50.00" in text
    assert "trained" not in text
    assert "A and B were trained on it" in text_of(answers.person(13))
    assert "not in both runs" in text_of(answers.person(99))


@pytest.mark.parametrize("junk", [True, 5, -1, 2**70, 1e308, "", "x" * 2000, [[]], {}, [None], ["a"], [1.5]], ids=repr)
def test_malformed_values_give_expected_errors_only(answers: CompareAnswers, junk: Any) -> None:
    def attempt(function: Any, *values: Any) -> None:
        try:
            function(*values)
        except (OptionsError, DataError):
            return

    attempt(answers.summary, junk, [])
    attempt(answers.summary, PCK, junk)
    attempt(answers.scatter, PCK, [], junk, None)
    attempt(answers.scatter, PCK, [], [], junk)
    attempt(answers.outlined, junk, PCK, [])
    attempt(answers.outlined, {"x": junk, "y": junk}, PCK, [])
    attempt(answers.selection_words, junk)
    attempt(answers.person, junk)


def test_person_ids_of_a_page_are_checked() -> None:
    assert read_person_ids(None).tolist() == []
    assert read_person_ids([3, 1]).tolist() == [3, 1]
    with pytest.raises(OptionsError):
        read_person_ids([2**63])
    with pytest.raises(OptionsError):
        read_person_ids("12")


def test_page_has_the_tab_only_with_another_run(runs: tuple[OpenedRun, OpenedRun]) -> None:
    first, second = (run.data_dir for run in runs)
    assert "compare-panel" not in text_of(make_page(first).layout)
    assert "compare-panel" in text_of(make_page(first, compare=second).layout)
    with pytest.raises(DataError, match="missing"):
        make_page(first, compare=first / "missing")


def test_hidden_tab_computes_nothing(runs: tuple[OpenedRun, OpenedRun]) -> None:
    app = create_app([CompareTab(*runs)], "Two runs", "")
    output = "..compare-scatter.figure...compare-shown.children.."
    names = [("compare-panel", "hidden"), ("compare-score", "value"), ("compare-trained", "value"), ("selection", "data"),
             ("person", "data")]  # fmt: skip

    def ask(hidden: bool) -> set[str]:
        values = (hidden, PCK, [], [], None)
        content = {
            "output": output,
            "outputs": [{"id": "compare-scatter", "property": "figure"}, {"id": "compare-shown", "property": "children"}],
            "inputs": [{"id": one, "property": kind, "value": value} for (one, kind), value in zip(names, values, strict=True)],
            "changedPropIds": ["compare-panel.hidden"],
        }
        return set(Client(app.server).post("/_dash-update-component", json=content, headers=POST).json["response"])

    assert ask(True) == set()
    assert ask(False) == {"compare-scatter", "compare-shown"}
