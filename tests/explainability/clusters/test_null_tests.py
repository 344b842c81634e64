import numpy as np
import pytest
from scipy.stats import gumbel_r

from posescope.explainability.clusters.null_tests import adjusted_p_values, p_of_largest


def draws(rng: np.random.Generator, count: int = 5) -> dict[str, list[dict[int, float]]]:
    means = {2: 0.2, 3: 0.1}
    return {kind: [{k: mean + 0.01 * rng.normal() for k, mean in means.items()} for _ in range(count)] for kind in ("a", "b")}


def test_value_far_above_null_data_is_significant_and_their_mean_is_not() -> None:
    found = adjusted_p_values({2: 0.2, 3: 0.2, 4: 0.9}, draws(np.random.default_rng(0)))
    assert sorted(found) == [2, 3]  # no null data for 4
    assert found[2] > 0.3
    assert found[3] < 0.001


def test_false_positive_rate_over_both_numbers() -> None:
    rng, hits = np.random.default_rng(1), 0
    for _ in range(300):
        own = draws(rng, 1)["a"][0]
        hits += min(adjusted_p_values(own, draws(rng)).values()) <= 0.05
    assert hits <= 25  # of 300 at 5 %: more than 25 have a probability below 1 %


def test_tail_of_largest_values_by_hand() -> None:
    values = np.array([1.0, 2.0, 3.0])
    null = {"a": [{2: value, 3: value - 1} for value in values]}
    scale = np.sqrt(6) / np.pi * np.sqrt(1 + 1 / 3)
    expected = gumbel_r.sf(4, loc=2 - np.euler_gamma * scale, scale=scale)
    assert p_of_largest([4.0], null) == pytest.approx([expected])


def test_kind_with_the_largest_values_decides() -> None:
    low, high = [{2: -1.0}, {2: 0.0}, {2: 1.0}], [{2: 3.0}, {2: 4.0}, {2: 5.0}]
    assert p_of_largest([4.0], {"a": low, "b": high}) == p_of_largest([4.0], {"b": high})


def test_too_few_draws_give_no_evidence() -> None:
    assert p_of_largest([9.0], {"a": [{2: 0.0}, {}, {}]}) == [1.0]
    assert p_of_largest([9.0], {}) == [1.0]
    assert adjusted_p_values({2: 0.5}, {"a": []}) == {}
