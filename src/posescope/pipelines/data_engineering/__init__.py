"""Pipeline `data_engineering`: raw annotations and images -> persons, splits, crops, targets."""

from posescope.pipelines.data_engineering.options import DataEngineeringOptions
from posescope.pipelines.data_engineering.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = {"data_engineering": DataEngineeringOptions}
