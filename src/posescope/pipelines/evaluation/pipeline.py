"""The flow of evaluation, on the validation set."""

from kedro.pipeline import Pipeline, pipeline

from posescope.pipelines.evaluation import nodes
from posescope.pipelines.steps import step

__all__ = ["create_pipeline"]


def create_pipeline() -> Pipeline:
    """A trained model -> predictions, COCO results, scores, metrics."""
    return pipeline(
        [
            step(
                nodes.predict_validation,
                ["model", "crops", "targets", "persons", "crop_boxes", "params:evaluation.prediction"],
                {"predictions": "predictions_val", "mse": "heatmap_mse_val"},
            ),
            step(nodes.write_results, ["predictions_val", "persons", "skeleton"], "coco_results_val"),
            step(
                nodes.score_precision,
                ["raw_source", "coco_results_val", "skeleton", "params:data_engineering.source"],
                "average_precision_val",
            ),
            step(
                nodes.score_persons,
                ["model", "predictions_val", "persons", "keypoints", "crop_boxes", "skeleton", "params:evaluation.scoring"],
                {"figures": "figures_val", "person_scores": "person_scores_val", "joint_scores": "joint_scores_val"},
            ),
            step(nodes.assemble_metrics, ["figures_val", "average_precision_val", "heatmap_mse_val"], "metrics"),
            step(
                nodes.score_joints,
                ["model", "predictions_val", "persons", "keypoints", "crop_boxes", "skeleton"],
                "joint_hits_val",
            ),
        ],
        tags="evaluation",
    )
