"""Pipeline `final_test`: scores of the newest model on the test set, with an access log."""

from posescope.pipelines.final_test.options import FinalTestOptions
from posescope.pipelines.final_test.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = {"final_test": FinalTestOptions}
