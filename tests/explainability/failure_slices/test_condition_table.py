import numpy as np

from posescope.explainability.failure_slices.condition_table import list_conditions, make_condition_table

NAN = float("nan")


def test_thresholds_are_midway_between_values_and_unknown_is_a_condition():
    found = list(list_conditions("crowding", np.array([0.0, 1.0, 1.0, 3.0, NAN])))
    assert [(one.comparison, one.threshold) for one in found[:-1]] == [
        ("below", 0.5),
        ("below", 2.0),
        ("above", 0.5),
        ("above", 2.0),
    ]
    assert found[-1].comparison == "unknown"


def test_a_column_with_many_values_has_a_grid_of_quantiles():
    found = [one for one in list_conditions("size", np.arange(100.0)) if one.comparison == "below"]
    assert [round(one.threshold) for one in found] == [6, 10, 20, 30, 40, 50, 70]


def test_a_constant_column_has_no_condition():
    assert not list(list_conditions("truncated", np.ones(9)))


def test_the_table_counts_persons_of_two_conditions_and_drops_small_ones():
    columns = {"a": np.array([0.0, 0.0, 1.0, 1.0]), "b": np.array([0.0, 1.0, 1.0, NAN])}
    table = make_condition_table(columns, np.array([5, 5, 8, 9]), min_persons=2)
    keys = [condition.key for condition in table.conditions]
    assert keys == [("a", "below"), ("a", "above"), ("b", "above")]  # one person with b below, and one unknown
    assert table.counts.tolist() == [[2, 0, 1], [0, 2, 1], [1, 1, 2]]
    assert table.count_photographs(np.array([True, True, False, True])) == 2
