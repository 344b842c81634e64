"""Linear probes of attributes: fitted on the fitted persons, judged on the judged persons.

    attribute from components     the part of an attribute that is linearly decodable from all first components together
    component from attributes     the part of a component that all attributes together explain

The control of each is the best squared correlation of any prediction with any permuted truth of its kind: judged persons are
permuted between photographs (max statistic; Westfall and Young, 1993). Squared correlations by chance fall as 1 / persons, and
attributes are known for different numbers of persons, so the null distribution is of squared correlation x persons.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from posescope.evaluation.bootstrap import Interval, resample_images
from posescope.explainability.attributes.attribute_columns import MIN_PERSONS, AttributeColumn, columns_of, stack_columns
from posescope.explainability.attributes.linear_probes import assign_folds, fit_probe
from posescope.explainability.components.attribute_shares import (
    FOLDS,
    RESAMPLES,
    SHUFFLES,
    THREADS,
    Floats,
    ProbedPersons,
    best_squared_correlations,
    p_of_maximum,
    prediction_share,
    standardise,
)
from posescope.explainability.findings import MIN_IMAGES

__all__ = ["EXPLAINED_COLUMNS", "PROBE_COLUMNS", "NullDistribution", "ProbedAttributes", "explain_components", "probe_attributes"]

EXPLAINED_COLUMNS = ["component", "all_r2", "all_r2_low", "all_r2_high", "all_control_high", "all_p_value"]
PROBE_COLUMNS = [
    "attribute", "persons", "components", "fitted_r2", "r2", "r2_low", "r2_high", "control", "control_low", "control_high",
    "p_value",
]  # fmt: skip
_CONTROL_RANGE = (0.01, 0.99)
_PERSONS_PER_COMPONENT = 4  # with nearly as many components as persons, a probe would fit every person exactly


@dataclass(frozen=True)
class NullDistribution:
    """Distribution of the best squared correlation x persons over all pairs: (S,), one number per permutation."""

    maxima: Floats

    def interval(self, persons: int) -> Interval:
        """Return the median and the range of 98 % of the best squared correlation for this many persons; NaN if unknown."""
        if not len(self.maxima):
            return Interval(float("nan"), float("nan"), float("nan"))
        r2 = np.minimum(self.maxima / persons, 1.0)
        low, high = np.quantile(r2, _CONTROL_RANGE)
        return Interval(float(np.median(r2)), float(low), float(high))


@dataclass(frozen=True)
class ProbedAttributes:
    """Attributes predicted from all components together.

    Attributes:
        probes: one row per attribute; columns `PROBE_COLUMNS`.
        null: null distribution of all of them.
        left_out: reason by name of each attribute without a row.
    """

    probes: pd.DataFrame
    null: NullDistribution
    left_out: dict[str, str]


def probe_attributes(fitted: ProbedPersons, judged: ProbedPersons, seed: int) -> ProbedAttributes:
    """Predict each attribute from all given components together.

    Args:
        fitted: persons that the probes are fitted to.
        judged: persons of other photographs.
        seed: random seed of folds, permutations and resamples.
    """
    columns, left_out = columns_of(fitted.attributes, fitted.groups)
    records, best = [], []
    for place, column in enumerate(one for one in columns if not one.of_unknown):
        own, others = _known(fitted, column), _known(judged, column)
        photographs = len(np.unique(others.groups))
        if len(others) < MIN_PERSONS or photographs < MIN_IMAGES:
            left_out[column.attribute] = f"known for {len(others)} judged persons in {photographs} images"
            continue
        record, maxima = _probe(column, own, others, seed, place)
        records.append(record)
        best.append(maxima * len(others))
    null = NullDistribution(np.max(best, axis=0) if best else np.empty(0))
    for record in records:
        control = null.interval(int(record["persons"]))
        p_value = p_of_maximum(float(record["r2"]) * int(record["persons"]), null.maxima)
        record |= {**control.columns("control"), "p_value": p_value}
    return ProbedAttributes(pd.DataFrame(records, columns=PROBE_COLUMNS), null, left_out)


def _known(persons: ProbedPersons, column: AttributeColumn) -> ProbedPersons:
    rows = np.flatnonzero(np.isfinite(persons.attributes[column.attribute].to_numpy(dtype=np.float64)))
    return ProbedPersons(persons.scores[rows], persons.attributes.iloc[rows], persons.groups[rows])


def _probe(
    column: AttributeColumn, fitted: ProbedPersons, judged: ProbedPersons, seed: int, place: int
) -> tuple[dict[str, float | int | str], Floats]:
    """Return the row of one attribute without its control, and its (S,) squared correlations by chance."""
    used = max(1, min(fitted.scores.shape[1], len(fitted) // _PERSONS_PER_COMPONENT))
    x, x_judged = (standardise(persons.scores[:, :used], fitted.scores[:, :used]) for persons in (fitted, judged))
    truth, truth_judged = column.read(fitted.attributes)[:, None], column.read(judged.attributes)[:, None]
    with threadpool_limits(THREADS):
        found = fit_probe(x, truth, assign_folds(fitted.groups, FOLDS, seed))
    predicted = found.predict(x_judged)
    draws = resample_images(judged.groups, seed, RESAMPLES)
    (r2,) = prediction_share(predicted - truth.mean(), truth_judged - truth.mean(), judged.groups, draws)
    maxima = best_squared_correlations(truth_judged, predicted, judged.groups, SHUFFLES, seed + place)
    about = {"attribute": column.attribute, "persons": len(judged), "components": used, "fitted_r2": float(found.r2[0])}
    return {**about, **r2.columns("r2")}, maxima


def explain_components(fitted: ProbedPersons, judged: ProbedPersons, seed: int) -> pd.DataFrame:
    """Predict each component from all attributes together, known or unknown (`attribute_columns`).

    Args:
        fitted, judged, seed: see `probe_attributes`.

    Returns:
        One row per component with the columns `EXPLAINED_COLUMNS`; all_control_high is the 99th percentile of the best squared
        correlation of any component by chance. Empty without attributes.
    """
    columns, _ = columns_of(fitted.attributes, fitted.groups)
    if not columns:
        return pd.DataFrame(columns=EXPLAINED_COLUMNS)
    x, x_judged = (stack_columns(columns, persons.attributes) for persons in (fitted, judged))
    y, y_judged = (standardise(persons.scores, fitted.scores) for persons in (fitted, judged))
    with threadpool_limits(THREADS):
        predicted = fit_probe(x, y, assign_folds(fitted.groups, FOLDS, seed)).predict(x_judged)
    draws = resample_images(judged.groups, seed, RESAMPLES)
    shares = prediction_share(predicted, y_judged, judged.groups, draws)
    maxima = best_squared_correlations(y_judged, predicted, judged.groups, SHUFFLES, seed)
    control = NullDistribution(maxima).interval(1).high
    records = [
        {"component": i, **r2.columns("all_r2"), "all_control_high": control, "all_p_value": p_of_maximum(r2.estimate, maxima)}
        for i, r2 in enumerate(shares, start=1)
    ]
    return pd.DataFrame(records, columns=EXPLAINED_COLUMNS)
