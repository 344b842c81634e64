"""Pipeline `evaluation`: a trained model, or the results of another system -> predictions, scores, metrics."""

from posescope.pipelines.evaluation.options import EvaluationOptions
from posescope.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = {"evaluation": EvaluationOptions}
