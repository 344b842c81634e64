"""Headline figures, each with its interval and with all that is needed to compare it: the content of `metrics.json`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from posescope.core.origin import Origin, check_origins

__all__ = [
    "METRICS_SCHEMA_VERSION",
    "BoxSource",
    "MetricValue",
    "MetricValues",
    "Protocol",
    "EvaluationSetting",
    "metric_values_table",
    "metrics_content",
    "origin_of_metrics",
    "pipeline_of_split",
    "evaluation_setting",
    "add_setting",
]

# Raised whenever a reader of the last version would misread the file; a new key alone does not.
METRICS_SCHEMA_VERSION = 1

# Who counts: everybody labelled, the discarded as missed; or those with a crop alone.
Protocol = Literal["coco", "crops"]
# Where the places of the people came from: the annotation, or another system's results, which may have found nobody.
BoxSource = Literal["ground_truth", "results"]


@dataclass(frozen=True)
class EvaluationSetting:
    """What a figure is to be told with: two that differ in any of these are not of the same thing.

    Attributes:
        protocol: who counts in the figures a person (AP and AR may have another one).
        split: whose people.
        box_source: "ground_truth": the annotation said where people are; "results": another system's file was scored.
        flip_test: whether heatmaps were averaged with those of the mirrored crop; None with another system's file.
        origin: which model, data and results the figures are of; None where nobody said.
    """

    protocol: Protocol
    split: str
    box_source: BoxSource
    flip_test: bool | None
    origin: Origin | None = None


@dataclass(frozen=True)
class MetricValue:
    """A figure with its 95 % interval over images, and of whom it is.

    Attributes:
        value: NaN where nobody is labelled.
        low, high: ends of the interval; None where there is none.
        persons: how many people it is of; None where nobody said.
        protocol: who of them counts; None where nobody said.
        origin: which model, data and results it is of; None where nobody said.
    """

    value: float
    low: float | None = None
    high: float | None = None
    persons: int | None = None
    protocol: Protocol | None = None
    origin: Origin | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON: NaN becomes null."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        told: dict[str, Any] = {"persons": self.persons, "protocol": self.protocol}
        told |= {} if self.origin is None else self.origin.to_dict()
        return {name: _or_null(value) for name, value in numbers.items()} | told


@dataclass(frozen=True)
class MetricValues:
    """Headline figures by name."""

    by_name: Mapping[str, MetricValue]

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """As JSON: {name: {value, low, high, persons, protocol}}, and the fields of the origin where it is known."""
        return {name: figure.to_dict() for name, figure in self.by_name.items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Mapping[str, Any]]) -> "MetricValues":
        """Inverse of `to_dict`; null becomes NaN."""
        return cls({name: _figure_of(one) for name, one in content.items()})

    def of(self, origin: Origin | None) -> "MetricValues":
        """Return the same figures with their origin."""
        return MetricValues({name: replace(figure, origin=origin) for name, figure in self.by_name.items()})


def evaluation_setting(
    protocol: Protocol, split: str, flip_test: bool, results: str | None = None, origin: Origin | None = None
) -> EvaluationSetting:
    """The setting of figures a person.

    Args:
        protocol: who counts.
        split: whose people.
        flip_test: whether a model averages with the mirrored crop.
        results: file of another system's results, if it is they that are scored.
        origin: which model, data and results.
    """
    if results is None:
        return EvaluationSetting(protocol, split, "ground_truth", flip_test, origin)
    return EvaluationSetting(protocol, split, "results", None, origin)


def add_setting(table: pd.DataFrame, setting: EvaluationSetting) -> pd.DataFrame:
    """A table of figures with what they are to be told with: columns protocol, split, box_source, flip_test, and the origin's.

    A column that the table has already stays as it is: its rows differ in it.
    """
    told: dict[str, Any] = {"protocol": setting.protocol, "split": setting.split, "box_source": setting.box_source}
    told["flip_test"] = pd.array([setting.flip_test] * len(table), dtype="boolean")
    told |= {} if setting.origin is None else setting.origin.to_dict()
    return table.assign(**{name: value for name, value in told.items() if name not in table})


def pipeline_of_split(split: str) -> str:
    """Return the name of the pipeline that scores a split."""
    return "final_test" if split == "test" else "evaluation"


def metrics_content(setting: EvaluationSetting, *metric_values: MetricValues) -> dict[str, Any]:
    """The content of `metrics.json`, as docs/metrics.md describes it.

    Args:
        setting: of the figures; each has its own protocol.
        metric_values: of the people, one by one; COCO's; of the heatmaps: in as many parts as there are.

    Returns:
        {"schema_version": ..., split: {name: {value, low, high, persons, protocol, split, box_source, flip_test, model, data,
        results}}}.

    Raises:
        OriginMismatchError: if a figure is of another model, other data or other results than the setting says.
    """
    marks = {name: one.origin for part in metric_values for name, one in part.by_name.items()}
    check_origins(setting.origin, marks, pipeline_of_split(setting.split))
    everything = {name: figure for part in metric_values for name, figure in part.to_dict().items()}
    told = {"split": setting.split, "box_source": setting.box_source, "flip_test": setting.flip_test}
    told |= {} if setting.origin is None else setting.origin.to_dict()
    return {
        "schema_version": METRICS_SCHEMA_VERSION,
        setting.split: {name: {**one, **told} for name, one in everything.items()},
    }


def origin_of_metrics(content: Mapping[str, Any]) -> Origin | None:
    """Return what the content of `metrics.json` says of its origin; None if it does not say it, or its figures differ in it."""
    metric_values = [figure for split, part in content.items() if split != "schema_version" for figure in part.values()]
    found = {Origin.from_dict(figure) for figure in metric_values}
    return found.pop() if len(found) == 1 else None


def metric_values_table(content: Mapping[str, Any]) -> pd.DataFrame:
    """The content of `metrics.json` as a table: a row a split and figure, by name; its keys are the columns."""
    rows = [
        {"metric": name, **figure}
        for split, metric_values in content.items()
        if split != "schema_version"
        for name, figure in sorted(metric_values.items())
    ]
    return pd.DataFrame(rows)


def _figure_of(content: Mapping[str, Any]) -> MetricValue:
    value = math.nan if content["value"] is None else float(content["value"])
    origin = Origin.from_dict(content)
    return MetricValue(value, content["low"], content["high"], content.get("persons"), content.get("protocol"), origin)


def _or_null(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
