"""Pipeline `improve`: a trained model -> the same model with an autoencoder in its bottleneck, compared with the original."""

from posescope.improvement.options import ImproveOptions
from posescope.pipelines.improve.pipeline import create_pipeline

__all__ = ["PARAMETERS", "create_pipeline"]

PARAMETERS = {"improve": ImproveOptions}
