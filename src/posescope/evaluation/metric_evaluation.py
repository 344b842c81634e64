"""Evaluation of one split by all chosen metrics: values with confidence intervals, tables per person and per joint."""

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.plugins import ComponentSpec, build
from posescope.core.skeleton import Skeleton
from posescope.evaluation.bootstrap import MIN_IMAGES, ImageResamples, Interval, resample_images
from posescope.evaluation.metric_values import MetricValue, MetricValues, Protocol
from posescope.evaluation.metrics.average_precision import evaluate_coco
from posescope.evaluation.metrics.average_precision_bootstrap import resample_average_precision
from posescope.evaluation.metrics.base import MetricResult
from posescope.evaluation.per_joint import joint_error_table
from posescope.evaluation.protocols import annotations_to_find
from posescope.evaluation.scored_persons import ScoredPersons
from posescope.evaluation.table_schemas import PersonScores

__all__ = [
    "PRECISION_NAMES",
    "PersonEvaluation",
    "evaluate_heatmaps",
    "evaluate_persons",
    "evaluate_precision",
    "mean_metric_value",
]

_log = logging.getLogger(__name__)

# pycocotools' names -> names in metrics.json.
_OKS_NAMES = {"AP": "oks_ap", "AP50": "oks_ap50", "AP75": "oks_ap75", "AR": "oks_ar"}
PRECISION_NAMES = tuple(_OKS_NAMES.values())


@dataclass(frozen=True)
class PersonEvaluation:
    """The results of all metrics for N persons.

    Attributes:
        metric_values: headline values.
        person_scores: a `PersonScores` table; every metric with a value per person is a column.
        joint_scores: one row per joint and visibility group: joint, visibility, labelled, mean errors, and one column per metric.
    """

    metric_values: MetricValues
    person_scores: pd.DataFrame
    joint_scores: pd.DataFrame


def evaluate_persons(
    scored: ScoredPersons,
    metrics: Sequence[ComponentSpec],
    seed: int,
    image_ids: Collection[int] | NDArray[np.int64] | None = None,
    resamples: int = 1000,
    protocol: Protocol = "crops",
) -> PersonEvaluation:
    """Compute the metrics per person, each headline value with a bootstrap interval over images.

    The interval is that of the mean of `MetricResult.per_person` with `MetricResult.weights`. A metric without values per person,
    or whose headline value is another number, has no interval.

    Args:
        scored: N persons. Persons without prediction count as missed, and are not `found` in `person_scores`.
        metrics: components of posescope.metrics.
        seed: random seed of the draws of images. The same images, seed and number of draws give the same draws.
        image_ids: all images of the evaluation, those without persons included. None: the images of the persons.
        resamples: number of draws.
        protocol: which persons count; stated beside the values.
    """
    results: list[MetricResult] = [build("metrics", spec)(scored) for spec in metrics]
    draws = resample_images(np.asarray(scored.image_ids if image_ids is None else list(image_ids), np.int64), seed, resamples)
    if len(draws.image_ids) < MIN_IMAGES:
        _log.warning("Evaluation on %d images: intervals over fewer than %d are too narrow.", len(draws.image_ids), MIN_IMAGES)
    values: dict[str, MetricValue] = {}
    columns: dict[str, Any] = {"person_id": scored.person_ids, "image_id": scored.image_ids, "found": scored.found}
    joints = joint_error_table(scored)
    for result in results:
        columns |= result.per_person
        values |= {name: _person_metric_value(name, result, scored, draws, protocol) for name in result.metric_values}
        for name in result.per_joint:
            joints[name] = _joint_column(result, name, joints, scored.skeleton)
    table = pd.DataFrame(PersonScores.validate(pd.DataFrame(columns)))
    return PersonEvaluation(metric_values=MetricValues(values), person_scores=table, joint_scores=joints)


