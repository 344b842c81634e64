"""Search for rules whose persons have the lowest PCK, in the spirit of SliceLine (Sagadeeva and Boehm, SIGMOD 2021).

    z^2 = n_in n_out / n * (mean_out - mean_in)^2 / variance

z^2 is the part of the variance that a rule explains, the criterion of regression trees (Breiman et al. 1984): a rule needs both
a large difference and many persons. All single conditions on a grid of quantiles are scored, then all pairs of the best of them
with any other condition; both steps are products of matrices. The thresholds of the best rule are then refined over all values.
A second condition must add to z^2 what the best of as many random conditions would add (2 log of their number).

After each rule the PCK is replaced by its residual from a regression on the rules found so far and on their features, and the
features of rules with one condition are not used again, so that the next rule finds something else.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.failure_slices.condition_table import ConditionTable
from posescope.explainability.failure_slices.rules import Condition, Rule

__all__ = ["SearchLimits", "search_rules"]

Floats = NDArray[np.float64]
_PARENTS = 40  # conditions that are combined with all others
_CHECKED = 50  # best candidates whose photographs are counted


@dataclass(frozen=True)
class SearchLimits:
    """Limits of the search.

    Attributes:
        rules: maximum number of rules.
        persons, photographs: minimum numbers of a rule.
        share: maximum fraction of the persons of a rule.
        z: minimum standardised difference.
    """

    rules: int
    persons: int
    photographs: int
    share: float
    z: float


def search_rules(table: ConditionTable, pck: Floats, limits: SearchLimits) -> list[tuple[Rule, float]]:
    """Find rules in descending order of what they explain beyond the former ones.

    Args:
        table: conditions on N persons.
        pck: (N,) values that are low where the network fails; no NaN.
        limits: limits of the search.

    Returns:
        The rules, each with its z.
    """
    found: list[tuple[Rule, float]] = []
    explained = [np.ones(len(pck))]
    usable = np.ones(len(table), dtype=bool)
    while len(found) < limits.rules and usable.any():
        design = np.stack(explained, axis=1)
        residual = pck - design @ np.linalg.lstsq(design, pck, rcond=None)[0]
        best = _Pass(table, residual, usable, limits).best_rule()
        if best is None or best[1] < limits.z:
            break
        found.append(best)
        explained += _effects(table, best[0])
        if len(best[0].features) == 1:
            usable &= table.features != best[0].features[0]
    return found


def _effects(table: ConditionTable, rule: Rule) -> list[Floats]:
    """Return columns of a regression, (N,) each: the rule, and each of its features, linear and unknown."""
    columns = [rule.covers(table.columns).astype(np.float64)]
    for feature in rule.features:
        values = table.columns[feature]
        known = ~np.isnan(values)
        centred = values - values[known].mean() if known.any() else values
        columns += [np.where(known, centred, 0.0), known.astype(np.float64)]
    return columns


@dataclass(frozen=True, eq=False)
class _Pass:
    """The search for one rule."""

    table: ConditionTable
    pck: Floats
    usable: NDArray[np.bool_]
    limits: SearchLimits

    def best_rule(self) -> tuple[Rule, float] | None:
        """Return the best rule with its z; none if no rule keeps the limits."""
        sums = (self.table.masks @ self.pck.astype(np.float32)).astype(np.float64)
        counts = self.table.counts.diagonal().astype(np.float64)
        rule, score = self._best_single(self._scores(counts, sums, self.limits.share))
        pair, pair_score = self._best_pair(self._scores(counts, sums, 1.0))
        if pair is not None and pair_score > score + 2 * np.log(max(len(self.table), 2)):
            rule = pair
        return None if rule is None else self._refined(rule)

    def _best_single(self, scores: Floats) -> tuple[Rule | None, float]:
        scores = np.where(self.usable, scores, 0.0)
        for row in np.argsort(-scores)[:_CHECKED]:
            if scores[row] > 0 and self._has_photographs(self.table.masks[row] > 0):
                return Rule((self.table.conditions[row],)), float(scores[row])
        return None, 0.0

    def _best_pair(self, single: Floats) -> tuple[Rule | None, float]:
        masks, features = self.table.masks, self.table.features
        parents = self._parents(single)
        sums = (masks[parents] * self.pck.astype(np.float32)) @ masks.T
        scores = self._scores(self.table.counts[parents].astype(np.float64), sums, self.limits.share)
        scores[(features[parents][:, None] == features) | ~self.usable] = 0.0
        best = np.argpartition(-scores, min(_CHECKED, scores.size - 1), axis=None)[:_CHECKED]
        for flat in best[np.argsort(-scores.flat[best])]:
            first, second = divmod(int(flat), scores.shape[1])
            inside = (masks[parents[first]] > 0) & (masks[second] > 0)
            if scores[first, second] > 0 and self._has_photographs(inside):
                pair = sorted((self.table.conditions[parents[first]], self.table.conditions[second]))
                return Rule(tuple(pair)), float(scores[first, second])
        return None, 0.0

    def _parents(self, scores: Floats) -> NDArray[np.int64]:
        """Return the best condition of each feature and comparison, the best of them first, at most `_PARENTS`."""
        rows = np.flatnonzero(self.usable)
        order = rows[np.argsort(-scores[rows])]
        _, first = np.unique(self.table.keys[order], return_index=True)
        return np.asarray(order[np.sort(first)[:_PARENTS]], dtype=np.int64)

    def _scores(self, counts: Floats, sums: NDArray[np.floating], share: float) -> Floats:
        """Return z^2 of rules with so many persons and such sums of PCK; 0 where PCK is not lower or a limit is not kept."""
        total = len(self.pck)
        lower = float(self.pck.mean()) * counts - sums
        kept = (counts >= self.limits.persons) & (counts <= share * total) & (counts < total) & (lower > 0)
        spread = counts * (1 - counts / total) * float(self.pck.var())
        scores: Floats = np.zeros(counts.shape)
        np.divide(lower**2, spread, out=scores, where=kept & (spread > 0))
        return scores

    def _has_photographs(self, inside: NDArray[np.bool_]) -> bool:
        return self.table.count_photographs(inside) >= self.limits.photographs

    def _refined(self, rule: Rule) -> tuple[Rule, float]:
        """Move each threshold to the value with the largest score, twice, as long as the photographs are enough."""
        columns, best = self.table.columns, rule
        for number in (*range(len(rule.conditions)), *range(len(rule.conditions))):
            conditions = list(best.conditions)
            others = [one.covers(columns[one.feature]) for place, one in enumerate(conditions) if place != number]
            conditions[number] = self._moved(conditions[number], np.logical_and.reduce([np.ones(len(self.pck), bool), *others]))
            moved = Rule(tuple(conditions))
            if self._has_photographs(moved.covers(columns)):
                best = moved
        inside = best.covers(columns)
        score = self._scores(np.array([float(inside.sum())]), np.array([self.pck[inside].sum()]), self.limits.share)
        return best, float(np.sqrt(score[0]))

    def _moved(self, condition: Condition, others: NDArray[np.bool_]) -> Condition:
        """Return the condition with the best threshold among the persons who fulfil the other conditions."""
        values = self.table.columns[condition.feature]
        rows = np.flatnonzero(others & ~np.isnan(values))
        if condition.comparison == "unknown" or len(rows) < 2:
            return condition
        sign = 1.0 if condition.comparison == "below" else -1.0
        order = rows[np.argsort(sign * values[rows], kind="stable")]
        ends = np.flatnonzero(np.diff(values[order]) != 0)  # the last person inside
        scores = self._scores((ends + 1).astype(np.float64), np.cumsum(self.pck[order])[ends], self.limits.share)
        if not scores.size or scores.max() <= 0:
            return condition
        end = ends[int(scores.argmax())]
        return Condition(condition.feature, condition.comparison, float(values[order[end : end + 2]].mean()))
