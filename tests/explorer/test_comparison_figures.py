"""Figures of two runs: places, colours, marks and the thinned graph."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.explorer.two_runs import make_run

from posescope.explorer.comparison_figures import PersonScatter, draw_histogram
from posescope.explorer.run_comparison import ERROR, PCK, RunPair

NONE_OF_40 = np.zeros(40, dtype=np.bool_)


@pytest.fixture
def pair(tmp_path: Path) -> RunPair:
    rng = np.random.default_rng(0)
    runs = [make_run(tmp_path / name, rng.uniform(0, 9, size=(40, 3))) for name in "ab"]
    return RunPair(*runs)


def scatter_of(pair: RunPair, score: str) -> PersonScatter:
    found = pair.compare(score)
    return PersonScatter(found, pair.person_ids[found.rows])


def test_persons_are_at_their_values(pair: RunPair) -> None:
    scatter = scatter_of(pair, ERROR)
    np.testing.assert_allclose(scatter.places[:, 0], pair.scores[ERROR].first)
    np.testing.assert_allclose(scatter.places[:, 1], pair.scores[ERROR].second)
    figure, lines = scatter.draw(NONE_OF_40, NONE_OF_40)
    assert [trace["name"] for trace in figure["data"]] == ["Persons"]
    assert "B is better below the line" in lines[0]
    assert [one["text"] for one in figure["layout"]["annotations"]] == ["A better", "B better"]


def test_equal_values_are_spread_but_not_far(pair: RunPair) -> None:
    scatter = scatter_of(pair, PCK)
    assert scatter.is_spread
    assert len(np.unique(scatter.places, axis=0)) == 40
    assert np.abs(scatter.places - scatter.values).max() <= 1.2
    assert "moved a little" in scatter.draw(NONE_OF_40, NONE_OF_40)[1][1]


def test_selection_and_person_are_marked(pair: RunPair) -> None:
    selected, person = NONE_OF_40.copy(), NONE_OF_40.copy()
    selected[:3] = person[5] = True
    figure, _ = scatter_of(pair, PCK).draw(selected, person)
    assert [trace["name"] for trace in figure["data"]] == ["Persons", "Selected", "This person"]
    assert figure["data"][2]["marker"]["symbol"] == "star"


def test_persons_of_the_training_set_have_their_own_symbol(tmp_path: Path) -> None:
    splits = {"split": ["val", "train", "val"]}
    runs = [make_run(tmp_path / name, np.full((3, 3), error), columns=splits) for name, error in (("a", 1.0), ("b", 2.0))]
    pair = RunPair(*runs)
    none = np.zeros(3, dtype=np.bool_)
    found = pair.compare(PCK, include_trained=True)
    figure, lines = PersonScatter(found, pair.person_ids[found.rows]).draw(none, none)
    assert figure["data"][0]["marker"]["symbol"] == ["circle", "diamond", "circle"]
    assert lines[1].startswith("Diamonds")
    assert "symbol" not in scatter_of(pair, PCK).draw(none[:2], none[:2])[0]["data"][0]["marker"]


def test_thinned_graph_says_so(pair: RunPair) -> None:
    figure, lines = scatter_of(pair, ERROR).draw(NONE_OF_40, NONE_OF_40, limit=20)
    assert len(figure["data"][0]["text"]) == 20
    assert lines[-1].startswith("The graph shows 20 of 40 persons")


@pytest.mark.parametrize("score", [PCK, ERROR])
def test_histogram_counts_all_persons_on_the_side_of_their_gain(pair: RunPair, score: str) -> None:
    found = pair.compare(score)
    figure: Any = draw_histogram(found)
    bars = figure["data"][0]
    assert sum(bars["y"]) == 40
    assert bars["x"][len(bars["x"]) // 2] == pytest.approx(0)
    band, _, line = figure["layout"]["shapes"]
    assert band["x0"] < line["x0"] < band["x1"]
    assert np.sign(line["x0"]) == np.sign(found.gains.mean())


def test_no_point_is_drawn_without_persons(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", np.zeros((2, 3)), columns={"split": "train"})
    pair = RunPair(run, run)
    none = np.zeros(0, dtype=np.bool_)
    assert scatter_of(pair, PCK).draw(none, none)[0]["data"]
    assert draw_histogram(pair.compare(PCK))["layout"]["shapes"] == []
