"""The parameters of the namespace `evaluation`."""

from pydantic import Field

from posescope.core.paths import LocalPath
from posescope.core.plugins import Options
from posescope.evaluation.scoring_options import ScoringOptions
from posescope.prediction.options import PredictionOptions

__all__ = ["EvaluationOptions", "ErrorAnalysisOptions", "ScoringOptions"]


class ErrorAnalysisOptions(Options):
    """How closely one looks at where the model fails."""

    seed: int = Field(0, ge=0, description="seed of the draws of images that the intervals come from")
    resamples: int = Field(1000, ge=2, le=100_000, description="draws of the images")
    rank_resamples: int = Field(200, ge=2, le=100_000, description="draws for rank correlations, which cost more")
    score_bins: int = Field(10, ge=1, le=100, description="ranges of scores, of equally many joints or persons")
    worst_persons: int = Field(50, ge=1, le=500, description="persons on the contact sheet of the worst")
    decoding_effects: bool = Field(
        True, description="measure sub-pixel decoding and the flip test; costs two more passes over the validation crops"
    )


class EvaluationOptions(Options):
    """All parameters of the pipeline."""

    prediction: PredictionOptions = Field(default_factory=PredictionOptions, description="how the model is run")
    scoring: ScoringOptions = Field(default_factory=ScoringOptions, description="how it is scored")
    results: LocalPath | None = Field(
        None,
        description="path of a JSON file of COCO keypoint results, to be scored in place of the model's predictions",
    )
    error_analysis: ErrorAnalysisOptions = Field(
        default_factory=ErrorAnalysisOptions, description="how it is seen where the model fails"
    )