def evaluate_precision(
    ground_truth: Path | Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    skeleton: Skeleton,
    seed: int,
    resamples: int = 1000,
    protocol: Protocol = "coco",
    evaluated_persons: pd.DataFrame | None = None,
    image_ids: Collection[int] | None = None,
) -> tuple[MetricValues, list[int]]:
    """Compute COCO's average precision and recall with bootstrap intervals over images.

    Args:
        ground_truth, results, image_ids: see `evaluate_coco`.
        skeleton: skeleton of the data set.
        seed, resamples: random seed and number of the draws of images.
        protocol: `coco`: all persons of the annotation count; `crops`: only `evaluated_persons` count, others are ignored.
        evaluated_persons: a `Persons` table, read for `crops` only. None: all persons count.

    Returns:
        oks_ap, oks_ap50, oks_ap75 and oks_ar; and the ids of all evaluated images, ascending, for the draws of other metrics.
    """
    annotations = None if evaluated_persons is None else annotations_to_find(protocol, evaluated_persons)
    found = evaluate_coco(ground_truth, results, skeleton.oks_sigmas, image_ids, skeleton.category_id, annotations)
    matches, image_ids = found.matches, found.matches.image_ids
    draws = resample_images(image_ids, seed, resamples)
    drawn, persons = resample_average_precision(matches, draws), int(matches.persons.sum())
    values = {
        name: _metric_value(draws.interval(found.metric_values[coco_name], drawn[coco_name]), persons, protocol)
        for coco_name, name in _OKS_NAMES.items()
    }
    return MetricValues(values), image_ids.tolist()


def evaluate_heatmaps(errors: pd.DataFrame, image_ids: Collection[int], seed: int, resamples: int = 1000) -> MetricValues:
    """Compute `mse`, the mean squared error of the heatmaps of persons with a crop; no value without heatmaps.

    Args:
        errors: a `HeatmapErrors` table.
        image_ids, seed, resamples: images, random seed and number of the draws, as for `evaluate_persons`.
    """
    if not len(errors):
        return MetricValues({})
    draws = resample_images(np.asarray(list(image_ids), np.int64), seed, resamples)
    values, weights, images = (errors[name].to_numpy() for name in ("mse", "weight", "image_id"))
    return MetricValues({"mse": mean_metric_value(values, weights, images, draws)})


def mean_metric_value(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    image_ids: NDArray[np.int64],
    draws: ImageResamples,
    protocol: Protocol = "crops",
) -> MetricValue:
    """Return the weighted mean of one value per person, with its interval.

    Args:
        values: (n,); NaN values are ignored.
        weights: (n,) >= 0.
        image_ids: (n,) the image of each person.
        draws: bootstrap draws of the images.
        protocol: which persons count; stated beside the value.
    """
    known = ~np.isnan(values) & (weights > 0)
    weighted = weights[known]
    estimate = float((values[known] * weighted).sum() / weighted.sum()) if len(weighted) else math.nan
    # The ratio of two means over the same persons is the ratio of their sums.
    above, below = (draws.means(part, image_ids[known]) for part in (values[known] * weighted, weighted))
    return _metric_value(draws.interval(estimate, above / below), int(known.sum()), protocol)


def _metric_value(interval: Interval, persons: int, protocol: Protocol) -> MetricValue:
    low, high = (None, None) if math.isnan(interval.low) else (interval.low, interval.high)
    return MetricValue(interval.estimate, low, high, persons=persons, protocol=protocol)


def _person_metric_value(
    name: str, result: MetricResult, scored: ScoredPersons, draws: ImageResamples, protocol: Protocol
) -> MetricValue:
    value, per_person = result.metric_values[name], result.per_person.get(name)
    if per_person is None:
        return MetricValue(value, persons=len(scored), protocol=protocol)
    weights = result.weights.get(name, np.ones(len(scored)))
    found = mean_metric_value(per_person, weights, scored.image_ids, draws, protocol)
    # If the headline is another average, this interval is not its own.
    same = math.isclose(found.value, value, rel_tol=1e-9, abs_tol=1e-12)
    return found if same else MetricValue(value, persons=found.persons, protocol=protocol)


def _joint_column(result: MetricResult, name: str, joints: pd.DataFrame, skeleton: Skeleton) -> list[float]:
    value_of = dict(zip(skeleton.joints, result.per_joint[name].tolist(), strict=True))
    return [
        value_of[joint] if visibility == "all" else math.nan
        for joint, visibility in zip(joints["joint"], joints["visibility"], strict=True)
    ]
