"""Tests of the final metrics for experiment loggers."""

import pytest

from posescope.tracking.final_metrics import gather_final_metrics
from posescope.tracking.records import FinalMetric


@pytest.mark.parametrize("metrics", [None, {}, {"schema_version": 1}, {"val": {}}])
def test_no_metrics(metrics):
    assert gather_final_metrics(metrics) == ()


def test_values_have_their_split_and_interval():
    metrics = {
        "schema_version": 1,
        "val": {"oks": {"value": 0.5, "low": 0.25, "high": 0.75, "split": "val"}, "mse": {"value": 2, "low": None, "high": None}},
    }
    assert gather_final_metrics(metrics) == (FinalMetric("val/oks", 0.5, 0.25, 0.75), FinalMetric("val/mse", 2.0))


def test_metric_without_a_finite_value_is_left_out():
    metrics = {"val": {"empty": {"value": None}, "infinite": {"value": float("inf")}, "note": "text"}}
    assert gather_final_metrics(metrics) == ()
