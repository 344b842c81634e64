"""Tests of the map: components, t-SNE of groups, bounded fits, and UMAP where it is not installed."""

import numpy as np
import pytest

from posescope.core.errors import OptionsError
from posescope.explorer import map_coordinates as module
from posescope.explorer.map_coordinates import map_coordinates


def two_groups(count: int) -> np.ndarray:
    """Return (count, 4) scores: even rows near 0, odd rows near 100."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, 4)) + 100 * (np.arange(count) % 2)[:, None]


def test_components_are_the_first_two() -> None:
    scores = np.arange(12.0).reshape(3, 4)
    found = map_coordinates(scores)
    assert found.dtype == np.float32
    assert found.tolist() == [[0, 1], [4, 5], [8, 9]]


def test_one_component_and_no_persons() -> None:
    assert map_coordinates(np.array([[2.0], [3.0]])).tolist() == [[2, 0], [3, 0]]
    assert map_coordinates(np.empty((0, 3)), "tsne").shape == (0, 2)


@pytest.mark.parametrize("most", [100, 30])
def test_tsne_keeps_groups_apart_also_for_persons_that_it_was_not_fitted_to(most: int) -> None:
    scores = two_groups(60)
    found = map_coordinates(scores, "tsne", most=most, seed=1)
    even, odd = found[::2], found[1::2]
    gap = np.linalg.norm(even.mean(axis=0) - odd.mean(axis=0))
    assert found.shape == (60, 2)
    assert max(np.linalg.norm(own - own.mean(axis=0), axis=1).max() for own in (even, odd)) < gap
    np.testing.assert_array_equal(found, map_coordinates(scores, "tsne", most=most, seed=1))


def test_few_persons_are_placed_by_components() -> None:
    scores = np.arange(8.0).reshape(4, 2)
    np.testing.assert_array_equal(map_coordinates(scores, "tsne"), scores)


def test_fitted_persons_keep_their_place_and_others_are_weighted_means() -> None:
    fitted = np.array([[0.0], [3.0]])
    found = module._place_between(np.array([[0.0], [1.0]]), fitted, np.array([[0.0, 0.0], [30.0, 60.0]]))
    np.testing.assert_allclose(found, [[0, 0], [10, 20]], atol=1e-6)


def test_umap_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(OptionsError, match="umap-learn") as caught:
        map_coordinates(two_groups(6), "umap")
    assert "\n" not in str(caught.value)
