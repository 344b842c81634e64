"""Parameters of the pipeline `evaluation`."""

from pydantic import Field

from posescope.core.paths import LocalPath
from posescope.core.plugins import Options
from posescope.evaluation.scoring_options import ScoringOptions
from posescope.prediction.options import PredictionOptions

__all__ = ["ErrorAnalysisOptions", "EvaluationOptions", "ScoringOptions"]


class ErrorAnalysisOptions(Options):
    """Options of the error analysis."""

    seed: int = Field(0, ge=0, description="seed of the bootstrap intervals")
    resamples: int = Field(1000, ge=2, le=100_000, description="bootstrap resamples of the images")
    rank_resamples: int = Field(200, ge=2, le=100_000, description="bootstrap resamples for rank correlations, which take longer")
    score_bins: int = Field(10, ge=1, le=100, description="bins of scores, with equal numbers of joints or persons")
    worst_persons: int = Field(50, ge=1, le=500, description="persons on the image grid of the worst persons")
    decoding_effects: bool = Field(
        True,
        description="measure the effects of sub-pixel decoding and flip test; takes two more passes over the validation crops",
    )


class EvaluationOptions(Options):
    """Parameters of the pipeline `evaluation`."""

    prediction: PredictionOptions = Field(default_factory=PredictionOptions, description="batch size, device and flip test")
    scoring: ScoringOptions = Field(default_factory=ScoringOptions, description="metrics, protocol and intervals")
    results: LocalPath | None = Field(
        None,
        description="path of a JSON file of COCO keypoint results that are scored instead of the model",
    )
    error_analysis: ErrorAnalysisOptions = Field(
        default_factory=ErrorAnalysisOptions, description="options of the error analysis"
    )
