"""Cross-fitting (Chernozhukov et al. 2018): each person is judged by a rule that was fitted without its photograph.

    photographs   | fold 1 | fold 2 | fold 3 | fold 4 | fold 5 |
    rules of fold 1 are searched in folds 2 to 5 and judge the persons of fold 1, and so on

Rules of different folds are the same slice if their persons overlap (at least half of those that either covers are covered by
both, Jaccard 1912). A slice must be found for most folds; the persons of the other folds are not judged. Their
rule cannot be fitted afterwards: a fold for which a rule was not found tends to be the one whose persons fit it, so that random
slices looked like real ones (with permuted PCK their gap was 3.2 standard errors instead of 1.7). The rule in words is the one
that most folds found, with the median of their thresholds.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Options
from posescope.explainability.failure_slices.condition_table import ConditionTable, make_condition_table
from posescope.explainability.failure_slices.rule_search import SearchLimits, search_rules
from posescope.explainability.failure_slices.rules import Columns, Rule, median_rule

__all__ = ["CrossFittedSlice", "CrossFitting", "SearchOptions", "assign_folds"]

_SAME_SLICE = 0.5  # minimum Jaccard index of the persons of two rules


class SearchOptions(Options):
    """Options of the search."""

    slices: int = Field(5, ge=1, le=20, description="Maximum number of slices")
    folds: int = Field(5, ge=2, le=20, description="Folds of photographs")
    agreement: float = Field(0.8, gt=0.5, le=1, description="Minimum fraction of the folds for which a slice is found")
    min_persons: int = Field(15, ge=2, description="Minimum number of persons in a slice")
    min_photographs: int = Field(10, ge=2, description="Minimum number of photographs in a slice")
    max_share: float = Field(0.5, gt=0, lt=1, description="Maximum fraction of the persons in a slice")
    min_z: float = Field(3.0, ge=0, description="Minimum difference of PCK on the persons of the search, in standard errors")
    permutations: int = Field(200, ge=20, description="Searches with the PCK permuted by photograph, for the p values")
    resamples: int = Field(1000, ge=100, description="Bootstrap samples of photographs for each interval")


@dataclass(frozen=True)
class CrossFittedSlice:
    """A slice that most folds found.

    Attributes:
        rule: the combined rule: the most frequent one, with the median of its thresholds.
        inside: (N,) int8, 1 inside and 0 outside by the rule of the person's fold; -1: no rule for this fold, not judged.
        rules: the rule that judged each fold; none where it was not found.
        folds: (N,) fold of each person, from 0.
    """

    rule: Rule
    inside: NDArray[np.int8]
    rules: tuple[Rule | None, ...]
    folds: NDArray[np.int64]

    @property
    def contrast(self) -> NDArray[np.float64]:
        """(N,) weights whose product with the PCK is the gap, outside minus inside; 0 for persons that are not judged."""
        inside, outside = self.inside == 1, self.inside == 0
        return np.asarray(outside / outside.sum() - inside / inside.sum())


def assign_folds(groups: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """Assign photographs to folds at random, in equal numbers.

    Args:
        groups: (N,) photograph of each person.
        folds: number of folds.
        seed: random seed.

    Returns:
        (N,) fold of each person, from 0; the same for persons of one photograph.
    """
    photographs, own = np.unique(groups, return_inverse=True)
    return np.asarray((np.random.default_rng(seed).permutation(len(photographs)) % folds)[own], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class CrossFitting:
    """Folds of photographs, and the conditions on the persons of all folds but one.

    Attributes:
        columns: columns of N persons.
        folds: (N,) fold of each person, from 0.
        tables: conditions of the search of each fold, on the persons of the other folds.
        limits: limits of the search.
        agreement: minimum fraction of the folds for which a slice is found.
    """

    columns: Columns
    folds: NDArray[np.int64]
    tables: tuple[ConditionTable, ...]
    limits: SearchLimits
    agreement: float

    @classmethod
    def prepare(cls, columns: Columns, groups: NDArray[np.int64], options: SearchOptions, seed: int) -> "CrossFitting":
        """Assign the folds and list the conditions.

        Args:
            columns, groups: N persons, as in the attributes, and their photographs.
            options: options of the search.
            seed: random seed of the folds.
        """
        folds = assign_folds(groups, options.folds, seed)
        train = 1 - 1 / options.folds
        limits = SearchLimits(
            rules=options.slices,
            persons=int(np.ceil(train * options.min_persons)),
            photographs=int(np.ceil(train * options.min_photographs)),
            share=options.max_share,
            z=options.min_z,
        )
        others = [np.flatnonzero(folds != fold) for fold in range(options.folds)]
        tables = [_table_of(columns, groups, rows, limits.persons) for rows in others]
        return cls(columns, folds, tuple(tables), limits, options.agreement)

    def find(self, pck: NDArray[np.float64]) -> tuple[CrossFittedSlice, ...]:
        """Search slices in all folds and match them.

        Args:
            pck: (N,) without NaN.

        Returns:
            At most `limits.rules` slices with persons inside and outside, those that explain most first.
        """
        found: list[_FoldRule] = []
        for fold, table in enumerate(self.tables):
            rules = search_rules(table, pck[self.folds != fold], self.limits)
            found += [_FoldRule(fold, rule, z, rule.covers(self.columns)) for rule, z in rules]
        slices = [self._as_slice(rules) for rules in _match(found, self.agreement * len(self.tables))]
        return tuple(one for one in slices if (one.inside == 1).any() and (one.inside == 0).any())[: self.limits.rules]

    def _as_slice(self, rules: list["_FoldRule"]) -> CrossFittedSlice:
        inside = np.full(len(self.folds), -1, dtype=np.int8)
        of_fold: list[Rule | None] = [None] * len(self.tables)
        for one in rules:
            judged = self.folds == one.fold
            inside[judged] = one.covered[judged]
            of_fold[one.fold] = one.rule
        return CrossFittedSlice(_common_rule(rules), inside, tuple(of_fold), self.folds)


def _table_of(columns: Columns, groups: NDArray[np.int64], rows: NDArray[np.int64], min_persons: int) -> ConditionTable:
    return make_condition_table({name: values[rows] for name, values in columns.items()}, groups[rows], min_persons)


@dataclass(frozen=True, eq=False)
class _FoldRule:
    fold: int
    rule: Rule
    z: float
    covered: NDArray[np.bool_]


def _match(found: list[_FoldRule], least: float) -> list[list[_FoldRule]]:
    """Return the sets of rules, at most one of each fold, that enough folds found; the largest mean z first."""
    left, matched = list(found), []
    while left:
        sets = [_alike(one, left) for one in left]
        best = max(sets, key=lambda rules: (len(rules), sum(rule.z for rule in rules)))
        if len(best) < least:
            break
        matched.append(best)
        left = [rule for rule in left if rule not in best]
    return sorted(matched, key=lambda rules: -sum(rule.z for rule in rules) / len(rules))


def _alike(seed: _FoldRule, rules: Sequence[_FoldRule]) -> list[_FoldRule]:
    """Return the rule of each fold that overlaps most with `seed`, if it is the same slice."""
    best: dict[int, tuple[float, _FoldRule]] = {}
    for rule in rules:
        overlap = float((seed.covered & rule.covered).sum() / max((seed.covered | rule.covered).sum(), 1))
        if overlap >= _SAME_SLICE and overlap > best.get(rule.fold, (0.0, rule))[0]:
            best[rule.fold] = overlap, rule
    return [rule for _, rule in best.values()]


def _common_rule(rules: Sequence[_FoldRule]) -> Rule:
    """Return the most frequent rule, with the median of its thresholds."""
    votes = Counter(rule.rule.key for rule in rules)
    strength = {key: sum(rule.z for rule in rules if rule.rule.key == key) for key in votes}
    chosen = max(votes, key=lambda key: (votes[key], strength[key]))
    return median_rule([rule.rule for rule in rules if rule.rule.key == chosen])
