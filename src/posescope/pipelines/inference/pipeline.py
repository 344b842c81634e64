"""The flow of inference."""

from kedro.pipeline import Pipeline, pipeline

from posescope.pipelines.inference import nodes
from posescope.pipelines.steps import step

__all__ = ["create_pipeline"]


LIMITS = "params:inference.image_limits"


def create_pipeline() -> Pipeline:
    """A folder of images -> boxes, poses, COCO results, overlays."""
    return pipeline(
        [
            step(
                nodes.find_people,
                ["inference_images", "inference_boxes", "params:inference.detector", LIMITS],
                {"people": "detected_people", "summary": "inference_summary"},
            ),
            step(
                nodes.pose_people,
                ["inference_model", "inference_images", "detected_people", "params:inference.prediction", LIMITS],
                "posed_people",
            ),
            step(nodes.write_poses, ["inference_model", "posed_people"], "inference_results"),
            step(
                nodes.draw_overlays,
                [
                    "inference_model",
                    "inference_images",
                    "posed_people",
                    "overlays_workspace",
                    "params:inference.overlays",
                    LIMITS,
                ],
                "overlays",
            ),
        ],
        tags="inference",
    )
