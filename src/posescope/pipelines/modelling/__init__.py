"""Crops and targets -> a trained model and its history."""

from posescope.pipelines.modelling.options import ModellingOptions
from posescope.pipelines.modelling.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = {"modelling": ModellingOptions}
