"""Representation similarity finds what two networks share, and nothing in noise."""

import numpy as np
import pytest
from numpy.typing import NDArray

from posescope.explainability.similarity.representation_similarity import Explained, agree, linear_cka

COUNT = 400
PHOTOGRAPHS = np.arange(COUNT) // 2


def make_scores(seed: int, spread: tuple[float, ...] = (8.0, 4.0, 2.0, 1.0)) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(COUNT, len(spread))) * spread


def test_cka_by_hand_and_its_bounds() -> None:
    x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])  # centred; x^T x = 2 I, its norm 2 sqrt 2
    y = np.array([[1.0], [-1.0], [0.0], [0.0]])  # y^T y = 2, y^T x = (2, 0)
    assert linear_cka(x, y) == pytest.approx(4 / (2 * np.sqrt(2) * 2))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    scores = make_scores(1)
    assert linear_cka(scores, 3 * scores @ turn + 7) == pytest.approx(1)


def test_a_network_agrees_with_itself_whatever_the_signs_and_the_order() -> None:
    scores = make_scores(1)
    other = scores[:, [1, 0, 2, 3]] * [1, -1, 1, -1]
    clusters = (scores[:, 0] > 0).astype(np.int64)
    found = agree(Explained(scores, clusters), Explained(other, 1 - clusters), PHOTOGRAPHS, shuffles=19)
    assert (found.persons, found.photographs) == (COUNT, COUNT // 2)
    assert found.cka == pytest.approx(1)
    assert [component.match for component in found.components] == [2, 1, 3, 4]
    assert all(component.told > 0.999 for component in found.components)
    assert all(component.correlation == pytest.approx(1) for component in found.components)
    assert found.rand == 1


def test_a_direction_that_is_spread_over_several_is_told_but_matched_by_none() -> None:
    scores = make_scores(1, (1.0, 1.0, 1.0, 1.0))
    turn = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    first = agree(Explained(scores), Explained(scores @ turn), PHOTOGRAPHS, shuffles=19).components[0]
    assert first.told > 0.999
    assert first.correlation == pytest.approx(0.5, abs=0.1)


def test_networks_with_nothing_in_common_stay_within_their_controls() -> None:
    clusters = [np.random.default_rng(seed).integers(0, 3, COUNT) for seed in (5, 6)]
    found = agree(Explained(make_scores(1), clusters[0]), Explained(make_scores(2), clusters[1]), PHOTOGRAPHS)
    assert found.cka < found.cka_control < 0.05
    assert all(component.told < 0.02 for component in found.components)
    assert found.told_control < 0.05
    assert max(component.correlation for component in found.components) < found.correlation_control
    assert found.rand is not None
    assert found.rand_control is not None
    assert abs(found.rand) < 0.02
    assert found.rand_control < 0.03


def test_what_is_in_one_network_alone_is_seen_from_one_side() -> None:
    scores = make_scores(1)
    whole, part = Explained(scores), Explained(scores[:, :2])
    found = agree(part, whole, PHOTOGRAPHS, shuffles=9)
    assert [round(component.told, 2) for component in found.components] == [1, 1]
    back = agree(whole, Explained(scores[:, 2:]), PHOTOGRAPHS, shuffles=9)
    assert [component.told < 0.05 for component in back.components] == [True, True]


def test_without_clusters_in_one_of_them_there_is_no_rand_index() -> None:
    scores = make_scores(1)
    found = agree(Explained(scores, np.zeros(COUNT, dtype=np.int64)), Explained(scores), PHOTOGRAPHS, shuffles=3)
    assert (found.rand, found.rand_control) == (None, None)


def test_the_same_seed_gives_the_same_figures() -> None:
    views = Explained(make_scores(1)), Explained(make_scores(2))
    first, again = (agree(*views, PHOTOGRAPHS, shuffles=9, seed=4) for _ in range(2))
    assert first == again
    assert agree(*views, PHOTOGRAPHS, shuffles=9, seed=5).cka_control != first.cka_control
