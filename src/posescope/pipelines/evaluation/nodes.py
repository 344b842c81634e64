"""Nodes of the pipeline `evaluation` besides those that score a split (`split_scoring_nodes`)."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from posescope.artifacts.pose_model import PoseModel
from posescope.artifacts.uncertainty import Uncertainty
from posescope.core.origin import Origin, add_origin, check_origins, origin_of_table
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import ids_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.joined_annotations import read_truth
from posescope.data.coco.sources import SourceList, combine_folders
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.photographs import PhotographMode
from posescope.drawing.rgb_images import PngImage
from posescope.evaluation import per_joint
from posescope.evaluation.bootstrap import resample_images
from posescope.evaluation.error_analysis import joint_uncertainty
from posescope.evaluation.error_analysis.error_costs import error_cost_table
from posescope.evaluation.error_analysis.error_types import error_type_table, joint_error_types
from posescope.evaluation.error_analysis.reliability import rank_table, reliability_table
from posescope.evaluation.error_analysis.strata import stratum_table
from posescope.evaluation.metric_values import EvaluationSetting, add_setting
from posescope.evaluation.protocols import annotations_to_find
from posescope.evaluation.scored_persons import Cases, gather_cases, gather_scored
from posescope.evaluation.scoring_options import ScoringOptions
from posescope.evaluation.table_schemas import DecodingEffects, JointTrust, RiskCoverage, UncertaintyCoverage, join_error_types
from posescope.pipelines.evaluation.options import ErrorAnalysisOptions
from posescope.prediction import decoding_variants as decoding_effects
from posescope.prediction.options import PredictionOptions
from posescope.reporting.image_grids import joint_circles, worst_persons
from posescope.reporting.result_filter import add_image_origin

__all__: list[str] = []

SPLIT = "val"


def tabulate_person_scores(person_scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores per person, to be saved as CSV."""
    return person_scores


def gather_error_cases(
    crops: CropStore,
    predictions: pd.DataFrame,
    evaluated: pd.DataFrame,
    persons_read: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    setting: EvaluationSetting,
    images: list[int],
) -> Cases:
    """Gather all evaluated persons, predicted or missed, with their neighbours in the image.

    Args:
        crops: crops of the data set.
        predictions: `Predictions` of the persons.
        evaluated, persons_read: `Persons` that count, and all well-formed ones.
        keypoints, crop_boxes: `Keypoints` and `CropBoxes`.
        skeleton: joints and OKS sigmas.
        setting: evaluation setting of the run.
        images: ids of all evaluated images, those without persons included.
    """
    check_origins(setting.origin, {"predictions": origin_of_table(predictions)}, "evaluation")
    ids = ids_of(evaluated, SPLIT)
    cases = gather_cases(predictions, persons_read, keypoints, crop_boxes, skeleton, crops.crop_size, ids)
    return replace(cases, images=np.array(images, dtype=np.int64))


def classify_errors(
    cases: Cases,
    raw_source: CocoFolder,
    persons_read: pd.DataFrame,
    evaluated: pd.DataFrame,
    setting: EvaluationSetting,
    source: SourceOptions,
    sources: SourceList,
    scoring: ScoringOptions,
    results: str | None,
    error_analysis: ErrorAnalysisOptions,
) -> dict[str, Any]:
    """Classify the error of every joint, and compute the frequency and cost of each type of error.

    Args:
        cases: evaluated persons with their neighbours.
        raw_source, source, sources: the data set and the names of its files and folders, or several data sets.
        persons_read, evaluated: `Persons`, all well-formed ones and those that count.
        setting: evaluation setting of the run.
        scoring: metrics and protocols.
        results: file of another system's results. None: the model is evaluated.
        error_analysis: seed and resamples.

    Returns:
        `joint_errors` (`JointErrors`), `error_types` (`ErrorTypes`) and `error_costs` (`ErrorCosts`).
    """
    scored, types = cases.scored, joint_error_types(cases)
    draws = cases.resample(error_analysis.seed, error_analysis.resamples)
    folder = combine_folders(raw_source, sources)
    images = None if folder.has_validation_file(source) or cases.images is None else cases.images.tolist()
    truth = read_truth(folder, source, SPLIT, scored.skeleton, images)
    to_find = annotations_to_find(scoring.precision_protocol, evaluated)
    costs = error_cost_table(scored, types, truth, persons_read, draws, to_find, with_precision=results is None)
    return {
        "joint_errors": add_origin(join_error_types(scored.person_ids, types), setting.origin or Origin()),
        "error_types": add_setting(error_type_table(scored, types, draws), setting),
        "error_costs": add_setting(costs, setting),
    }


