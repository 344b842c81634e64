"""Metric values, each with its confidence interval and the setting that it was computed in: the content of `metrics.json`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from posescope.core.origin import Origin, check_origins

__all__ = [
    "METRICS_SCHEMA_VERSION",
    "BoxSource",
    "EvaluationSetting",
    "MetricValue",
    "MetricValues",
    "Protocol",
    "add_setting",
    "metric_values_table",
    "metrics_content",
    "origin_of_metrics",
    "pipeline_of_split",
]

# Raised when a reader of the previous version would misread the file; a new key alone does not raise it.
METRICS_SCHEMA_VERSION = 1

# The persons that count: "coco", all labelled persons, those without crop as not found; "crops", persons with a crop only.
Protocol = Literal["coco", "crops"]
# The source of the persons' boxes: the annotation, or another system's results.
BoxSource = Literal["ground_truth", "results"]


@dataclass(frozen=True)
class EvaluationSetting:
    """The setting of metric values: two values whose settings differ are not comparable.

    Attributes:
        protocol: which persons count in the metrics per person; AP and AR may have another protocol.
        split: split of the persons.
        box_source: "ground_truth", or "results" if another system's file was scored.
        flip_test: whether heatmaps were averaged with those of the mirrored crop; None for another system's file.
        origin: model, data and results of the values; None if unknown.
    """

    protocol: Protocol
    split: str
    box_source: BoxSource
    flip_test: bool | None
    origin: Origin | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for tables and JSON, with those of the origin where it is known."""
        own = {"protocol": self.protocol, "split": self.split, "box_source": self.box_source, "flip_test": self.flip_test}
        return own if self.origin is None else own | self.origin.to_dict()


@dataclass(frozen=True)
class MetricValue:
    """A metric value with its 95 % confidence interval over images.

    Attributes:
        value: NaN where nothing is labelled.
        low, high: ends of the interval; None without interval.
        persons: number of persons that count; None if unknown.
        protocol: which persons count; None if unknown.
        origin: model, data and results of the value; None if unknown.
        source: the data set whose persons count, of several; None for the persons of all data sets.
    """

    value: float
    low: float | None = None
    high: float | None = None
    persons: int | None = None
    protocol: Protocol | None = None
    origin: Origin | None = None
    source: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON; NaN becomes null, and `source` is left out if it is None."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        about: dict[str, Any] = {"persons": self.persons, "protocol": self.protocol}
        about |= {} if self.source is None else {"source": self.source}
        about |= {} if self.origin is None else self.origin.to_dict()
        return {name: _or_null(value) for name, value in numbers.items()} | about


@dataclass(frozen=True)
class MetricValues:
    """Metric values by name."""

    by_name: Mapping[str, MetricValue]

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return {name: {value, low, high, persons, protocol}} for JSON, with the fields of the origin where it is known."""
        return {name: one.to_dict() for name, one in self.by_name.items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Mapping[str, Any]]) -> "MetricValues":
        """Inverse of `to_dict`; null becomes NaN."""
        return cls({name: _metric_value_of(one) for name, one in content.items()})

    def of(self, origin: Origin | None) -> "MetricValues":
        """Return the same values with another origin."""
        return MetricValues({name: replace(one, origin=origin) for name, one in self.by_name.items()})

    def of_source(self, source: str) -> "MetricValues":
        """Return the values as those of one data set: `<metric>/<source>` is their name."""
        return MetricValues({f"{name}/{source}": replace(one, source=source) for name, one in self.by_name.items()})

    def and_others(self, others: "MetricValues") -> "MetricValues":
        """Return the values with others that have other names."""
        return MetricValues({**self.by_name, **others.by_name})


def add_setting(table: pd.DataFrame, setting: EvaluationSetting) -> pd.DataFrame:
    """Add the columns protocol, split, box_source, flip_test and those of the origin.

    Args:
        table: a table of metric values; a column that it has already is kept, since its rows differ in it.
        setting: setting of all rows.
    """
    columns = setting.to_dict() | {"flip_test": pd.array([setting.flip_test] * len(table), dtype="boolean")}
    return table.assign(**{name: value for name, value in columns.items() if name not in table})


def pipeline_of_split(split: str) -> str:
    """Return the name of the pipeline that scores a split."""
    return "final_test" if split == "test" else "evaluation"


def metrics_content(setting: EvaluationSetting, *parts: MetricValues) -> dict[str, Any]:
    """Return the content of `metrics.json` (docs/metrics.md).

    Args:
        setting: setting of the values; each value keeps its own protocol.
        parts: metrics per person, average precision, and error of the heatmaps.

    Returns:
        {"schema_version": ..., split: {name: {value, low, high, persons, protocol, split, box_source, flip_test, model, data,
        results}}}.

    Raises:
        OriginMismatchError: if the model, data or results of a value are not those of the setting.
    """
    origins = {name: one.origin for part in parts for name, one in part.by_name.items()}
    check_origins(setting.origin, origins, pipeline_of_split(setting.split))
    values = {name: value for part in parts for name, value in part.to_dict().items()}
    rows = {name: {**value, **setting.to_dict(), "protocol": value["protocol"]} for name, value in values.items()}
    return {"schema_version": METRICS_SCHEMA_VERSION, setting.split: rows}


def origin_of_metrics(content: Mapping[str, Any]) -> Origin | None:
    """Return the origin that all values of a `metrics.json` state; None if it is missing, or the values differ in it."""
    values = [value for split, part in content.items() if split != "schema_version" for value in part.values()]
    found = {Origin.from_dict(value) for value in values}
    return found.pop() if len(found) == 1 else None


def metric_values_table(content: Mapping[str, Any]) -> pd.DataFrame:
    """Return the content of `metrics.json` as a table: one row per split and metric, by name; its keys are the columns."""
    rows = [
        {"metric": name, **value}
        for split, values in content.items()
        if split != "schema_version"
        for name, value in sorted(values.items())
    ]
    return pd.DataFrame(rows)


def _metric_value_of(content: Mapping[str, Any]) -> MetricValue:
    value = math.nan if content["value"] is None else float(content["value"])
    origin = Origin.from_dict(content)
    about = {name: content.get(name) for name in ("persons", "protocol", "source")}
    return MetricValue(value, content["low"], content["high"], origin=origin, **about)


def _or_null(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
