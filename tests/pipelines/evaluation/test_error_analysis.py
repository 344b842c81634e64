"""Nodes that say where the model fails; the whole flow is in `tests/integration/test_end_to_end.py`."""

import io

import pandas as pd

from posescope.evaluation.table_schemas import DecodingEffects
from posescope.pipelines.evaluation.nodes import measure_decoding_effects
from posescope.pipelines.evaluation.options import ErrorAnalysisOptions
from posescope.prediction.options import PredictionOptions


def test_without_wish_nothing_is_decoded_again_and_the_table_is_empty() -> None:
    """Model and crops are not even looked at; the table comes back from its file as it went."""
    nothing = [None] * 8
    table = measure_decoding_effects(*nothing, PredictionOptions(), None, ErrorAnalysisOptions(decoding_effects=False))
    assert table.empty
    assert measure_decoding_effects(*nothing, PredictionOptions(), "theirs.json", ErrorAnalysisOptions()).empty
    written = io.StringIO(table.to_csv(index=False))
    pd.testing.assert_frame_equal(DecodingEffects.validate(pd.read_csv(written)), table)
