"""Pipeline `evaluation`: scores and errors of the trained model, or of another system's results, on the validation set."""

from kedro.pipeline import Pipeline

from posescope.evaluation.metric_values import metric_values_table
from posescope.pipelines.evaluation import nodes
from posescope.pipelines.split_scoring import PREDICTION, SCORING, SOURCE, SOURCES, scoring_steps
from posescope.pipelines.stage_results import collect_evaluation
from posescope.pipelines.steps import PHOTOGRAPHS, stage, step
from posescope.reporting.plots.evaluation_plots import (
    plot_error_costs,
    plot_error_types,
    plot_joint_scores,
    plot_reliability,
    plot_strata,
)
from posescope.reporting.plots.uncertainty_plots import plot_risk_coverage, plot_uncertainty

__all__ = ["create_pipeline"]

RESULTS = "params:evaluation.results"
ERROR_ANALYSIS = "params:evaluation.error_analysis"


def create_pipeline() -> Pipeline:
    """Return the pipeline from a model, or a file of results, to metrics and error analysis."""
    return _scoring() + _error_analysis() + _previews() + collect_evaluation()


def _scoring() -> Pipeline:
    return stage(
        "evaluation.scoring",
        [
            *scoring_steps("val", "model", "metrics", RESULTS),
            step(metric_values_table, "metrics", "metrics_table", "tabulate_metrics"),
            step(nodes.tabulate_person_scores, "person_scores_val", "person_scores_table"),
            step(
                nodes.tabulate_joint_hits,
                ["crops", "predictions_val", "evaluated_persons_val", "keypoints", "crop_boxes", "skeleton", "setting_val"],
                "joint_hits_val",
            ),
        ],
    )


def _error_analysis() -> Pipeline:
    persons = ["persons_read", "keypoints", "crop_boxes"]
    options = [SOURCE, SOURCES, SCORING, RESULTS, ERROR_ANALYSIS]
    return stage(
        "evaluation.error_analysis",
        [
            step(
                nodes.gather_error_cases,
                [
                    "crops",
                    "predictions_val",
                    "evaluated_persons_val",
                    *persons,
                    "skeleton",
                    "setting_val",
                    "evaluated_images_val",
                ],
                "cases_val",
            ),
            step(
                nodes.classify_errors,
                ["cases_val", "raw_source", "persons_read", "evaluated_persons_val", "setting_val", *options],
                {"joint_errors": "joint_errors_val", "error_types": "error_types", "error_costs": "error_costs"},
            ),
            step(nodes.score_strata, ["cases_val", "setting_val", ERROR_ANALYSIS], "strata"),
            step(
                nodes.relate_scores_to_errors,
                ["cases_val", "setting_val", ERROR_ANALYSIS],
                {"reliability": "reliability", "ranks": "rank_correlations"},
            ),
            step(
                nodes.judge_uncertainty,
                ["cases_val", "uncertainty", "setting_val", RESULTS, ERROR_ANALYSIS],
                {"coverage": "uncertainty_coverage", "risk": "risk_coverage", "trust": "joint_trust"},
            ),
            step(
                nodes.measure_decoding_effects,
                [
                    "model",
                    "crops",
                    "targets",
                    "persons",
                    *persons,
                    "setting_val",
                    PREDICTION,
                    RESULTS,
                    ERROR_ANALYSIS,
                    "evaluated_images_val",
                ],
                "decoding_effects",
            ),
        ],
    )


def _previews() -> Pipeline:
    crops = ["crops", "targets", "crop_boxes", "skeleton"]
    return stage(
        "evaluation.previews",
        [
            step(
                nodes.draw_worst_persons,
                ["person_scores_val", "joint_errors_val", "predictions_val", *crops, ERROR_ANALYSIS, PHOTOGRAPHS],
                "worst_persons",
            ),
            step(
                nodes.draw_joint_circles,
                [
                    *("person_scores_val", "predictions_val", "uncertainty", "uncertainty_coverage", "setting_val"),
                    *("crops", "targets", "skeleton", PHOTOGRAPHS),
                ],
                "joint_circles",
            ),
            step(plot_joint_scores, "joint_scores_val", "joint_scores_plot"),
            step(plot_error_types, "error_types", "error_types_plot"),
            step(plot_error_costs, "error_costs", "error_costs_plot"),
            step(plot_strata, "strata", "strata_plot"),
            step(plot_reliability, ["reliability", "rank_correlations"], "reliability_plot"),
            step(plot_uncertainty, "uncertainty_coverage", "uncertainty_plot"),
            step(plot_risk_coverage, "risk_coverage", "risk_coverage_plot"),
        ],
    )
