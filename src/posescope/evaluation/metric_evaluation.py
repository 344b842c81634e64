"""All chosen metrics on one split: headline figures with intervals, a row a person, a row a joint."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import ScoredPersons
from posescope.core.skeleton import Skeleton
from posescope.core.tables import PersonScores
from posescope.evaluation.bootstrap import ImageDraws, Interval, draw_images
from posescope.evaluation.metric_values import MetricValue, MetricValues, Protocol
from posescope.evaluation.metrics.average_precision import CocoEvaluation, match_coco
from posescope.evaluation.metrics.average_precision_bootstrap import resample_average_precision
from posescope.evaluation.metrics.base import MetricResult
from posescope.evaluation.per_joint import joint_error_table
from posescope.evaluation.protocols import annotations_to_find

__all__ = [
    "PersonEvaluation",
    "MetricValue",
    "MetricValues",
    "PrecisionEvaluation",
    "evaluate_heatmaps",
    "evaluate_persons",
    "evaluate_precision",
    "mean_metric_value",
    "average_precision_values",
]

# pycocotools' names -> ours.
_OKS_NAMES = {"AP": "oks_ap", "AP50": "oks_ap50", "AP75": "oks_ap75", "AR": "oks_ar"}


@dataclass(frozen=True)
class PersonEvaluation:
    """What all metrics say of N persons.

    Attributes:
        metric_values: headline figures by name.
        person_scores: a `PersonScores` table: every metric that has a value a person is a column.
        joint_scores: a row a joint and group of visibility: joint, visibility, labelled, one column a metric, mean errors.
    """

    metric_values: MetricValues
    person_scores: pd.DataFrame
    joint_scores: pd.DataFrame


@dataclass(frozen=True)
class PrecisionEvaluation:
    """COCO's figures, and the images that they are of.

    Attributes:
        metric_values: oks_ap, oks_ap50, oks_ap75, oks_ar.
        image_ids: all images of the evaluation, ascending: what every other figure's draws are made from.
    """

    metric_values: MetricValues
    image_ids: tuple[int, ...]


def evaluate_persons(
    scored: ScoredPersons,
    metrics: Sequence[ComponentSpec],
    skeleton: Skeleton,
    seed: int,
    image_ids: Collection[int] | NDArray[np.int64] | None = None,
    resamples: int = 1000,
    protocol: Protocol = "crops",
) -> PersonEvaluation:
    """Run the metrics; every headline figure gets a bootstrap interval over images.

    A metric says what its headline is the mean of (`MetricResult.per_person`, weighted by `weights`). One that says
    nothing of the kind, or whose headline is another number, has no interval.

    Args:
        scored: N persons. Those without a prediction count in the figures as missed; in `person_scores` they are not `found`.
        metrics: components of posescope.metrics.
        skeleton: of the data.
        seed: of the draws of images; with the same images, seed and resamples, the draws are the same.
        image_ids: all images of the evaluation, those without people included; none: the images of the persons.
        resamples: how many draws.
        protocol: what the figures are labelled with.
    """
    results: list[MetricResult] = [build("metrics", spec)(scored) for spec in metrics]
    draws = draw_images(np.asarray(scored.image_ids if image_ids is None else list(image_ids), np.int64), seed, resamples)
    metric_values: dict[str, MetricValue] = {}
    columns: dict[str, Any] = {"person_id": scored.person_ids, "image_id": scored.image_ids, "found": scored.found}
    joints = joint_error_table(scored, skeleton.joints)
    for result in results:
        columns |= result.per_person
        metric_values |= {name: _person_figure(name, result, scored, draws, protocol) for name in result.metric_values}
        for name in result.per_joint:
            joints[name] = _joint_column(result, name, joints, skeleton)
    table = pd.DataFrame(PersonScores.validate(pd.DataFrame(columns)))
    return PersonEvaluation(metric_values=MetricValues(metric_values), person_scores=table, joint_scores=joints)


def evaluate_precision(
    ground_truth: Path | Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    skeleton: Skeleton,
    seed: int,
    resamples: int = 1000,
    protocol: Protocol = "coco",
    wanted: pd.DataFrame | None = None,
    image_ids: Collection[int] | None = None,
) -> PrecisionEvaluation:
    """COCO's average precision and recall with intervals.

    Args:
        ground_truth, results, image_ids: as for `evaluate_coco`.
        skeleton: of the data.
        seed, resamples: of the draws of images.
        protocol: `coco`: everybody in the annotation is to be found; `crops`: only `wanted`, the others are neither wanted nor
            punished.
        wanted: a `Persons` table; read for `crops` alone, all are wanted where there is none.
    """
    annotations = None if wanted is None else annotations_to_find(protocol, wanted)
    found = match_coco(ground_truth, results, skeleton.oks_sigmas, image_ids, skeleton.category_id, annotations)
    draws = draw_images(found.image_ids, seed, resamples)
    return PrecisionEvaluation(average_precision_values(found, draws, protocol), tuple(found.image_ids.tolist()))


def evaluate_heatmaps(errors: pd.DataFrame, image_ids: Collection[int], seed: int, resamples: int = 1000) -> MetricValues:
    """The mean squared error of the heatmaps with its interval: figure `mse`, of those with a crop; no figure without heatmaps.

    Args:
        errors: a `HeatmapErrors` table.
        image_ids, seed, resamples: of the draws, as for `evaluate_persons`.
    """
    if not len(errors):
        return MetricValues({})
    draws = draw_images(np.asarray(list(image_ids), np.int64), seed, resamples)
    values, weights, images = (errors[name].to_numpy() for name in ("mse", "weight", "image_id"))
    return MetricValues({"mse": mean_metric_value(values, weights, images, draws)})


def average_precision_values(evaluation: CocoEvaluation, draws: ImageDraws, protocol: Protocol = "coco") -> MetricValues:
    """Pycocotools' figures under our names, with intervals: oks_ap, oks_ap50, oks_ap75, oks_ar."""
    resampled = resample_average_precision(evaluation.matches, draws)
    return MetricValues(
        {
            ours: _figure(
                draws.interval(evaluation.precision.metric_values[theirs], resampled[theirs]), evaluation.persons, protocol
            )
            for theirs, ours in _OKS_NAMES.items()
        }
    )


