import numpy as np
import pytest
from numpy.typing import NDArray

from posescope.explainability.similarity.representation_similarity import Representation, compare_representations, linear_cka

COUNT = 400
IMAGES = np.arange(COUNT) // 2


def make_scores(seed: int, spread: tuple[float, ...] = (8.0, 4.0, 2.0, 1.0)) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(COUNT, len(spread))) * spread


def test_cka_equals_the_hand_computed_one_and_ignores_rotation() -> None:
    x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])  # centred; x^T x = 2 I, its norm 2 sqrt 2
    y = np.array([[1.0], [-1.0], [0.0], [0.0]])  # y^T y = 2, y^T x = (2, 0)
    assert linear_cka(x, y) == pytest.approx(4 / (2 * np.sqrt(2) * 2))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    scores = make_scores(1)
    assert linear_cka(scores, 3 * scores @ turn + 7) == pytest.approx(1)


def test_permuted_and_negated_components_are_matched() -> None:
    scores = make_scores(1)
    other = scores[:, [1, 0, 2, 3]] * [1, -1, 1, -1]
    clusters = (scores[:, 0] > 0).astype(np.int64)
    found = compare_representations(Representation(scores, clusters), Representation(other, 1 - clusters), IMAGES, shuffles=19)
    assert (found.persons, found.images) == (COUNT, COUNT // 2)
    assert found.cka == pytest.approx(1)
    assert [component.match for component in found.components] == [2, 1, 3, 4]
    assert all(component.predicted_r2 > 0.999 for component in found.components)
    assert all(component.correlation == pytest.approx(1) for component in found.components)
    assert found.adjusted_rand_index == 1


def test_component_spread_over_several_is_predicted_but_not_matched() -> None:
    scores = make_scores(1, (1.0, 1.0, 1.0, 1.0))
    turn = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    first = compare_representations(Representation(scores), Representation(scores @ turn), IMAGES, shuffles=19).components[0]
    assert first.predicted_r2 > 0.999
    assert first.correlation == pytest.approx(0.5, abs=0.1)


def test_unrelated_networks_stay_below_their_controls() -> None:
    clusters = [np.random.default_rng(seed).integers(0, 3, COUNT) for seed in (5, 6)]
    found = compare_representations(
        Representation(make_scores(1), clusters[0]), Representation(make_scores(2), clusters[1]), IMAGES
    )
    assert found.cka < found.cka_control < 0.05
    assert all(component.predicted_r2 < 0.02 for component in found.components)
    assert found.predicted_r2_control < 0.05
    assert max(component.correlation for component in found.components) < found.correlation_control
    assert found.adjusted_rand_index is not None
    assert found.adjusted_rand_index_control is not None
    assert abs(found.adjusted_rand_index) < 0.02
    assert found.adjusted_rand_index_control < 0.03


def test_similarity_to_a_part_is_not_symmetric() -> None:
    scores = make_scores(1)
    whole, part = Representation(scores), Representation(scores[:, :2])
    found = compare_representations(part, whole, IMAGES, shuffles=9)
    assert [round(component.predicted_r2, 2) for component in found.components] == [1, 1]
    back = compare_representations(whole, Representation(scores[:, 2:]), IMAGES, shuffles=9)
    assert [component.predicted_r2 < 0.05 for component in back.components] == [True, True]


def test_no_rand_index_without_clusters_in_both_networks() -> None:
    scores = make_scores(1)
    found = compare_representations(
        Representation(scores, np.zeros(COUNT, dtype=np.int64)), Representation(scores), IMAGES, shuffles=3
    )
    assert (found.adjusted_rand_index, found.adjusted_rand_index_control) == (None, None)


def test_results_are_reproducible() -> None:
    views = Representation(make_scores(1)), Representation(make_scores(2))
    first, again = (compare_representations(*views, IMAGES, shuffles=9, seed=4) for _ in range(2))
    assert first == again
    assert compare_representations(*views, IMAGES, shuffles=9, seed=5).cka_control != first.cka_control
