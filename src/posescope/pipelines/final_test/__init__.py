"""The newest model on the sealed test set, once; every use is kept in a ledger."""

from posescope.pipelines.final_test.options import FinalTestOptions
from posescope.pipelines.final_test.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = {"final_test": FinalTestOptions}