def score_strata(cases: Cases, setting: EvaluationSetting, error_analysis: ErrorAnalysisOptions) -> pd.DataFrame:
    """Compute the metrics of groups of persons.

    Args:
        cases: evaluated persons with their neighbours.
        setting: evaluation setting of the run.
        error_analysis: seed and resamples.

    Returns:
        A `Strata` table.
    """
    draws = cases.resample(error_analysis.seed, error_analysis.resamples)
    return add_setting(stratum_table(cases, draws), setting)


def relate_scores_to_errors(
    cases: Cases, setting: EvaluationSetting, error_analysis: ErrorAnalysisOptions
) -> dict[str, pd.DataFrame]:
    """Compute how well predicted scores rank joints and persons by their error.

    Args:
        cases: evaluated persons with their neighbours.
        setting: evaluation setting of the run.
        error_analysis: seed, resamples and bins.

    Returns:
        `reliability` (`Reliability`) and `ranks` (`RankCorrelations`).
    """
    draws, few = (
        cases.resample(error_analysis.seed, number) for number in (error_analysis.resamples, error_analysis.rank_resamples)
    )
    return {
        "reliability": add_setting(reliability_table(cases.scored, draws, error_analysis.score_bins), setting),
        "ranks": add_setting(rank_table(cases.scored, few), setting),
    }


def judge_uncertainty(
    cases: Cases,
    uncertainty: Uncertainty | None,
    setting: EvaluationSetting,
    results: str | None,
    error_analysis: ErrorAnalysisOptions,
) -> dict[str, pd.DataFrame]:
    """Compare the calibrated radii with the errors of the evaluated persons; empty without calibration.

    Args:
        cases: evaluated persons with their neighbours.
        uncertainty: radii of the model. None: it was not calibrated.
        setting: evaluation setting of the run.
        results: file of another system's results. None: the model is evaluated.
        error_analysis: seed and resamples.

    Returns:
        `coverage` (`UncertaintyCoverage`), `risk` (`RiskCoverage`) and `trust` (`JointTrust`).
    """
    if uncertainty is None or results is not None:
        return {"coverage": UncertaintyCoverage.empty(), "risk": RiskCoverage.empty(), "trust": JointTrust.empty()}
    check_origins(setting.origin, {"uncertainty": Origin(model=uncertainty.model)}, "modelling")
    scored, flip_test = cases.scored, bool(setting.flip_test)
    table = uncertainty.radius_table(scored.skeleton.joints, flip_test)
    draws = cases.resample(error_analysis.seed, error_analysis.resamples)
    judged = joint_uncertainty.judge_radii(scored, table, uncertainty.level, uncertainty.max_radius_px)
    return {
        "coverage": add_setting(joint_uncertainty.coverage_table(judged, uncertainty.reasons(flip_test), draws), setting),
        "risk": add_setting(joint_uncertainty.risk_coverage_table(judged, draws), setting),
        "trust": add_setting(joint_uncertainty.trust_table(judged, draws), setting),
    }


