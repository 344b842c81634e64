"""Nodes of the error analysis; `tests/integration/test_end_to_end.py` runs the whole pipeline."""

import io
from types import SimpleNamespace

import pandas as pd
import pytest

from posescope.core.origin import Origin, OriginMismatchError
from posescope.evaluation.metric_values import EvaluationSetting
from posescope.evaluation.table_schemas import DecodingEffects, JointTrust, RiskCoverage, UncertaintyCoverage
from posescope.pipelines.evaluation.nodes import judge_uncertainty, measure_decoding_effects
from posescope.pipelines.evaluation.options import ErrorAnalysisOptions
from posescope.prediction.options import PredictionOptions


def test_disabled_decoding_effects_are_an_empty_table() -> None:
    """Model and crops are not used, and the table is unchanged by a CSV file."""
    no_inputs = [None] * 8
    table = measure_decoding_effects(*no_inputs, PredictionOptions(), None, ErrorAnalysisOptions(decoding_effects=False), [])
    assert table.empty
    assert measure_decoding_effects(*no_inputs, PredictionOptions(), "external.json", ErrorAnalysisOptions(), []).empty
    written = io.StringIO(table.to_csv(index=False))
    pd.testing.assert_frame_equal(table, DecodingEffects.validate(pd.read_csv(written)))


SETTING = EvaluationSetting("crops", "val", "ground_truth", False, Origin(model="m" * 16, data="d"))


def test_without_calibration_or_with_other_results_nothing_is_judged() -> None:
    schemas = {"coverage": UncertaintyCoverage, "risk": RiskCoverage, "trust": JointTrust}
    for uncertainty, results in ((None, None), (SimpleNamespace(), "external.json")):
        tables = judge_uncertainty(None, uncertainty, SETTING, results, ErrorAnalysisOptions())
        assert set(tables) == set(schemas)
        for name, table in tables.items():
            assert table.empty
            written = io.StringIO(table.to_csv(index=False))
            pd.testing.assert_frame_equal(table, schemas[name].validate(pd.read_csv(written)))


def test_uncertainty_of_another_model_is_refused() -> None:
    with pytest.raises(OriginMismatchError, match="uncertainty"):
        judge_uncertainty(None, SimpleNamespace(model="f" * 16), SETTING, None, ErrorAnalysisOptions())
