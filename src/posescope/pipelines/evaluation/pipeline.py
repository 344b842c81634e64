"""The flow of evaluation, on the validation set: of the trained model, or of another system's results."""

from kedro.pipeline import Pipeline, pipeline

from posescope.pipelines.evaluation import nodes
from posescope.pipelines.split_scoring import PREDICTION, SCORING, score_split
from posescope.pipelines.steps import step

__all__ = ["create_pipeline"]

RESULTS = "params:evaluation.results"
FAILURES = "params:evaluation.error_analysis"


def create_pipeline() -> Pipeline:
    """A trained model, or a file of results -> predictions, COCO results, scores, metrics, and where the model fails."""
    return _score() + _find_failures()


def _score() -> Pipeline:
    return pipeline(
        [
            score_split("val", "model", "metrics", RESULTS),
            step(nodes.tabulate_metrics, "metrics", "metrics_table"),
            step(nodes.tabulate_persons, "person_scores_val", "person_scores_table"),
            step(
                nodes.score_joints,
                ["crops", "predictions_val", "evaluated_persons_val", "keypoints", "crop_boxes", "skeleton", "setting_val"],
                "joint_hits_val",
            ),
        ],
        tags="evaluation",
    )


def _find_failures() -> Pipeline:
    return pipeline(
        [
            step(
                nodes.gather_failure_cases,
                [
                    "crops",
                    "predictions_val",
                    "evaluated_persons_val",
                    "persons_read",
                    "keypoints",
                    "crop_boxes",
                    "skeleton",
                    "setting_val",
                ],
                "cases_val",
            ),
            step(
                nodes.diagnose_errors,
                [
                    "cases_val",
                    "raw_source",
                    "persons_read",
                    "skeleton",
                    "evaluated_persons_val",
                    "setting_val",
                    "params:data_engineering.source",
                    SCORING,
                    RESULTS,
                    FAILURES,
                ],
                {"joint_errors": "joint_errors_val", "error_types": "error_types", "error_costs": "error_costs"},
            ),
            step(nodes.score_groups, ["cases_val", "setting_val", FAILURES], "strata"),
            step(
                nodes.hold_scores_against_errors,
                ["cases_val", "setting_val", FAILURES],
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
                    "setting_val",
                    PREDICTION,
                    RESULTS,
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
