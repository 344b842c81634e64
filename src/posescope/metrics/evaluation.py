"""All chosen metrics on one split: headline figures with intervals, a row a person, a row a joint."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from posescope.metrics.base import MetricFigures
from posescope.metrics.confidence import bootstrap_mean
from posescope.metrics.per_joint import joint_error_table
from posescope.plugins import ComponentSpec, build
from posescope.records import ScoredPersons
from posescope.skeleton import Skeleton
from posescope.tables import PersonScores

__all__ = ["Evaluation", "Figure", "Figures", "evaluate_persons", "metrics_content", "precision_figures"]

# pycocotools' names -> ours.
_OKS_NAMES = {"AP": "oks_ap", "AP50": "oks_ap50", "AP75": "oks_ap75", "AR": "oks_ar"}


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval; low and high are None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """As JSON: NaN becomes null."""
        return {name: _or_null(value) for name, value in (("value", self.value), ("low", self.low), ("high", self.high))}


@dataclass(frozen=True)
class Figures:
    """Headline figures by name."""

    by_name: Mapping[str, Figure]

    def to_dict(self) -> dict[str, dict[str, float | None]]:
        """As JSON: {name: {value, low, high}}."""
        return {name: figure.to_dict() for name, figure in self.by_name.items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Mapping[str, float | None]]) -> "Figures":
        """Inverse of `to_dict`; null becomes NaN."""
        return cls({name: Figure(_or_nan(one["value"]), one["low"], one["high"]) for name, one in content.items()})


@dataclass(frozen=True)
class Evaluation:
    """What all metrics say of N persons.

    Attributes:
        figures: headline figures by name.
        person_scores: a `PersonScores` table: every metric that has a value a person is a column.
        joint_scores: a row a joint and group of visibility: joint, visibility, labelled, one column a metric, mean errors.
    """

    figures: Figures
    person_scores: pd.DataFrame
    joint_scores: pd.DataFrame


def evaluate_persons(scored: ScoredPersons, metrics: Sequence[ComponentSpec], skeleton: Skeleton, seed: int) -> Evaluation:
    """Run the metrics; a figure that is the mean of a value a person gets a bootstrap interval over persons."""
    results: list[MetricFigures] = [build("metrics", spec)(scored) for spec in metrics]
    figures: dict[str, Figure] = {}
    columns: dict[str, Any] = {"person_id": scored.person_ids, "image_id": scored.image_ids}
    joints = joint_error_table(scored, skeleton.joints)
    for result in results:
        columns |= result.per_person
        figures |= {name: _with_interval(name, value, result, seed) for name, value in result.figures.items()}
        for name in result.per_joint:
            joints[name] = _joint_column(result, name, joints, skeleton)
    table = pd.DataFrame(PersonScores.validate(pd.DataFrame(columns)))
    return Evaluation(figures=Figures(figures), person_scores=table, joint_scores=joints)


def metrics_content(figures: Figures, precision: Figures, mse: float, split: str) -> dict[str, Any]:
    """The content of `metrics.json`: {split: {name: {value, low, high}}}."""
    return {split: Figures({**figures.by_name, **precision.by_name, "mse": Figure(mse)}).to_dict()}


def precision_figures(precision: MetricFigures) -> Figures:
    """Pycocotools' figures under our names: oks_ap, oks_ap50, oks_ap75, oks_ar."""
    return Figures({ours: Figure(precision.figures[theirs]) for theirs, ours in _OKS_NAMES.items()})


def _with_interval(name: str, value: float, result: MetricFigures, seed: int) -> Figure:
    per_person = result.per_person.get(name)
    if per_person is None or math.isnan(value):
        return Figure(value)
    interval = bootstrap_mean(per_person, seed)
    # Some headline figures weigh joints, not persons: the interval of another average would not belong to them.
    return Figure(value, interval.low, interval.high) if math.isclose(interval.estimate, value) else Figure(value)


def _joint_column(result: MetricFigures, name: str, joints: pd.DataFrame, skeleton: Skeleton) -> list[float]:
    value_of = dict(zip(skeleton.joints, result.per_joint[name].tolist(), strict=True))
    return [
        value_of[joint] if visibility == "all" else math.nan
        for joint, visibility in zip(joints["joint"], joints["visibility"], strict=True)
    ]


def _or_null(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
