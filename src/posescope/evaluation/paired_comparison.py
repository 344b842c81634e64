"""Comparison of two runs on the same persons: paired differences with a bootstrap over images.

    person   run A   run B   B - A
    7        0.50    0.75    +0.25     differences are resampled, not scores. What makes a person hard is hard for both runs and
    8        0.20    0.20     0        cancels, so differences are detected that two separate intervals would hide.
    9        0.90    1.00    +0.10

All persons of an image are drawn together (`bootstrap`), and all metrics and joints share the same draws. A person without
prediction counts with 0 in hits and in OKS.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import pluralise
from posescope.core.origin import ORIGIN_COLUMNS
from posescope.evaluation.bootstrap import ImageResamples, resample_images
from posescope.evaluation.metrics.base import MetricError

__all__ = ["JointComparison", "PairedMetric", "RunComparison", "compare_joints", "compare_persons", "compare_values"]

_NO_METRICS = ("person_id", "image_id", "found", *ORIGIN_COLUMNS)
_LABEL = ["person_id", "joint", "visibility", "x", "y"]


@dataclass(frozen=True)
class PairedMetric:
    """One metric of two runs.

    Attributes:
        name: name of the metric.
        count: number of persons (or joints) with a value in both runs; the other fields are over these.
        a, b: means of the runs A and B.
        difference: b - a; NaN, with its interval, if `count` is 0.
        low, high: 95 % interval of the difference.
    """

    name: str
    count: int
    a: float
    b: float
    difference: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether all of the interval is above zero, or all of it below."""
        return self.low > 0 or self.high < 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and `excludes_zero` for JSON; NaN becomes null."""
        content = {key: None if value != value else value for key, value in asdict(self).items()}  # noqa: PLR0124
        return {**content, "excludes_zero": self.excludes_zero}


@dataclass(frozen=True)
class JointComparison:
    """One joint of two runs, by two measures of which larger values are better."""

    joint: str
    pck_thesis: PairedMetric
    oks: PairedMetric

    def winner(self, measure: Literal["pck_thesis", "oks"]) -> Literal["A", "B", ""]:
        """Return the run that is better by this measure; '' if the interval includes zero."""
        metric: PairedMetric = getattr(self, measure)
        if not metric.excludes_zero:
            return ""
        return "B" if metric.difference > 0 else "A"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        measures = {name: {**getattr(self, name).to_dict(), "winner": self.winner(name)} for name in ("pck_thesis", "oks")}
        return {"joint": self.joint, **measures}


@dataclass(frozen=True)
class RunComparison:
    """Two runs, compared on the persons that count in both.

    Attributes:
        persons, images: numbers in common.
        missed_a, missed_b: number of these persons without prediction in the run; they count with 0.
        only_a, only_b: number of persons that count in this run only; they are left out.
        metric_values: metric values of every column that both tables have.
        left_out: names of the columns that one of the tables lacks.
    """

    persons: int
    images: int
    missed_a: int
    missed_b: int
    only_a: int
    only_b: int
    metric_values: tuple[PairedMetric, ...]
    left_out: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        metrics = [metric.to_dict() for metric in self.metric_values]
        return {**asdict(self), "metric_values": metrics}


def compare_values(
    name: str, first: NDArray[np.float64], second: NDArray[np.float64], image_ids: NDArray[np.int64], draws: ImageResamples
) -> PairedMetric:
    """Return the paired difference of one metric.

    Args:
        name: name of the metric.
        first, second: (n,) values of runs A and B for the same persons in the same order; pairs with a NaN are ignored.
        image_ids: (n,) the image of each person.
        draws: bootstrap draws of the images.
    """
    both = ~(np.isnan(first) | np.isnan(second))
    first, second = first[both], second[both]
    interval = draws.mean_interval(second - first, image_ids[both])
    a, b = (float(values.mean()) if len(values) else float("nan") for values in (first, second))
    return PairedMetric(name, int(both.sum()), a, b, interval.estimate, interval.low, interval.high)


def compare_persons(first: pd.DataFrame, second: pd.DataFrame, seed: int = 0, resamples: int = 1000) -> RunComparison:
    """Compare every metric that two runs have for each person.

    Args:
        first, second: `PersonScores` tables of runs A and B.
        seed, resamples: random seed and number of the bootstrap draws.

    Raises:
        MetricError: if the runs have no person or no metric in common, or if a person is in another image in the other run.
    """
    joined = first.merge(second, on="person_id", suffixes=(":a", ":b")).sort_values("person_id")
    if joined.empty:
        counts = f"A has scored {pluralise(len(first), 'person')}, B {pluralise(len(second), 'other')}"
        raise MetricError(f"The runs have no person in common: {counts}.")
    _check_images(joined)
    names = [name for name in first.columns if name in second.columns and name not in _NO_METRICS]
    if not names:
        raise MetricError("The runs have no metric in common: they were scored by other metrics (evaluation.scoring.metrics).")
    image_ids = joined["image_id:a"].to_numpy(dtype=np.int64)
    draws = resample_images(image_ids, seed, resamples)
    return RunComparison(
        persons=len(joined),
        images=len(draws.image_ids),
        missed_a=int((~joined["found:a"]).sum()),
        missed_b=int((~joined["found:b"]).sum()),
        only_a=len(first) - len(joined),
        only_b=len(second) - len(joined),
        metric_values=tuple(compare_values(name, *_values(joined, name), image_ids, draws) for name in names),
        left_out=tuple(sorted((set(first.columns) ^ set(second.columns)) - set(_NO_METRICS))),
    )


def compare_joints(
    first: pd.DataFrame, second: pd.DataFrame, seed: int = 0, resamples: int = 1000
) -> tuple[JointComparison, ...]:
    """Compare two runs joint by joint, over the persons in common; the largest absolute difference of OKS comes first.

    Args:
        first, second: `JointHits` tables of runs A and B.
        seed, resamples: of the bootstrap; the draws are those of `compare_persons` if every person has a labelled joint.

    Raises:
        MetricError: if the runs have other joints, or other labels for the same persons.
    """
    common = np.intersect1d(first["person_id"].unique(), second["person_id"].unique())
    first, second = (table[table["person_id"].isin(common)] for table in (first, second))
    _check_labels(first, second)
    joined = first.merge(second, on=["person_id", "joint"], suffixes=(":a", ":b"))
    draws = resample_images(joined["image_id:a"].to_numpy(dtype=np.int64), seed, resamples)
    found = [_compare_joint(str(joint), rows, draws) for joint, rows in joined.groupby("joint", sort=True)]
    return tuple(sorted(found, key=lambda one: abs(one.oks.difference), reverse=True))


def _compare_joint(joint: str, rows: pd.DataFrame, draws: ImageResamples) -> JointComparison:
    image_ids = rows["image_id:a"].to_numpy(dtype=np.int64)
    pck, oks = (compare_values(name, *_values(rows, name), image_ids, draws) for name in ("pck_thesis", "oks"))
    return JointComparison(joint, pck, oks)


def _values(joined: pd.DataFrame, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = (joined[f"{name}:{run}"].to_numpy(dtype=np.float64) for run in "ab")
    return first, second


def _check_images(joined: pd.DataFrame) -> None:
    moved = joined[joined["image_id:a"] != joined["image_id:b"]]
    if len(moved):
        row = moved.iloc[0]
        raise MetricError(
            f"The runs were scored on different persons: person {row['person_id']:.0f} is in image {row['image_id:a']:.0f} in A "
            f"and in image {row['image_id:b']:.0f} in B ({pluralise(len(moved), 'such person')}). Only runs on the same "
            "validation set can be compared."
        )


def _check_labels(first: pd.DataFrame, second: pd.DataFrame) -> None:
    names = [set(table["joint"]) for table in (first, second)]
    if names[0] != names[1]:
        raise MetricError(
            f"The runs have different skeletons: only in A: {', '.join(sorted(names[0] - names[1])) or 'no joint'}; "
            f"only in B: {', '.join(sorted(names[1] - names[0])) or 'no joint'}."
        )
    known = [name for name in _LABEL if name in first and name in second]
    labels = [table[known].sort_values(known).to_numpy().tolist() for table in (first, second)]
    if labels[0] != labels[1]:
        raise MetricError(
            "The runs were scored against different annotations: labelled joints of the same persons, or their coordinates, "
            "differ. Only runs on the same validation set can be compared."
        )
