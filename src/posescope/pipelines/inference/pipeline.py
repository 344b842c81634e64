"""The pipeline `inference`."""

from kedro.pipeline import Pipeline

from posescope.pipelines.inference import nodes
from posescope.pipelines.steps import stage, step

__all__ = ["create_pipeline"]


def create_pipeline() -> Pipeline:
    """Return the pipeline: a folder of images -> COCO results, overlays and an account of the run, in one streaming node."""
    options = ("detector", "prediction", "overlays", "image_limits")
    return stage(
        "inference",
        [
            step(
                nodes.predict_poses,
                [
                    *("inference_model", "inference_images", "inference_boxes", "overlays_workspace"),
                    *(f"params:inference.{name}" for name in options),
                ],
                {"results": "inference_results", "summary": "inference_summary", "overlays": "overlays"},
            ),
        ],
    )
