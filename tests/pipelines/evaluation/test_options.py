"""Tests of posescope.pipelines.evaluation.options."""

import pytest
from pydantic import ValidationError

from posescope.pipelines.evaluation.options import ErrorAnalysisOptions, EvaluationOptions, ScoringOptions


def test_default_metrics_contain_pck_thesis() -> None:
    assert "pck_thesis" in [metric.name for metric in ScoringOptions().metrics]


@pytest.mark.parametrize("names", [(), ("pck",), ("pck", "oks")])
def test_pck_thesis_is_required(names) -> None:
    with pytest.raises(ValidationError, match="expected 'pck_thesis' among the metrics"):
        ScoringOptions(metrics=[{"name": name} for name in names])


@pytest.mark.parametrize(
    ("protocol", "of_persons", "of_precision"), [(None, "crops", "coco"), ("coco", "coco", "coco"), ("crops", "crops", "crops")]
)
def test_each_metric_has_its_default_protocol_unless_configured(protocol, of_persons, of_precision) -> None:
    options = ScoringOptions(protocol=protocol)
    assert (options.person_protocol, options.precision_protocol) == (of_persons, of_precision)


def test_unknown_protocol_is_refused() -> None:
    with pytest.raises(ValidationError, match="protocol"):
        ScoringOptions(protocol="mpii")


def test_error_analysis_is_enabled_by_default() -> None:
    assert EvaluationOptions().error_analysis == ErrorAnalysisOptions()
    assert ErrorAnalysisOptions().decoding_effects


@pytest.mark.parametrize("options", [{"resamples": 1}, {"score_bins": 0}, {"worst_persons": 0}, {"worst": 3}])
def test_invalid_error_analysis_options_are_refused(options) -> None:
    with pytest.raises(ValidationError):
        ErrorAnalysisOptions(**options)
