import numpy as np
import pytest
import torch

from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.truncation.component_subsets import INTACT, Kept, Truncated, counts_up_to, draw_orders, kept_of

VALUES = np.random.default_rng(0).normal(size=(30, 4)) * [4.0, 3.0, 2.0, 1.0] + 5
COMPONENTS = principal_components(FeatureSet(np.arange(30), VALUES, "tap", (4, 1, 1)))
ORDERS = draw_orders(30, 4, seed=0)


def keep(kept: Kept) -> np.ndarray:
    return Truncated(COMPONENTS, VALUES, (4, 1, 1), ORDERS, torch.device("cpu")).keep(kept).numpy()[:, :, 0, 0]


def test_none_is_the_mean_and_all_is_everything() -> None:
    np.testing.assert_allclose(keep(Kept("first", 0)), np.tile(COMPONENTS.mean, (30, 1)), atol=1e-5)
    for kept in (Kept("first", 4), Kept("last", 4), Kept("random", 4), INTACT):
        np.testing.assert_allclose(keep(kept), VALUES, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_first_and_the_last_are_the_whole_together(count) -> None:
    first, last = keep(Kept("first", count)), keep(Kept("last", 4 - count))
    np.testing.assert_allclose(first + last - COMPONENTS.mean, VALUES, atol=1e-5)
    np.testing.assert_allclose(COMPONENTS.project(first)[:, count:], 0, atol=1e-5)


def test_everybody_has_a_draw_of_their_own() -> None:
    scores, whole = COMPONENTS.project(keep(Kept("random", 2))), COMPONENTS.project(VALUES)
    for row, order in enumerate(ORDERS):
        np.testing.assert_allclose(scores[row, order[:2]], whole[row, order[:2]], atol=1e-5)
        np.testing.assert_allclose(scores[row, order[2:]], 0, atol=1e-5)
    assert len({tuple(order) for order in ORDERS}) > 10
    np.testing.assert_array_equal(np.sort(ORDERS, axis=1), np.tile(np.arange(4), (30, 1)))


def test_counts() -> None:
    assert counts_up_to((1, 5, 10, 20), 10) == [0, 1, 5, 10]
    assert counts_up_to((), 3) == [0, 3]
    assert (kept_of("last", 0, 9), kept_of("random", 9, 9)) == (Kept("first", 0), Kept("first", 9))
    assert kept_of("last", 5, 9) == Kept("last", 5)
