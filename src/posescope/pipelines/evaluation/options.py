"""The parameters of the namespace `evaluation`."""

from pydantic import Field

from posescope.inference.crop_predictions import PredictionOptions
from posescope.pipelines.scoring_options import ScoringOptions
from posescope.plugins import Options

__all__ = ["EvaluationOptions", "ScoringOptions"]


class EvaluationOptions(Options):
    """All parameters of the pipeline."""

    prediction: PredictionOptions = Field(default_factory=PredictionOptions, description="how the model is run")
    scoring: ScoringOptions = Field(default_factory=ScoringOptions, description="how it is scored")
    results: str | None = Field(
        None,
        min_length=1,
        description="path of a JSON file of COCO keypoint results, to be scored in place of the model's predictions",
    )
