"""Nodes of the error analysis; `tests/integration/test_end_to_end.py` runs the whole pipeline."""

import io

import pandas as pd

from posescope.evaluation.table_schemas import DecodingEffects
from posescope.pipelines.evaluation.nodes import measure_decoding_effects
from posescope.pipelines.evaluation.options import ErrorAnalysisOptions
from posescope.prediction.options import PredictionOptions


def test_disabled_decoding_effects_are_an_empty_table() -> None:
    """Model and crops are not used, and the table is unchanged by a CSV file."""
    no_inputs = [None] * 8
    table = measure_decoding_effects(*no_inputs, PredictionOptions(), None, ErrorAnalysisOptions(decoding_effects=False))
    assert table.empty
    assert measure_decoding_effects(*no_inputs, PredictionOptions(), "external.json", ErrorAnalysisOptions()).empty
    written = io.StringIO(table.to_csv(index=False))
    pd.testing.assert_frame_equal(table, DecodingEffects.validate(pd.read_csv(written)))