def mean_metric_value(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    image_ids: NDArray[np.int64],
    draws: ImageDraws,
    protocol: Protocol = "crops",
) -> MetricValue:
    """The weighted mean of (n,) values, one a person, with its interval; a NaN value does not count."""
    known = ~np.isnan(values) & (weights > 0)
    weighed = weights[known]
    estimate = float((values[known] * weighed).sum() / weighed.sum()) if len(weighed) else math.nan
    # The ratio of two means over the same people is the ratio of their sums.
    above, below = (draws.means(part, image_ids[known]) for part in (values[known] * weighed, weighed))
    return _figure(draws.interval(estimate, above / below), int(known.sum()), protocol)


def _figure(interval: Interval, persons: int, protocol: Protocol) -> MetricValue:
    known = not math.isnan(interval.low)
    return MetricValue(
        interval.estimate, interval.low if known else None, interval.high if known else None, persons=persons, protocol=protocol
    )


def _person_figure(name: str, result: MetricResult, scored: ScoredPersons, draws: ImageDraws, protocol: Protocol) -> MetricValue:
    value, per_person = result.metric_values[name], result.per_person.get(name)
    if per_person is None:
        return MetricValue(value, persons=len(scored), protocol=protocol)
    weights = result.weights.get(name, np.ones(len(scored)))
    found = mean_metric_value(per_person, weights, scored.image_ids, draws, protocol)
    # The interval of another average would not belong to this figure.
    alike = math.isclose(found.value, value, rel_tol=1e-9, abs_tol=1e-12)
    return found if alike else MetricValue(value, persons=found.persons, protocol=protocol)


def _joint_column(result: MetricResult, name: str, joints: pd.DataFrame, skeleton: Skeleton) -> list[float]:
    value_of = dict(zip(skeleton.joints, result.per_joint[name].tolist(), strict=True))
    return [
        value_of[joint] if visibility == "all" else math.nan
        for joint, visibility in zip(joints["joint"], joints["visibility"], strict=True)
    ]
