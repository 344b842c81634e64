"""Options of evaluation."""

import pytest
from pydantic import ValidationError

from posescope.pipelines.evaluation.options import EvaluationOptions, FailureOptions, ScoringOptions


def test_the_metric_of_the_reports_is_among_the_defaults() -> None:
    assert "pck_thesis" in [metric.name for metric in ScoringOptions().metrics]


@pytest.mark.parametrize("names", [(), ("pck",), ("pck", "oks")])
def test_the_metric_of_the_reports_is_required(names) -> None:
    with pytest.raises(ValidationError, match="expected 'pck_thesis' among the metrics"):
        ScoringOptions(metrics=[{"name": name} for name in names])


def test_where_it_fails_is_looked_at_unless_told_otherwise() -> None:
    assert EvaluationOptions().failures == FailureOptions()
    assert FailureOptions().decoding_effects


@pytest.mark.parametrize("wrong", [{"resamples": 1}, {"score_bins": 0}, {"worst_persons": 0}, {"worst": 3}])
def test_options_of_failures_have_bounds(wrong) -> None:
    with pytest.raises(ValidationError):
        FailureOptions(**wrong)
