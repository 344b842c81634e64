"""Persons of a page whose size is limited."""

from pathlib import Path

import numpy as np
import pytest
from tests.explorer.hand_made_table import table_of

from posescope.explorer.opened_run import OpenedRun, RunPlaces
from posescope.explorer.person_columns import columns_of
from posescope.explorer.similar_persons import similar_persons
from posescope.explorer.static_site.shown_persons import choose_shown_persons, find_similar

RANDOM = np.random.default_rng(0)


def run_of(count: int) -> OpenedRun:
    table = table_of(count)
    return OpenedRun(Path(), table.columns, table.about, RunPlaces.of_data_dir(Path()))


def test_small_run_is_shown_whole_with_the_wanted_number_of_thumbnails() -> None:
    opened = run_of(30)
    column = columns_of(opened.persons, opened.about)["component_1"]
    shown = choose_shown_persons(opened, column, np.array([17, 29]), featured=8)
    assert shown.rows.tolist() == list(range(30))
    assert shown.featured.sum() == 8
    assert shown.featured[[0, 17, 29]].all()  # a member of a group, and those that the page refers to


def test_large_run_is_thinned_with_members_of_groups_and_wanted_persons_kept() -> None:
    opened = run_of(400)
    column = columns_of(opened.persons, opened.about)["component_1"]
    shown = choose_shown_persons(opened, column, np.array([123]), featured=20, limit=60)
    assert (len(shown.rows), shown.featured.sum()) == (60, 20)
    assert {0, 123} <= set(shown.rows[shown.featured].tolist())
    again = choose_shown_persons(opened, column, np.array([123]), featured=20, limit=60)
    assert np.array_equal(shown.rows, again.rows)
    assert np.array_equal(shown.featured, again.featured)


def test_similar_persons_are_those_of_the_search_for_one_person() -> None:
    scores, groups = RANDOM.normal(size=(50, 3)), np.repeat(np.arange(25), 2)
    scores[7] = np.nan
    found = find_similar(scores, groups, np.ones(50, dtype=bool), count=4)
    for row in range(50):
        expected = similar_persons(scores, groups, row, 4)
        assert found[row, : len(expected)].tolist() == expected.tolist()
        assert (found[row, len(expected) :] == -1).all()


def test_only_offered_persons_are_found_in_blocks_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, groups, offered = RANDOM.normal(size=(40, 2)), np.arange(40), RANDOM.random(40) < 0.3
    whole = find_similar(scores, groups, offered)
    assert set(whole[whole >= 0].tolist()) <= set(np.flatnonzero(offered).tolist())
    monkeypatch.setattr("posescope.explorer.static_site.shown_persons._NUMBERS_AT_ONCE", 30)
    assert np.array_equal(find_similar(scores, groups, offered), whole)


@pytest.mark.parametrize("width", [0, 2])
def test_no_components_or_no_offered_person_gives_none(width: int) -> None:
    offered = np.full(3, width == 0)
    assert (find_similar(np.zeros((3, width)), np.arange(3), offered, count=2) == -1).all()
