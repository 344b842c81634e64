import numpy as np

from posescope.explainability.failure_slices.condition_table import make_condition_table
from posescope.explainability.failure_slices.rule_search import SearchLimits, search_rules

LIMITS = SearchLimits(rules=5, persons=5, photographs=3, share=0.5, z=3.0)


def searched(columns, pck, groups=None, limits=LIMITS):
    groups = np.arange(len(pck)) if groups is None else groups
    return search_rules(make_condition_table(columns, groups, limits.persons), pck, limits)


def test_the_threshold_is_refined_beyond_the_grid():
    values = np.arange(200.0)
    pck = np.where(values < 13, 0.2, 0.9)
    (rule, z), *rest = searched({"size": values}, pck)
    assert rule.conditions[0].key == ("size", "below")
    assert rule.conditions[0].threshold == 12.5
    assert z > 10
    assert not rest  # nothing is left to explain


def test_a_second_condition_is_used_where_both_are_needed():
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=800) for name in ("a", "b", "c")}
    pck = np.where((columns["a"] > 0.5) & (columns["b"] < -0.2), 0.3, 0.9) + 0.05 * rng.normal(size=800)
    rule, _ = searched(columns, pck)[0]
    assert rule.key == (("a", "above"), ("b", "below"))
    np.testing.assert_allclose([condition.threshold for condition in rule.conditions], [0.5, -0.2], atol=0.03)


def test_a_second_rule_finds_another_group():
    rng = np.random.default_rng(1)
    columns = {name: rng.normal(size=800) for name in ("a", "b")}
    pck = 0.9 - 0.4 * (columns["a"] > 1.2) - 0.3 * (columns["b"] > 1.2) + 0.05 * rng.normal(size=800)
    assert [rule.key for rule, _ in searched(columns, pck)[:2]] == [(("a", "above"),), (("b", "above"),)]


def test_unknown_values_make_a_group():
    rng = np.random.default_rng(2)
    values = np.where(np.arange(300) < 30, np.nan, rng.normal(size=300))
    rule, _ = searched({"knee_angle": values}, np.where(np.isnan(values), 0.4, 0.9) + 0.05 * rng.normal(size=300))[0]
    assert rule.key == (("knee_angle", "unknown"),)


def test_a_group_of_too_few_photographs_or_too_many_persons_is_no_rule():
    values = np.arange(100.0)
    pck = np.where(values < 10, 0.1, 0.9)
    same = np.where(values < 10, 0, values + 1).astype(np.int64)
    assert all(rule.covers({"size": values})[10:].any() for rule, _ in searched({"size": values}, pck, same))
    assert all(
        rule.covers({"size": values}).sum() <= 50 for rule, _ in searched({"size": values}, np.where(values < 80, 0.1, 0.9))
    )


def test_equal_pck_or_no_columns_give_no_rule():
    assert not searched({"size": np.arange(50.0)}, np.full(50, 0.7))
    assert not searched({}, np.linspace(0, 1, 50))
