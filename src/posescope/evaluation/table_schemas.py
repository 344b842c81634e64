"""Schemas of the tables of the evaluation, and the long table of error types."""

from typing import Any, get_args

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray
from pandera.typing.pandas import Series

from posescope.evaluation.error_analysis.error_types import ERROR_TYPES
from posescope.evaluation.metric_values import BoxSource, Protocol

__all__ = [
    "DecodingEffects",
    "ErrorCosts",
    "ErrorTypes",
    "HeatmapErrors",
    "JointErrors",
    "JointHits",
    "JointTrust",
    "PersonScores",
    "RankCorrelations",
    "Reliability",
    "RiskCoverage",
    "Strata",
    "UncertaintyCoverage",
    "join_error_types",
]

UNLABELLED = "unlabelled"


def _metric(**bounds: Any) -> Any:
    """Return a field that is NaN where nothing could be measured."""
    return pa.Field(nullable=True, **bounds)


class _Table(pa.DataFrameModel):
    class Config:
        strict = True
        coerce = True


class _OriginTable(_Table):
    """A table whose rows state the model, data and results that they are of (`posescope.core.origin`); older tables lack them."""

    model: Series[str] | None
    data: Series[str] | None
    results: Series[str] | None


class PersonScores(_Table):
    """One row per evaluated person. Every metric adds a column, so only the columns of the person are checked.

    `found` is False for a person without prediction, whose metrics are those of a prediction that is wrong at every labelled
    joint.
    """

    person_id: Series[np.int64] = pa.Field(unique=True)
    image_id: Series[np.int64]
    found: Series[bool]

    class Config:  # noqa: D106
        strict = False
        coerce = True


class JointHits(_OriginTable):
    """One row per labelled joint of an evaluated person: its similarity in OKS (0..1), and whether it is correct by `pck_thesis`.

    Both are 0 for a person without prediction. `pck_thesis` is NaN for a person with a prediction but without a crop. `x` and `y`
    are the annotated place in image px, by which two runs check that they were scored against the same annotations; older tables
    lack them.
    """

    person_id: Series[np.int64]
    image_id: Series[np.int64]
    joint: Series[str]
    visibility: Series[np.uint8] = pa.Field(ge=1, le=2)
    x: Series[np.float32] | None
    y: Series[np.float32] | None
    oks: Series[np.float64] = pa.Field(ge=0, le=1)
    pck_thesis: Series[np.float64] = _metric(ge=0, le=1)


class HeatmapErrors(_OriginTable):
    """One row per person: mean squared error of the heatmaps (NaN where none counts), and the sum of their weights."""

    person_id: Series[np.int64] = pa.Field(unique=True)
    image_id: Series[np.int64]
    mse: Series[np.float64] = _metric(ge=0)
    weight: Series[np.float64] = pa.Field(ge=0)


class JointErrors(_OriginTable):
    """One row per scored person and joint: its error type, or `unlabelled`."""

    person_id: Series[np.int64]
    joint: Series[np.uint8]
    type: Series[str] = pa.Field(isin=(*ERROR_TYPES, UNLABELLED))


class _MetricTable(_Table):
    """A table of metric values: each row states its setting (`metric_values.EvaluationSetting`) and its number of persons.

    `model`, `data` and `results` are fingerprints (`posescope.core.origin`); older tables lack them.
    """

    persons: Series[np.int64] = pa.Field(ge=0)
    protocol: Series[str] = pa.Field(isin=get_args(Protocol))
    split: Series[str]
    box_source: Series[str] = pa.Field(isin=get_args(BoxSource))
    flip_test: Series[pd.BooleanDtype] = pa.Field(nullable=True)
    model: Series[str] | None = pa.Field(nullable=True)
    data: Series[str] | None = pa.Field(nullable=True)
    results: Series[str] | None = pa.Field(nullable=True)


class _CountTable(_MetricTable):
    """A table that states the number of persons without prediction."""

    not_found: Series[np.int64] = pa.Field(ge=0)


class _ScoreTable(_CountTable):
    """A table of PCK and OKS with their intervals."""

    pck_thesis: Series[np.float64] = _metric(ge=0, le=1)
    pck_thesis_low: Series[np.float64] = _metric(ge=0, le=1)
    pck_thesis_high: Series[np.float64] = _metric(ge=0, le=1)
    oks: Series[np.float64] = _metric(ge=0, le=1)
    oks_low: Series[np.float64] = _metric(ge=0, le=1)
    oks_high: Series[np.float64] = _metric(ge=0, le=1)


class _GainTable(_CountTable):
    """A table of the mean OKS gained by correcting joints."""

    oks_gain: Series[np.float64] = _metric()
    oks_gain_low: Series[np.float64] = _metric()
    oks_gain_high: Series[np.float64] = _metric()


class ErrorTypes(_GainTable):
    """One row per joint (`all`: all joints) and error type; see `error_types.error_type_table`."""

    joint: Series[str]
    type: Series[str] = pa.Field(isin=ERROR_TYPES)
    labelled: Series[np.int64] = pa.Field(ge=0)
    count: Series[np.int64] = pa.Field(ge=0)
    fraction: Series[np.float64] = _metric(ge=0, le=1)
    low: Series[np.float64] = _metric(ge=0, le=1)
    high: Series[np.float64] = _metric(ge=0, le=1)


