"""The tables that say where a model fails: one pandera schema each, and the long table of every joint's error type."""

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
    "JointErrors",
    "RankCorrelations",
    "Reliability",
    "Strata",
    "join_error_types",
]

UNLABELLED = "unlabelled"


def _figure(**bounds: Any) -> Any:
    """A number that may be missing, where there was nobody to measure it on."""
    return pa.Field(nullable=True, **bounds)


class _Table(pa.DataFrameModel):
    class Config:
        strict = True
        coerce = True


class _ToldTable(_Table):
    """A table of figures, each row with what it is to be told with (`metric_values.EvaluationSetting`), and of how many people it is.

    `model`, `data` and `results` are fingerprints (`posescope.core.origin`); tables of older versions lack them.
    """

    persons: Series[np.int64] = pa.Field(ge=0)
    protocol: Series[str] = pa.Field(isin=get_args(Protocol))
    split: Series[str]
    box_source: Series[str] = pa.Field(isin=get_args(BoxSource))
    flip_test: Series[pd.BooleanDtype] = pa.Field(nullable=True)
    model: Series[str] | None = pa.Field(nullable=True)
    data: Series[str] | None = pa.Field(nullable=True)
    results: Series[str] | None = pa.Field(nullable=True)


class JointErrors(_Table):
    """One row a scored person and joint: its type of error, `unlabelled` where nobody knows."""

    person_id: Series[np.int64]
    joint: Series[np.uint8]
    type: Series[str] = pa.Field(isin=(*ERROR_TYPES, UNLABELLED))
    model: Series[str] | None
    data: Series[str] | None
    results: Series[str] | None


class ErrorTypes(_ToldTable):
    """One row a joint (`all`: all joints together) and type of error; see `metrics.error_types.error_type_table`."""

    joint: Series[str]
    type: Series[str] = pa.Field(isin=ERROR_TYPES)
    not_found: Series[np.int64] = pa.Field(ge=0)
    labelled: Series[np.int64] = pa.Field(ge=0)
    count: Series[np.int64] = pa.Field(ge=0)
    fraction: Series[np.float64] = _figure(ge=0, le=1)
    low: Series[np.float64] = _figure(ge=0, le=1)
    high: Series[np.float64] = _figure(ge=0, le=1)
    oks_gain: Series[np.float64] = _figure()
    oks_gain_low: Series[np.float64] = _figure()
    oks_gain_high: Series[np.float64] = _figure()


class ErrorCosts(_ToldTable):
    """One row a type of error, put right alone, and one for all; see `metrics.error_costs.error_cost_table`."""

    type: Series[str]
    not_found: Series[np.int64] = pa.Field(ge=0)
    joints: Series[np.int64] = pa.Field(ge=0)
    oks_ap: Series[np.float64] = _figure(ge=0, le=1)
    oks_ap_corrected: Series[np.float64] = _figure(ge=0, le=1)
    ap_gain: Series[np.float64] = _figure(ge=-1, le=1)
    ap_protocol: Series[str] = pa.Field(isin=get_args(Protocol))
    oks_gain: Series[np.float64] = _figure()
    oks_gain_low: Series[np.float64] = _figure()
    oks_gain_high: Series[np.float64] = _figure()


class Strata(_ToldTable):
    """One row a group of persons; see `metrics.strata.stratum_table`."""

    stratum: Series[str]
    group: Series[str]
    not_found: Series[np.int64] = pa.Field(ge=0)
    pck_thesis: Series[np.float64] = _figure(ge=0, le=1)
    pck_thesis_low: Series[np.float64] = _figure(ge=0, le=1)
    pck_thesis_high: Series[np.float64] = _figure(ge=0, le=1)
    oks: Series[np.float64] = _figure(ge=0, le=1)
    oks_low: Series[np.float64] = _figure(ge=0, le=1)
    oks_high: Series[np.float64] = _figure(ge=0, le=1)


class Reliability(_ToldTable):
    """One row a range of scores; see `metrics.reliability.reliability_table`."""

    level: Series[str] = pa.Field(isin=("joint", "person"))
    bin: Series[np.int64] = pa.Field(ge=1)
    count: Series[np.int64] = pa.Field(ge=1)
    not_found: Series[np.int64] = pa.Field(ge=0)
    score_of: Series[str]
    score: Series[np.float64]
    score_low: Series[np.float64]
    score_high: Series[np.float64]
    pck_thesis: Series[np.float64] = _figure(ge=0, le=1)
    pck_thesis_low: Series[np.float64] = _figure(ge=0, le=1)
    pck_thesis_high: Series[np.float64] = _figure(ge=0, le=1)
    oks: Series[np.float64] = _figure(ge=0, le=1)
    oks_low: Series[np.float64] = _figure(ge=0, le=1)
    oks_high: Series[np.float64] = _figure(ge=0, le=1)


class RankCorrelations(_ToldTable):
    """One row for joints and one for persons: Spearman's correlation of score and OKS."""

    level: Series[str] = pa.Field(isin=("joint", "person"))
    count: Series[np.int64] = pa.Field(ge=0)
    not_found: Series[np.int64] = pa.Field(ge=0)
    score_of: Series[str]
    spearman: Series[np.float64] = _figure()
    low: Series[np.float64] = _figure()
    high: Series[np.float64] = _figure()


class DecodingEffects(_ToldTable):
    """One row a way of reading the same network, and one a difference of two; see `prediction.decoding_effects`."""

    row: Series[str] = pa.Field(isin=("way", "effect"))
    what: Series[str]
    pck_thesis: Series[np.float64] = _figure()
    pck_thesis_low: Series[np.float64] = _figure()
    pck_thesis_high: Series[np.float64] = _figure()
    oks: Series[np.float64] = _figure()
    oks_low: Series[np.float64] = _figure()
    oks_high: Series[np.float64] = _figure()


def join_error_types(person_ids: NDArray[np.int64], types: NDArray[np.int8]) -> pd.DataFrame:
    """(N,) ids and (N, K) types (as of `joint_error_types`) -> a `JointErrors` table."""
    count, joint_count = types.shape
    return pd.DataFrame(
        {
            "person_id": np.repeat(person_ids, joint_count),
            "joint": np.tile(np.arange(joint_count, dtype=np.uint8), count),
            # -1, unlabelled, is the last name.
            "type": np.array([*ERROR_TYPES, UNLABELLED])[types.ravel()],
        }
    )
