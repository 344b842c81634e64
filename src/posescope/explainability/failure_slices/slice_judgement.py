"""Judgement of cross-fitted slices on the persons that did not make their rules."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples, Interval, resample_images
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.failure_slices.cross_fitting import CrossFittedSlice, CrossFitting, SearchOptions
from posescope.explainability.failure_slices.known_properties import adjusted_gaps, find_explanation
from posescope.explainability.failure_slices.rules import Columns, Rule, as_columns
from posescope.explainability.failure_slices.search_chance import GapScale, SearchChance, repeat_search

__all__ = ["SIGNIFICANT", "JudgedSlice", "find_failure_slices"]

Floats = NDArray[np.float64]
SIGNIFICANT = 0.01  # as for the names of components


@dataclass(frozen=True)
class JudgedSlice:
    """A slice and its numbers on persons that did not make its rules.

    Attributes:
        rule: the combined rule: the one of most folds, with the median of its thresholds.
        fitted: rules and members by fold.
        persons, photographs: numbers inside.
        inside, outside: mean PCK with 95 % interval.
        gap: outside minus inside.
        share_of_error: fraction of all missed joints of the judged persons; NaN without errors.
        chance: largest gap of a slice with so many persons in searches on permuted PCK: mean, 5 % and 95 % quantile.
        p_value: probability that the search finds any slice like this where there is none (`SearchChance`): corrected over all
            rules that the search tries and over all slices.
        is_claimed: whether `p_value` is at most 0.01 and the slice is large enough.
        adjusted: gap among persons with the same value of each known property that the rule is not about.
        explained_by: the known property that explains the gap; '' if none does.
    """

    rule: Rule
    fitted: CrossFittedSlice
    persons: int
    photographs: int
    inside: Interval
    outside: Interval
    gap: Interval
    share_of_error: float
    chance: Interval
    p_value: float
    is_claimed: bool
    adjusted: Mapping[str, Interval]
    explained_by: str

    @property
    def members(self) -> NDArray[np.int64]:
        """(n,) rows of the persons inside."""
        return np.flatnonzero(self.fitted.inside == 1)


def find_failure_slices(
    columns: pd.DataFrame,
    properties: pd.DataFrame,
    pck: Floats,
    groups: NDArray[np.int64],
    options: SearchOptions,
    seed: int,
    errors: Floats | None = None,
) -> tuple[JudgedSlice, ...]:
    """Find groups of persons with low PCK, and judge each person by rules that were fitted without its photograph.

    Args:
        columns: N rows, a float column per feature that rules may use; NaN where unknown.
        properties: N rows, a float column per known property that may explain a slice.
        pck: (N,) 0..1, or another score that is low where the network fails; no NaN.
        groups: (N,) photograph of each person.
        options: options of the search.
        seed: random seed of folds, permutations and bootstrap samples.
        errors: (N,) number of missed joints of each person; none: 1 - PCK.

    Returns:
        At most `options.slices`, those that explain most first; claimed or not.

    Raises:
        ExplainabilityError: if the lengths differ, or a PCK is not finite.
    """
    if not len(columns) == len(properties) == len(pck) == len(groups) or not np.isfinite(pck).all():
        raise ExplainabilityError(
            f"Failure slices: expected columns, properties, finite PCK and photographs of the same persons, found "
            f"{len(columns)}, {len(properties)}, {len(pck)} ({np.isfinite(pck).sum()} of them finite) and {len(groups)}."
        )
    fitting = CrossFitting.prepare(as_columns(columns), groups, options, seed)
    slices = fitting.find(pck)
    if not slices:
        return ()
    scale = GapScale.of(pck, groups)
    chance = repeat_search(fitting, pck, groups, scale, options.permutations, seed)
    judgement = _Judgement(
        pck, groups, 1 - pck if errors is None else errors, as_columns(properties), options, scale, chance,
        resample_images(groups, seed, options.resamples),
    )  # fmt: skip
    return tuple(judgement.judge(one) for one in slices)


@dataclass(frozen=True, eq=False)
class _Judgement:
    """What the judgement of each slice reads."""

    pck: Floats
    groups: NDArray[np.int64]
    missed: Floats
    properties: Columns
    options: SearchOptions
    scale: GapScale
    chance: SearchChance
    draws: ImageResamples

    def judge(self, one: CrossFittedSlice) -> JudgedSlice:
        """Measure a slice on the persons that did not make its rules."""
        judged, inside, outside = one.inside >= 0, one.inside == 1, one.inside == 0
        within, without = (self.draws.means(np.where(part, self.pck, np.nan), self.groups) for part in (inside, outside))
        estimate = float(one.contrast @ self.pck)
        gap = self.draws.interval(estimate, without - within)
        # A property does not explain a rule about itself.
        known = {name: values[judged] for name, values in self.properties.items() if name not in one.rule.features}
        adjusted = adjusted_gaps(known, inside[judged], self.pck[judged], self.groups[judged], self.draws)
        persons, photographs = int(inside.sum()), len(np.unique(self.groups[inside]))
        large = persons >= self.options.min_persons and photographs >= self.options.min_photographs
        p_value = self.chance.p_value(self.scale.z(one, self.pck))
        total = float(self.missed[judged].sum())
        return JudgedSlice(
            rule=one.rule,
            fitted=one,
            persons=persons,
            photographs=photographs,
            inside=self.draws.interval(float(self.pck[inside].mean()), within),
            outside=self.draws.interval(float(self.pck[outside].mean()), without),
            gap=gap,
            share_of_error=float(self.missed[inside].sum()) / total if total > 0 else float("nan"),
            chance=self.chance.gaps(self.scale.standard_error(one.contrast)),
            p_value=p_value,
            is_claimed=large and p_value <= SIGNIFICANT,
            adjusted=adjusted,
            explained_by=find_explanation(gap, adjusted),
        )