class ErrorCosts(_GainTable):
    """One row per error type, and one for all types; see `error_costs.error_cost_table`."""

    type: Series[str]
    joints: Series[np.int64] = pa.Field(ge=0)
    oks_ap: Series[np.float64] = _metric(ge=0, le=1)
    oks_ap_corrected: Series[np.float64] = _metric(ge=0, le=1)
    ap_gain: Series[np.float64] = _metric(ge=-1, le=1)
    ap_protocol: Series[str] = pa.Field(isin=get_args(Protocol))


class Strata(_ScoreTable):
    """One row per group of persons; see `strata.stratum_table`."""

    stratum: Series[str]
    group: Series[str]


class Reliability(_ScoreTable):
    """One row per bin of scores; see `reliability.reliability_table`."""

    level: Series[str] = pa.Field(isin=("joint", "person"))
    bin: Series[np.int64] = pa.Field(ge=1)
    count: Series[np.int64] = pa.Field(ge=1)
    score_of: Series[str]
    score: Series[np.float64]
    score_low: Series[np.float64]
    score_high: Series[np.float64]


class RankCorrelations(_CountTable):
    """One row for joints and one for persons: Spearman's correlation of score and OKS."""

    level: Series[str] = pa.Field(isin=("joint", "person"))
    count: Series[np.int64] = pa.Field(ge=0)
    score_of: Series[str]
    spearman: Series[np.float64] = _metric()
    low: Series[np.float64] = _metric()
    high: Series[np.float64] = _metric()


class DecodingEffects(_MetricTable):
    """One row per variant of decoding, and one per difference of two variants; see `decoding_effects.decoding_effect_table`."""

    kind: Series[str] = pa.Field(isin=("variant", "effect"))
    variant: Series[str]
    pck_thesis: Series[np.float64] = _metric()
    pck_thesis_low: Series[np.float64] = _metric()
    pck_thesis_high: Series[np.float64] = _metric()
    oks: Series[np.float64] = _metric()
    oks_low: Series[np.float64] = _metric()
    oks_high: Series[np.float64] = _metric()


class _JudgedJoints(_MetricTable):
    """A table of joints with a calibrated radius; see `error_analysis.joint_uncertainty`."""

    labelled: Series[np.int64] = pa.Field(ge=0)
    photographs: Series[np.int64] = pa.Field(ge=0)


class UncertaintyCoverage(_JudgedJoints):
    """One row per joint (`all`: all joints) and level: fraction of the joints inside their radius."""

    joint: Series[str]
    level: Series[np.float64] = pa.Field(gt=0, lt=1)
    main: Series[bool]
    coverage: Series[np.float64] = _metric(ge=0, le=1)
    coverage_low: Series[np.float64] = _metric(ge=0, le=1)
    coverage_high: Series[np.float64] = _metric(ge=0, le=1)
    radius_px: Series[np.float64] = _metric(ge=0)
    radius_fraction: Series[np.float64] = _metric(ge=0)
    do_not_trust: Series[np.float64] = _metric(ge=0, le=1)
    reason: Series[str] = pa.Field(nullable=True)


class RiskCoverage(_JudgedJoints):
    """One row per fraction of the joints that is kept, the most certain ones: their PCK."""

    kept: Series[np.float64] = pa.Field(gt=0, le=1)
    largest_radius_px: Series[np.float64] = pa.Field(ge=0)
    pck: Series[np.float64] = _metric(ge=0, le=1)
    pck_low: Series[np.float64] = _metric(ge=0, le=1)
    pck_high: Series[np.float64] = _metric(ge=0, le=1)
    pck_by_score: Series[np.float64] = _metric(ge=0, le=1)
    pck_best: Series[np.float64] = _metric(ge=0, le=1)


class JointTrust(_JudgedJoints):
    """One row for trusted joints, one for joints flagged as not to be trusted, and one for joints without radius."""

    trust: Series[str] = pa.Field(isin=("trusted", "do not trust", "no radius"))
    fraction: Series[np.float64] = _metric(ge=0, le=1)
    pck: Series[np.float64] = _metric(ge=0, le=1)
    pck_low: Series[np.float64] = _metric(ge=0, le=1)
    pck_high: Series[np.float64] = _metric(ge=0, le=1)


def join_error_types(person_ids: NDArray[np.int64], types: NDArray[np.int8]) -> pd.DataFrame:
    """Return the error types as a `JointErrors` table.

    Args:
        person_ids: (N,).
        types: (N, K) as returned by `joint_error_types`.
    """
    count, joint_count = types.shape
    return pd.DataFrame(
        {
            "person_id": np.repeat(person_ids, joint_count),
            "joint": np.tile(np.arange(joint_count, dtype=np.uint8), count),
            # -1, unlabelled, indexes the last name.
            "type": np.array([*ERROR_TYPES, UNLABELLED])[types.ravel()],
        }
    )
