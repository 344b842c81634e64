"""Linear relations between components and measured attributes: correlations, held-out R2 and null distributions.

The best of many pairs of component and attribute has a high R2 by chance. Every R2 is therefore compared with the maximum over
all pairs in shuffled data (max statistic; Westfall and Young, 1993). R2 by chance falls as 1 / persons, and attributes are known
for different numbers of persons, so the null distribution is of R2 x persons.

Attributes are clipped at their 0.5 % and 99.5 % quantiles, since lengths in torsos diverge when the torso points at the camera.
Spearman's correlation shows whether that matters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from tqdm import tqdm

from posescope.evaluation.bootstrap import ImageResamples, Interval, resample_images
from posescope.explainability.attributes.linear_probes import STRENGTHS, ProbeResult, assign_folds, permute_groups, probe

__all__ = [
    "EXPLAINED_COLUMNS",
    "MIN_IMAGES",
    "MIN_PERSONS",
    "PAIR_COLUMNS",
    "PROBE_COLUMNS",
    "NullDistribution",
    "ProbedAttributes",
    "explain_components",
    "probe_attributes",
]

Floats = NDArray[np.float64]

PAIR_COLUMNS = ["component", "attribute", "persons", "pearson", "spearman", "r2", "r2_low", "r2_high", "control_high"]
EXPLAINED_COLUMNS = ["component", "all_r2", "all_r2_low", "all_r2_high", "all_control_high"]
PROBE_COLUMNS = ["attribute", "persons", "components", "r2", "r2_low", "r2_high", "control_low", "control_high"]

MIN_PERSONS = 20  # attributes that are known for fewer are left out
MIN_IMAGES = 10  # so that every fold has images
_PERSONS_PER_COMPONENT = 4
_CLIPPED_QUANTILE = 0.005
_THREADS = 1  # of BLAS: for small matrices its synchronisation costs more than more threads save


@dataclass(frozen=True)
class NullDistribution:
    """Distribution of the maximum of R2 x persons over all pairs: (S,), one number per shuffle."""

    maxima: Floats

    def interval(self, persons: int) -> Interval:
        """Return median and range over the shuffles of the highest R2, for an attribute known for this many persons."""
        r2 = np.minimum(self.maxima / persons, 1.0)
        return Interval(float(np.median(r2)), float(r2.min()), float(r2.max()))


@dataclass(frozen=True)
class ProbedAttributes:
    """Relations between components and attributes.

    Attributes:
        correlations: one row per pair, ordered by component (1 is the first); columns `PAIR_COLUMNS`.
        probes: one row per attribute, predicted from all components together; columns `PROBE_COLUMNS`.
        pair_null, probe_null: null distributions of the two tables.
        left_out: reason by name of each attribute without rows.
    """

    correlations: pd.DataFrame
    probes: pd.DataFrame
    pair_null: NullDistribution
    probe_null: NullDistribution
    left_out: Mapping[str, str]


def explain_components(
    scores: Floats, attributes: pd.DataFrame, groups: NDArray[np.int64], *, folds: int, shuffles: int, resamples: int, seed: int
) -> pd.DataFrame:
    """Predict each component from all attributes together.

    An unknown value is replaced by the mean, and an additional column per attribute states whether it is known, since missing
    joints (legs outside the image) carry information too.

    Args:
        scores, attributes, groups, folds, shuffles, resamples, seed: see `probe_attributes`.

    Returns:
        One row per component with the columns `EXPLAINED_COLUMNS`; all_control_high is the highest R2 of any component and
        shuffle.
    """
    x = _filled(attributes)
    dealt, draws = assign_folds(groups, folds, seed), resample_images(groups, seed, resamples)
    rows = np.concatenate([np.arange(len(groups))[None], permute_groups(groups, shuffles, seed)])
    with threadpool_limits(_THREADS):
        found = [probe(x, column[rows].T, dealt, STRENGTHS) for column in _standardised(scores).T]
    highest = max(float(result.r2[1:].max()) for result in found)
    records = [
        {"component": number, **r2.columns("all_r2"), "all_control_high": highest}
        for number, r2 in enumerate(_r2_intervals(found, draws, groups), start=1)
    ]
    return pd.DataFrame(records, columns=EXPLAINED_COLUMNS)


def _filled(attributes: pd.DataFrame) -> Floats:
    """Return (N, 2 A) columns of mean 0 and variance 1: the values, 0 where unknown, and whether they are known."""
    values = np.stack([_clipped(attributes[name].to_numpy(dtype=np.float64)) for name in attributes], axis=1)
    known = np.isfinite(values)
    return _standardised(np.concatenate([np.where(known, values, np.nanmean(values, axis=0)), known], axis=1))


def probe_attributes(
    scores: Floats,
    attributes: pd.DataFrame,
    groups: NDArray[np.int64],
    *,
    named: int,
    folds: int,
    shuffles: int,
    resamples: int,
    seed: int,
) -> ProbedAttributes:
    """Predict each attribute from single components and from all components together.

    Args:
        scores: (N, P) coordinates of N persons along the first P components.
        attributes: one row per person and one float column per attribute, NaN where unknown.
        groups: (N,) image of each person.
        named: number of first components that are paired with every attribute. All P components together predict it as well.
        folds: number of cross-validation folds, by image.
        shuffles: number of shuffles of each attribute, for the null distributions.
        resamples: number of bootstrap resamples of images.
        seed: random seed of folds, shuffles and resamples.
    """
    left_out = {str(name): why for name in attributes if (why := _why_left_out(attributes[name].to_numpy(np.float64), groups))}
    names = [str(name) for name in attributes if name not in left_out]
    draws = resample_images(groups, seed, resamples)
    pairs, probes, pair_best, probe_best = [], [], [], []
    for place, name in enumerate(tqdm(names, desc="probe attributes", leave=False)):
        known = np.flatnonzero(attributes[name].notna().to_numpy())
        values, own_groups = attributes[name].to_numpy(np.float64)[known], groups[known]
        rows = np.concatenate([np.arange(len(known))[None], permute_groups(own_groups, shuffles, seed + place)])
        targets = _standardised(_clipped(values))[rows].T  # (n, 1 + S), the true ones first
        with threadpool_limits(_THREADS):
            # With nearly as many components as persons, a probe would fit every person exactly.
            used = max(named, min(scores.shape[1], len(known) // _PERSONS_PER_COMPONENT))
            x = _standardised(scores[known, :used])
            dealt = assign_folds(own_groups, folds, seed)
            singles = [probe(x[:, [i]], targets, dealt) for i in range(min(named, x.shape[1]))]
            whole = probe(x, targets, dealt, STRENGTHS)
        pair_best.append(np.max([single.r2[1:] for single in singles], axis=0) * len(known))
        probe_best.append(whole.r2[1:] * len(known))
        intervals = _r2_intervals([*singles, whole], draws, own_groups)
        for i, r2 in enumerate(intervals[:-1]):
            about = {"component": i + 1, "attribute": name, "persons": len(known)}
            pairs.append({**about, **_correlate(scores[known, i], values), **r2.columns("r2")})
        probes.append({"attribute": name, "persons": len(known), "components": used, **intervals[-1].columns("r2")})
    return _tabulate(pairs, probes, pair_best, probe_best, left_out)


def _clipped(values: Floats) -> Floats:
    """Clip outliers, unless nothing else varies, as in a rare binary attribute."""
    low, high = np.nanquantile(values, [_CLIPPED_QUANTILE, 1 - _CLIPPED_QUANTILE])
    clipped: Floats = values.clip(low, high) if low < high else values
    return clipped


def _why_left_out(values: Floats, groups: NDArray[np.int64]) -> str:
    known = np.isfinite(values)
    images = len(np.unique(groups[known]))
    if known.sum() < MIN_PERSONS or images < MIN_IMAGES:
        return f"known for {known.sum()} persons in {images} images"
    return "the same for all persons" if np.ptp(values[known]) == 0 else ""


def _standardised(scores: Floats) -> Floats:
    deviations = scores.std(axis=0)
    standardised: Floats = (scores - scores.mean(axis=0)) / np.where(deviations > 0, deviations, 1.0)
    return standardised


def _correlate(scores: Floats, values: Floats) -> dict[str, float]:
    """Compute Pearson's and Spearman's correlation; NaN if the component is constant."""
    columns = pd.DataFrame({"score": scores, "value": values})
    if np.ptp(scores) == 0:
        return {"pearson": float("nan"), "spearman": float("nan")}
    return {
        "pearson": float(np.corrcoef(scores, values)[0, 1]),
        "spearman": float(np.corrcoef(columns.rank().to_numpy().T)[0, 1]),
    }


def _r2_intervals(found: Sequence[ProbeResult], draws: ImageResamples, groups: NDArray[np.int64]) -> list[Interval]:
    """Return R2 of each probe with its interval over images; errors are resampled, the probes are not refitted."""
    errors = np.stack([result.squared_errors for result in found], axis=1)
    offsets = np.stack([result.baseline_squared_errors for result in found], axis=1)
    drawn = 1 - draws.ratios(errors, offsets, groups)
    return [draws.interval(float(result.r2[0]), drawn[:, i]) for i, result in enumerate(found)]


def _tabulate(
    pairs: list[dict[str, Any]],
    probes: list[dict[str, Any]],
    pair_best: list[Floats],
    probe_best: list[Floats],
    left_out: Mapping[str, str],
) -> ProbedAttributes:
    pair_null, probe_null = (NullDistribution(np.max(best, axis=0) if best else np.empty(0)) for best in (pair_best, probe_best))
    for record in pairs:
        record["control_high"] = pair_null.interval(record["persons"]).high
    for record in probes:
        control = probe_null.interval(record["persons"])
        record |= {"control_low": control.low, "control_high": control.high}
    correlations = pd.DataFrame(pairs, columns=PAIR_COLUMNS).sort_values("component", kind="stable", ignore_index=True)
    return ProbedAttributes(correlations, pd.DataFrame(probes, columns=PROBE_COLUMNS), pair_null, probe_null, left_out)
