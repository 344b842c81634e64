"""Options of evaluation."""

import pytest
from pydantic import ValidationError

from posescope.pipelines.evaluation.options import ScoringOptions


def test_the_metric_of_the_reports_is_among_the_defaults() -> None:
    assert "pck_thesis" in [metric.name for metric in ScoringOptions().metrics]


@pytest.mark.parametrize("names", [(), ("pck",), ("pck", "oks")])
def test_the_metric_of_the_reports_is_required(names) -> None:
    with pytest.raises(ValidationError, match="expected 'pck_thesis' among the metrics"):
        ScoringOptions(metrics=[{"name": name} for name in names])
