"""A trained model and its explainability -> the same with an autoencoder in its bottleneck, and whether that is better."""

from posescope.improvement.options import ImproveOptions
from posescope.pipelines.improve.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = {"improve": ImproveOptions}
