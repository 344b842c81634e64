"""The flow of evaluation, on the validation set."""

from kedro.pipeline import Pipeline, pipeline

from posescope.pipelines.evaluation import nodes
from posescope.pipelines.steps import step

__all__ = ["create_pipeline"]

FAILURES = "params:evaluation.failures"
EVERYBODY = ["predictions_val", "persons_read", "keypoints", "crop_boxes", "skeleton"]


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
                nodes.diagnose_errors,
                ["model", "raw_source", *EVERYBODY, "params:data_engineering.source", FAILURES],
                {"joint_errors": "joint_errors_val", "error_types": "error_types", "error_costs": "error_costs"},
            ),
            step(nodes.score_groups, ["model", *EVERYBODY, FAILURES], "strata"),
            step(
                nodes.hold_scores_against_errors,
                ["model", *EVERYBODY, FAILURES],
                {"reliability": "reliability", "ranks": "rank_correlations"},
            ),
            step(nodes.draw_error_types, "error_types", "error_types_plot"),
            step(nodes.draw_error_costs, "error_costs", "error_costs_plot"),
            step(nodes.draw_strata, "strata", "strata_plot"),
            step(nodes.draw_reliability, ["reliability", "rank_correlations"], "reliability_plot"),
            step(
                nodes.measure_decoding,
                [
                    "model",
                    "crops",
                    "targets",
                    "persons",
                    "persons_read",
                    "keypoints",
                    "crop_boxes",
                    "params:evaluation.prediction",
                    FAILURES,
                ],
                "decoding_effects",
            ),
            step(
                nodes.show_worst,
                [
                    "person_scores_val",
                    "joint_errors_val",
                    "predictions_val",
                    "crops",
                    "targets",
                    "crop_boxes",
                    "skeleton",
                    FAILURES,
                ],
                "worst_persons",
            ),
        ],
        tags="evaluation",
    )
