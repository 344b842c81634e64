"""Crops and targets, and a space of parameters -> the parameters with the best validation PCK."""

from posescope.pipelines.tune.pipeline import create_pipeline
from posescope.tuning.options import TuneOptions

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = {"tune": TuneOptions}
