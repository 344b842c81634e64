import numpy as np
import pandas as pd

from posescope.explainability.failure_slices.rules import Condition, Rule, as_columns, median_rule

NAN = float("nan")
COLUMNS = as_columns(pd.DataFrame({"size": [1.0, 3.0, NAN, 5.0], "facing": [0.0, NAN, NAN, 1.0]}))


def test_an_unknown_value_is_neither_below_nor_above():
    assert Condition("size", "below", 4.0).covers(COLUMNS["size"]).tolist() == [True, True, False, False]
    assert Condition("size", "above", 2.0).covers(COLUMNS["size"]).tolist() == [False, True, False, True]
    assert Condition("size", "unknown", NAN).covers(COLUMNS["size"]).tolist() == [False, False, True, False]


def test_a_rule_is_a_conjunction():
    rule = Rule((Condition("facing", "unknown", NAN), Condition("size", "above", 2.0)))
    assert rule.covers(COLUMNS).tolist() == [False, True, False, False]
    assert rule.features == ("facing", "size")


def test_the_median_rule_has_the_median_of_each_threshold():
    rules = [Rule((Condition("facing", "unknown", NAN), Condition("size", "above", value))) for value in (1.0, 2.0, 9.0)]
    found = median_rule(rules)
    assert found.key == rules[0].key
    assert found.conditions[1].threshold == 2.0
    assert np.isnan(found.conditions[0].threshold)