def measure_decoding_effects(
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
    images: list[int],
) -> pd.DataFrame:
    """Measure the effects of decoding and flip test; empty if disabled, or if results of another system are scored.

    Args:
        model: the model. None: another system's results are scored.
        crops, targets: crops of the data set and their joints.
        persons, persons_read: `Persons`, with splits and all well-formed ones.
        keypoints, crop_boxes: `Keypoints` and `CropBoxes`.
        setting: evaluation setting of the run.
        prediction: batch size, device and flip test.
        results: file of another system's results. None: the model is evaluated.
        error_analysis: whether the effects are measured; seed and resamples.
        images: ids of all evaluated images.

    Returns:
        A `DecodingEffects` table.
    """
    if model is None or results is not None or not error_analysis.decoding_effects:
        return DecodingEffects.empty()
    members = crops.select(targets, ids_of(persons, SPLIT))
    draws = resample_images(np.array(images, dtype=np.int64), error_analysis.seed, error_analysis.resamples)
    effects = decoding_effects.measure_decoding_effects(model, members, persons_read, keypoints, crop_boxes, prediction, draws)
    return add_setting(effects, replace(setting, protocol="crops"))


def draw_worst_persons(
    person_scores: pd.DataFrame,
    joint_errors: pd.DataFrame,
    predictions: pd.DataFrame,
    crops: CropStore,
    targets: PoseTargets,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    error_analysis: ErrorAnalysisOptions,
    photographs: PhotographMode,
) -> PngImage:
    """Draw the persons with the lowest OKS.

    Args:
        person_scores, joint_errors, predictions: `PersonScores`, `JointErrors` and `Predictions` of the persons.
        crops, targets, crop_boxes: crops, their joints and `CropBoxes`.
        skeleton: joints and limbs.
        error_analysis: number of persons.
        photographs: how photographs are shown.
    """
    found = {"joint_errors": origin_of_table(joint_errors), "predictions": origin_of_table(predictions)}
    check_origins(origin_of_table(person_scores), found, "evaluation")
    grid = worst_persons.draw_worst_persons(
        person_scores, joint_errors, predictions, crops, targets, crop_boxes, skeleton, error_analysis.worst_persons, photographs
    )
    return add_image_origin(grid, origin_of_table(person_scores), photographs)


def draw_joint_circles(
    person_scores: pd.DataFrame,
    predictions: pd.DataFrame,
    uncertainty: Uncertainty | None,
    coverage: pd.DataFrame,
    setting: EvaluationSetting,
    crops: CropStore,
    targets: PoseTargets,
    skeleton: Skeleton,
    photographs: PhotographMode,
) -> PngImage:
    """Draw some persons with the circles of their joints; plain ground without calibration.

    Args:
        person_scores, predictions: `PersonScores` and `Predictions` of the persons.
        uncertainty: radii of the model. None: it was not calibrated.
        coverage: `UncertaintyCoverage`; empty if the radii were not judged.
        setting: evaluation setting of the run.
        crops, targets: crops of the data set and their joints.
        skeleton: joints and limbs.
        photographs: how photographs are shown.
    """
    if uncertainty is None or coverage.empty:
        return joint_circles.plain_ground()
    check_origins(origin_of_table(person_scores), {"predictions": origin_of_table(predictions)}, "evaluation")
    check_origins(setting.origin, {"uncertainty": Origin(model=uncertainty.model)}, "modelling")
    grid = joint_circles.draw_joint_circles(
        person_scores, predictions, uncertainty, bool(setting.flip_test), crops, targets, skeleton, photographs
    )
    return add_image_origin(grid, origin_of_table(person_scores), photographs)


def tabulate_joint_hits(
    crops: CropStore,
    predictions: pd.DataFrame,
    evaluated: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    setting: EvaluationSetting,
) -> pd.DataFrame:
    """Return the hit or miss of every labelled joint, for `posescope compare`.

    Args:
        crops: crops of the data set.
        predictions, evaluated: `Predictions` and `Persons` that count.
        keypoints, crop_boxes: `Keypoints` and `CropBoxes`.
        skeleton: joints and OKS sigmas.
        setting: evaluation setting of the run.

    Returns:
        A `JointHits` table.
    """
    check_origins(setting.origin, {"predictions": origin_of_table(predictions)}, "evaluation")
    scored = gather_scored(predictions, evaluated, keypoints, crop_boxes, skeleton, crops.crop_size, ids_of(evaluated, SPLIT))
    return add_origin(per_joint.tabulate_joint_hits(scored), setting.origin or Origin())
