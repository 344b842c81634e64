"""Pipeline `explainability`: a trained model -> features, components, analyses."""

from posescope.pipelines.explainability.options import ExplainabilityOptions
from posescope.pipelines.explainability.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = {"explainability": ExplainabilityOptions}
