"""Pipeline `reporting`: the results of a run -> the report and the model card."""

from posescope.pipelines.reporting.options import ReportingOptions
from posescope.pipelines.reporting.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = {"reporting": ReportingOptions}
