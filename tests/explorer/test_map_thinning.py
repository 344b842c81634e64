"""Thinning of the map: limits, what is kept, and places."""

import numpy as np
import pytest

from posescope.explorer.map_thinning import thin_map


def test_all_rows_are_shown_up_to_the_limit() -> None:
    places = np.zeros((5, 2))
    assert thin_map(places, np.zeros(5, dtype=int), np.zeros(5, dtype=bool), limit=5).tolist() == [0, 1, 2, 3, 4]
    assert thin_map(np.empty((0, 2)), np.empty(0, dtype=int), np.empty(0, dtype=bool)).tolist() == []


def test_selection_and_rare_colours_are_kept() -> None:
    rng = np.random.default_rng(0)
    places, colours = rng.normal(size=(10_000, 2)), np.zeros(10_000, dtype=int)
    colours[[17, 4242]] = 7
    keep = np.zeros(10_000, dtype=bool)
    keep[100:200] = True
    rows = thin_map(places, colours, keep, limit=500)
    assert len(rows) == 500
    assert np.all(np.diff(rows) > 0)
    assert set(range(100, 200)) | {17, 4242} <= set(rows.tolist())


def test_every_occupied_place_is_shown_and_dense_places_stay_dense() -> None:
    rng = np.random.default_rng(1)
    dense, lone = rng.uniform(0, 1, size=(20_000, 2)), np.array([[10.0, 10.0], [10.0, 0.0], [0.0, 10.0]])
    places = np.concatenate([dense, lone])
    rows = thin_map(places, np.zeros(len(places), dtype=int), np.zeros(len(places), dtype=bool), limit=300)
    assert {20_000, 20_001, 20_002} <= set(rows.tolist())
    assert len(rows) == 300


def test_large_selection_is_thinned_to_half_of_the_limit() -> None:
    rng = np.random.default_rng(2)
    places = rng.normal(size=(4000, 2))
    keep = np.arange(4000) < 3000
    rows = thin_map(places, np.zeros(4000, dtype=int), keep, limit=200)
    assert len(rows) == 200
    assert 100 <= (rows < 3000).sum() < 200


def test_same_input_shows_the_same_persons() -> None:
    places = np.random.default_rng(3).normal(size=(2000, 2))
    colours, keep = np.arange(2000) % 5, np.zeros(2000, dtype=bool)
    first = thin_map(places, colours, keep, limit=100)
    assert np.array_equal(first, thin_map(places, colours, keep, limit=100))
    assert not np.array_equal(first, thin_map(places, colours, keep, limit=100, seed=1))


@pytest.mark.parametrize("value", [np.nan, 5.0])
def test_unknown_and_equal_places_do_no_harm(value: float) -> None:
    places = np.full((50, 2), value)
    colours = np.where(np.arange(50) < 3, -1, 0)
    assert len(thin_map(places, colours, np.zeros(50, dtype=bool), limit=10)) == 10
