"""Options of evaluation."""

import pytest
from pydantic import ValidationError

from posescope.pipelines.evaluation.options import ErrorAnalysisOptions, EvaluationOptions, ScoringOptions


def test_the_metric_of_the_reports_is_among_the_defaults() -> None:
    assert "pck_thesis" in [metric.name for metric in ScoringOptions().metrics]


@pytest.mark.parametrize("names", [(), ("pck",), ("pck", "oks")])
def test_the_metric_of_the_reports_is_required(names) -> None:
    with pytest.raises(ValidationError, match="expected 'pck_thesis' among the metrics"):
        ScoringOptions(metrics=[{"name": name} for name in names])


@pytest.mark.parametrize(
    ("protocol", "of_persons", "of_precision"), [(None, "crops", "coco"), ("coco", "coco", "coco"), ("crops", "crops", "crops")]
)
def test_each_figure_has_its_usual_protocol_unless_told(protocol, of_persons, of_precision) -> None:
    options = ScoringOptions(protocol=protocol)
    assert (options.person_protocol, options.precision_protocol) == (of_persons, of_precision)


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ValidationError, match="protocol"):
        ScoringOptions(protocol="mpii")


def test_where_it_fails_is_looked_at_unless_told_otherwise() -> None:
    assert EvaluationOptions().error_analysis == ErrorAnalysisOptions()
    assert ErrorAnalysisOptions().decoding_effects


@pytest.mark.parametrize("wrong", [{"resamples": 1}, {"score_bins": 0}, {"worst_persons": 0}, {"worst": 3}])
def test_options_of_failures_have_bounds(wrong) -> None:
    with pytest.raises(ValidationError):
        ErrorAnalysisOptions(**wrong)
