"""Components held against measured attributes: correlations, probes on held-out persons, and what chance reaches.

There are many pairs of component and attribute, and the best of many is good by chance alone. So each claim is held against
the best of all pairs in shuffled data (the max-statistic; Westfall and Young, 1993). R2 by chance falls as 1 / persons, and
attributes are known of different numbers of persons: what is compared is R2 x persons.

Lengths in torsos explode where a torso points at the camera, and R2 is of squares: the outermost half per cent of an attribute
at either end counts as the value there. Ranks (Spearman) tell whether that matters.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from tqdm import tqdm

from posescope.evaluation.bootstrap import ImageDraws, Interval, draw_images
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

MIN_PERSONS = 20  # fewer are left out: nothing can be claimed of so few
MIN_IMAGES = 10  # so that every fold has photographs
_PERSONS_A_COMPONENT = 4
_OUTERMOST = 0.005
_FEW_NUMBERS = 2_000_000


@dataclass(frozen=True)
class NullDistribution:
    """The best R2 x persons among all pairs, in each of S shuffles."""

    best: Floats

    def interval(self, persons: int) -> Interval:
        """The best R2 by chance for an attribute known of so many persons: median, and range over the shuffles."""
        r2 = np.minimum(self.best / persons, 1.0)
        return Interval(float(np.median(r2)), float(r2.min()), float(r2.max()))


@dataclass(frozen=True)
class ProbedAttributes:
    """What was found.

    Attributes:
        correlations: component (1 is the first), attribute, persons, pearson, spearman, r2, r2_low, r2_high, control_high; a
            row a pair, by component.
        probes: attribute, persons, components, r2, r2_low, r2_high, control_low, control_high; a row an attribute.
        pair_null, probe_null: the best by chance among pairs, and among whole probes.
        left_out: why an attribute has no row, by its name.
    """

    correlations: pd.DataFrame
    probes: pd.DataFrame
    pair_null: NullDistribution
    probe_null: NullDistribution
    left_out: Mapping[str, str]


def explain_components(
    scores: Floats,
    attributes: pd.DataFrame,
    groups: NDArray[np.int64],
    *,
    folds: int,
    shuffles: int,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """The other way round: how much of each component all attributes together tell; what is left is nothing that was measured.

    An attribute that is unknown of a person counts as the mean, beside a column that says whether it is known: that legs are
    out of view is also something to be told.

    Args:
        scores: (N, P), of enough persons and photographs.
        attributes: those to explain by; as `probe_attributes` takes them, as are the others.

    Returns:
        component, all_r2, all_r2_low, all_r2_high, all_control_high: a row a component; control_high is the most that any of
        them reached in shuffled data.
    """
    x = _filled(attributes)
    dealt, draws = assign_folds(groups, folds, seed), draw_images(groups, seed, resamples)
    rows = np.concatenate([np.arange(len(groups))[None], permute_groups(groups, shuffles, seed)])
    with _threads_for(x):
        found = [probe(x, column[rows].T, dealt, STRENGTHS) for column in _standardised(scores).T]
    told = [{f"all_{name}": value for name, value in r2.items()} for r2 in _tell(found, draws, groups)]
    highest = max(float(held.r2[1:].max()) for held in found)
    return pd.DataFrame(
        [{"component": i + 1, **r2, "all_control_high": highest} for i, r2 in enumerate(told)], columns=EXPLAINED_COLUMNS
    )


def _filled(attributes: pd.DataFrame) -> Floats:
    """(N, 2 A) columns of mean 0 and variance 1: the values, 0 where unknown, and whether they are known."""
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
    """Hold components against attributes.

    Args:
        scores: (N, P) coordinates of N persons along the first P components.
        attributes: a row a person, a float column an attribute, NaN where unknown.
        groups: (N,) the photograph of each person.
        named: the first so many components are each held against every attribute; all P together predict each attribute.
        folds: of the cross-validation, by photograph.
        shuffles: of each attribute, as control.
        resamples: of photographs, behind each interval.
        seed: of folds, shuffles and resamples.
    """
    left_out = {str(name): why for name in attributes if (why := _why_left_out(attributes[name].to_numpy(np.float64), groups))}
    names = [str(name) for name in attributes if name not in left_out]
    draws = draw_images(groups, seed, resamples)
    pairs, probes, pair_best, probe_best = [], [], [], []
    for place, name in enumerate(tqdm(names, desc="probe attributes", leave=False)):
        known = np.flatnonzero(attributes[name].notna().to_numpy())
        values, own_groups = attributes[name].to_numpy(np.float64)[known], groups[known]
        rows = np.concatenate([np.arange(len(known))[None], permute_groups(own_groups, shuffles, seed + place)])
        targets = _standardised(_clipped(values))[rows].T  # (n, 1 + S), the true ones first
        with _threads_for(scores):
            # With nearly as many components as persons, nothing is left to be held out: every person is a direction of its own.
            used = max(named, min(scores.shape[1], len(known) // _PERSONS_A_COMPONENT))
            x = _standardised(scores[known, :used])
            singles, whole = _probe_one(x, targets, assign_folds(own_groups, folds, seed), named)
        pair_best.append(np.max([single.r2[1:] for single in singles], axis=0) * len(known))
        probe_best.append(whole.r2[1:] * len(known))
        told = _tell([*singles, whole], draws, own_groups)
        for i, r2 in enumerate(told[:-1]):
            about = {"component": i + 1, "attribute": name, "persons": len(known)}
            pairs.append({**about, **_correlate(scores[known, i], values), **r2})
        probes.append({"attribute": name, "persons": len(known), "components": used, **told[-1]})
    return _gather(pairs, probes, pair_best, probe_best, left_out)


def _clipped(values: Floats) -> Floats:
    """Without outliers; as they are where nothing else varies, as of a rare yes among many noes."""
    low, high = np.nanquantile(values, [_OUTERMOST, 1 - _OUTERMOST])
    clipped: Floats = values.clip(low, high) if low < high else values
    return clipped


def _probe_one(x: Floats, targets: Floats, folds: NDArray[np.int64], named: int) -> tuple[list[ProbeResult], ProbeResult]:
    """Each of the first components alone, and all together."""
    singles = [probe(x[:, [i]], targets, folds) for i in range(min(named, x.shape[1]))]
    return singles, probe(x, targets, folds, STRENGTHS)


def _threads_for(scores: Floats) -> AbstractContextManager[object]:
    # Eigenvectors of a hundred numbers: threads wait for one another more than they work, most of all on shared cores.
    limits: AbstractContextManager[object] = threadpool_limits(1) if scores.size <= _FEW_NUMBERS else nullcontext()
    return limits


def _why_left_out(values: Floats, groups: NDArray[np.int64]) -> str:
    known = np.isfinite(values)
    photographs = len(np.unique(groups[known]))
    if known.sum() < MIN_PERSONS or photographs < MIN_IMAGES:
        return f"known of {known.sum()} persons in {photographs} photographs"
    return "the same for everybody" if np.ptp(values[known]) == 0 else ""


def _standardised(scores: Floats) -> Floats:
    deviations = scores.std(axis=0)
    standardised: Floats = (scores - scores.mean(axis=0)) / np.where(deviations > 0, deviations, 1.0)
    return standardised


def _correlate(scores: Floats, values: Floats) -> dict[str, float]:
    """Pearson's and Spearman's correlation; NaN for a component that does not vary among those known."""
    columns = pd.DataFrame({"score": scores, "value": values})
    if np.ptp(scores) == 0:
        return {"pearson": float("nan"), "spearman": float("nan")}
    return {
        "pearson": float(np.corrcoef(scores, values)[0, 1]),
        "spearman": float(np.corrcoef(columns.rank().to_numpy().T)[0, 1]),
    }


def _tell(found: Sequence[ProbeResult], draws: ImageDraws, groups: NDArray[np.int64]) -> list[dict[str, float]]:
    """R2 of each with its interval over photographs; the probes are not fitted anew, their errors are drawn."""
    errors = np.stack([held.squared_errors for held in found], axis=1)
    offsets = np.stack([held.baseline_squared_errors for held in found], axis=1)
    drawn = 1 - draws.ratios(errors, offsets, groups)
    intervals = [draws.interval(float(held.r2[0]), drawn[:, i]) for i, held in enumerate(found)]
    return [{"r2": interval.estimate, "r2_low": interval.low, "r2_high": interval.high} for interval in intervals]


def _gather(
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
        chance = probe_null.interval(record["persons"])
        record |= {"control_low": chance.low, "control_high": chance.high}
    correlations = pd.DataFrame(pairs, columns=PAIR_COLUMNS).sort_values("component", kind="stable", ignore_index=True)
    return ProbedAttributes(correlations, pd.DataFrame(probes, columns=PROBE_COLUMNS), pair_null, probe_null, left_out)
