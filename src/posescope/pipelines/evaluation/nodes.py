"""Nodes of evaluation: unpack, one call, return."""

from dataclasses import replace
from typing import Any

import pandas as pd
from plotly.graph_objects import Figure

from posescope.artifacts.pose_model import PoseModel
from posescope.core.origin import Origin, add_origin, check_origins, origin_of_table
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import empty_table, ids_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import load_annotation_file
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.rgb_images import PngImage
from posescope.evaluation.bootstrap import draw_images
from posescope.evaluation.error_analysis.error_costs import error_cost_table
from posescope.evaluation.error_analysis.error_types import error_type_table, joint_error_types
from posescope.evaluation.error_analysis.reliability import rank_table, reliability_table
from posescope.evaluation.error_analysis.strata import stratum_table
from posescope.evaluation.metric_values import EvaluationSetting, add_setting, metric_values_table
from posescope.evaluation.per_joint import tabulate_joint_hits
from posescope.evaluation.protocols import annotations_to_find
from posescope.evaluation.scored_persons import Cases, gather_cases, gather_scored
from posescope.evaluation.scoring_options import ScoringOptions
from posescope.evaluation.table_schemas import DecodingEffects, join_error_types
from posescope.pipelines.evaluation.options import ErrorAnalysisOptions
from posescope.prediction.decoding_effects import measure_decoding_effects
from posescope.prediction.options import PredictionOptions
from posescope.reporting.image_grids.worst_persons import draw_worst_persons
from posescope.reporting.plots.evaluation_plots import plot_error_costs, plot_error_types, plot_reliability, plot_strata
from posescope.reporting.result_filter import add_image_origin, add_plot_origin

__all__: list[str] = []

SPLIT = "val"


def tabulate_metrics(metrics: dict[str, Any]) -> pd.DataFrame:
    """The content of metrics.json as a table."""
    return metric_values_table(metrics)


def tabulate_persons(person_scores: pd.DataFrame) -> pd.DataFrame:
    """The scores of persons, for people to read."""
    return person_scores


def gather_failure_cases(
    crops: CropStore,
    predictions: pd.DataFrame,
    wanted: pd.DataFrame,
    persons_read: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    setting: EvaluationSetting,
) -> Cases:
    """Everybody who counts, found or not, with their surroundings: what all that follows looks at."""
    check_origins(setting.origin, {"predictions": origin_of_table(predictions)}, "evaluation")
    ids = ids_of(wanted, SPLIT)
    return gather_cases(predictions, persons_read, keypoints, crop_boxes, skeleton, crops.crop_size, ids)


def diagnose_errors(
    cases: Cases,
    raw_source: CocoFolder,
    persons_read: pd.DataFrame,
    skeleton: Skeleton,
    wanted: pd.DataFrame,
    setting: EvaluationSetting,
    source: SourceOptions,
    scoring: ScoringOptions,
    results: str | None,
    error_analysis: ErrorAnalysisOptions,
) -> dict[str, Any]:
    """The type of every joint's error, how often each type happens, and what it costs."""
    scored, types = cases.scored, joint_error_types(cases, skeleton.flip_indices)
    draws = draw_images(scored.image_ids, error_analysis.seed, error_analysis.resamples)
    truth = load_annotation_file(raw_source.annotation_file(source, source.val_split))
    to_find = annotations_to_find(scoring.precision_protocol, wanted)
    costs = error_cost_table(scored, types, truth, persons_read, skeleton, draws, to_find, with_precision=results is None)
    return {
        "joint_errors": add_origin(join_error_types(scored.person_ids, types), setting.origin or Origin()),
        "error_types": add_setting(error_type_table(scored, types, skeleton.joints, draws), setting),
        "error_costs": add_setting(costs, setting),
    }


def score_groups(cases: Cases, setting: EvaluationSetting, error_analysis: ErrorAnalysisOptions) -> pd.DataFrame:
    """The figures of groups of persons."""
    draws = draw_images(cases.scored.image_ids, error_analysis.seed, error_analysis.resamples)
    return add_setting(stratum_table(cases, draws), setting)


def hold_scores_against_errors(
    cases: Cases, setting: EvaluationSetting, error_analysis: ErrorAnalysisOptions
) -> dict[str, pd.DataFrame]:
    """Whether the score knows the error."""
    draws, few = (
        draw_images(cases.scored.image_ids, error_analysis.seed, number)
        for number in (error_analysis.resamples, error_analysis.rank_resamples)
    )
    return {
        "reliability": add_setting(reliability_table(cases.scored, draws, error_analysis.score_bins), setting),
        "ranks": add_setting(rank_table(cases.scored, few), setting),
    }


def draw_error_types(error_types: pd.DataFrame) -> Figure:
    """Types of errors by joint."""
    return add_plot_origin(plot_error_types(error_types), origin_of_table(error_types))


def draw_error_costs(error_costs: pd.DataFrame) -> Figure:
    """What each type of error costs."""
    return add_plot_origin(plot_error_costs(error_costs), origin_of_table(error_costs))


def draw_strata(strata: pd.DataFrame) -> Figure:
    """Groups of persons."""
    return add_plot_origin(plot_strata(strata), origin_of_table(strata))


def draw_reliability(reliability: pd.DataFrame, ranks: pd.DataFrame) -> Figure:
    """The score against the error."""
    return add_plot_origin(plot_reliability(reliability, ranks), origin_of_table(reliability))


def measure_decoding(
    model: PoseModel | None,
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    persons_read: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    setting: EvaluationSetting,
    prediction: PredictionOptions,
    results: str | None,
    error_analysis: ErrorAnalysisOptions,
) -> pd.DataFrame:
    """What sub-pixel decoding and the flip test are worth; an empty table if nobody asks, or another system's file is scored."""
    if model is None or results is not None or not error_analysis.decoding_effects:
        return empty_table(DecodingEffects)
    members = crops.select(targets, ids_of(persons, SPLIT))
    effects = measure_decoding_effects(
        model, members, persons_read, keypoints, crop_boxes, prediction, error_analysis.seed, error_analysis.resamples
    )
    return add_setting(effects, replace(setting, protocol="crops"))


def show_worst(
    person_scores: pd.DataFrame,
    joint_errors: pd.DataFrame,
    predictions: pd.DataFrame,
    crops: CropStore,
    targets: PoseTargets,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    error_analysis: ErrorAnalysisOptions,
) -> PngImage:
    """The persons on whom the model fails most."""
    found = {"joint_errors": origin_of_table(joint_errors), "predictions": origin_of_table(predictions)}
    check_origins(origin_of_table(person_scores), found, "evaluation")
    picture = draw_worst_persons(
        person_scores, joint_errors, predictions, crops, targets, crop_boxes, skeleton, error_analysis.worst_persons
    )
    return add_image_origin(picture, origin_of_table(person_scores))


def score_joints(
    crops: CropStore,
    predictions: pd.DataFrame,
    wanted: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    setting: EvaluationSetting,
) -> pd.DataFrame:
    """What each labelled joint of each person scored: what `posescope compare` needs of every run."""
    check_origins(setting.origin, {"predictions": origin_of_table(predictions)}, "evaluation")
    scored = gather_scored(predictions, wanted, keypoints, crop_boxes, skeleton, crops.crop_size, ids_of(wanted, SPLIT))
    return add_origin(tabulate_joint_hits(scored, skeleton), setting.origin or Origin())
