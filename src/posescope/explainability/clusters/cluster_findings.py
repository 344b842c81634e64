"""Findings, facts and note of the analysis `clusters`.

    separate groups    there are gaps between groups of persons             control: the deepest gap in null data
    worst group        the PCK of a group is lower than that of the rest    control: the largest gap of permuted groups
    description        measured attributes describe a group                 control: the largest difference of permuted groups

Of two groups only the worse one is a finding, since the other one mirrors it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.answers import Answer, Question
from posescope.explainability.base import Facts
from posescope.explainability.clusters.cluster_descriptions import Trait
from posescope.explainability.clusters.cluster_evidence import MOST_DENSITY, ClusterEvidence, CountEvidence
from posescope.explainability.clusters.cluster_members import ClusterMembers
from posescope.explainability.clusters.cluster_tables import JudgedGroups
from posescope.explainability.clusters.density_valleys import GroupSeparation
from posescope.explainability.findings import Control, Finding, p_from_interval, range_control

__all__ = ["CONTINUUM", "SEPARATE", "WeighedGroups"]

SEPARATE, CONTINUUM = "separate groups", "a continuum"  # values of the fact `verdict`
_UNIT = "density between groups relative to inside"
_MOST_GAPS = 3  # findings about the PCK of groups


@dataclass(frozen=True)
class WeighedGroups:
    """The shown groups, with the evidence for them.

    Attributes:
        evidence: evidence for every number of clusters, from the fitted persons.
        judged: scores and descriptions of the judged persons in the shown groups.
        members: the judged persons.
        silhouette: mean silhouette of the judged persons.
    """

    evidence: ClusterEvidence
    judged: JudgedGroups
    members: ClusterMembers
    silhouette: Interval

    @property
    def shown(self) -> CountEvidence:
        """Evidence for the shown number of clusters."""
        return self.evidence.counts[self.evidence.shown]

    def names(self) -> list[str]:
        """Return a name per group, such as `group 2 (sitting or lying, bent hips)`."""
        return [
            f"group {group + 1}" + (f" ({words})" if (words := self.judged.traits.description(group, 2)) else "")
            for group in range(len(self.shown))
        ]

    def row_titles(self) -> list[str]:
        """Return a title per group, with its size and the joints found of 100 (its PCK), for its pictures."""
        found, titles = self.judged.errors.contrasts, []
        for group, (name, size) in enumerate(zip(self.names(), self.members.sizes, strict=True)):
            pck, rest = found.inside[group, 0], found.rest[group, 0]
            known = not np.isnan([pck, rest]).any()
            scores = f", {100 * pck:.0f} of 100 joints found (all others: {100 * rest:.0f})" if known else ""
            titles.append(f"{name.capitalize()}: {size} persons{scores}")
        return titles

    def screening(self) -> str:
        """State how the p-values against null data are computed."""
        draws = max(Counter(draw.kind for draw in self.evidence.null).values(), default=0)
        return (
            f"P-values against data without groups are screened with {draws} draws of such data per kind and a fitted tail; more "
            "draws (null_draws) make them more exact."
        )

    def findings(self, plane: str, pictures: list[str | None]) -> tuple[Finding, ...]:
        """Return the findings.

        Args:
            plane: name of the plot of all persons.
            pictures: name of the image of each group; none: it has none.
        """
        structure = self._structure(plane)
        return (*([] if structure is None else [structure]), *self._gaps(pictures), *self._description(pictures))

    def _structure(self, picture: str) -> Finding | None:
        deepest = _deepest(self.evidence)
        if deepest is None:
            return None
        k, group, p_value = deepest
        ratio = _ratio_interval(group)
        null = np.array([draw.ratios[k] for draw in self.evidence.null if k in draw.ratios])
        known = null[np.isfinite(null)]
        control = None
        if len(known):
            what = "the emptiest surroundings of a group in data without groups, cut into as many groups"
            control = range_control(what, known)
        answer = self._structure_answer(ratio, p_value)
        if control is None:
            answer = Answer("inconclusive", answer.p_value)
        question = Question(
            id="separate-groups",
            text="Do the persons form separate groups, with few persons between them?",
            yes=self._separate_statement(ratio.estimate),
            no=f"No: even around the group with the emptiest surroundings the density is {ratio.estimate:.0%} of that inside, so "
            "the groups are a convenient division of a continuum.",
            unclear="It cannot be said whether the persons form separate groups.",
        )
        return question.to_finding(answer, ratio, _UNIT, control, picture=picture, detail=self._structure_detail())

    def _structure_answer(self, ratio: Interval, p_value: float) -> Answer:
        if self.evidence.has_groups:
            return Answer("supported", p_value)
        p_dense = p_from_interval(ratio, MOST_DENSITY)
        is_dense = p_dense <= 0.05 and ratio.estimate > MOST_DENSITY
        return Answer("refuted", p_dense) if is_dense else Answer("inconclusive", p_value)

    def _structure_detail(self) -> str:
        return (
            f"Sought among {len(self.shown.clustering.labels)} fitted persons, from {min(self.evidence.counts)} to "
            f"{max(self.evidence.counts)} groups; supported numbers of groups: {self._supported_words()}; halves of the images "
            f"agree on the shown groups with an adjusted Rand index of {self.shown.agreement:.2f} (data without groups: "
            f"{self.shown.null_agreement:.2f}). {self.screening()}"
        )

    def _separate_statement(self, ratio: float) -> str:
        if self.shown.separate.all():
            return (
                f"Yes: the persons form {len(self.shown)} groups, and the density between the two that are closest is "
                f"{ratio:.0%} of that inside."
            )
        found = [self.names()[group] for group in np.flatnonzero(self.shown.separate)]
        return (
            f"Yes, in part: around {' and '.join(found)} the density falls to {ratio:.0%} of that inside, while the other groups "
            "merge into one another."
        )

    def _supported_words(self) -> str:
        return ", ".join(str(k) for k in self.evidence.supported) or "none"

    def _gaps(self, pictures: list[str | None]) -> Iterator[Finding]:
        """Yield findings on the groups with the lowest PCK: those with a real gap; if there is none, the worst one."""
        errors = self.judged.errors
        gaps = -errors.contrasts.difference[:, 0]
        order = [int(group) for group in np.argsort(-gaps) if np.isfinite(gaps[group]) and gaps[group] > 0]
        found = [finding for group in order if (finding := self._gap(group, pictures[group])) is not None]
        held = [finding for finding in found if finding.is_supported][:_MOST_GAPS]
        yield from held or found[:1]

    def _gap(self, group: int, picture: str | None) -> Finding | None:
        contrasts, name = self.judged.errors.contrasts, self.names()[group]
        gap = Interval(*(-float(value[group, 0]) for value in (contrasts.difference, contrasts.high, contrasts.low)))
        if not gap.is_known:
            return None
        lowest, median, beyond = np.quantile(self.judged.errors.largest_gaps[:, 0], [0.025, 0.5, 0.95]).tolist()
        p_value = min(1.0, p_from_interval(gap) * len(self.shown))
        is_real = p_value <= 0.05 and gap.low > 0 and gap.estimate > beyond
        question = Question(
            id=f"group-{group + 1}-pck",
            text=f"Is the network worse on {name} than on the other persons?",
            yes=f"The PCK of {name} is lower by {gap.estimate:.2f} than that of the other persons.",
            unclear=f"It cannot be said whether the network is worse on {name} than on the other persons.",
        )
        inside, rest = float(contrasts.inside[group, 0]), float(contrasts.rest[group, 0])
        kind = "is separate from the others" if self.shown.separate[group] else "is a region of a continuum, not a separate group"
        return question.to_finding(
            Answer("supported" if is_real else "inconclusive", p_value),
            gap,
            "PCK",
            Control("largest gap of groups of the same sizes, persons permuted between groups", median, lowest, beyond),
            picture=picture,
            importance=float(self.judged.errors.fractions[group] * gap.estimate) if is_real else 0.0,
            detail=f"PCK {inside:.2f} of {int(contrasts.persons[group, 0])} persons, {rest:.2f} of the others. The group {kind}.",
        )

    def _description(self, pictures: list[str | None]) -> Iterator[Finding]:
        traits = self.judged.traits
        strongest = traits.strongest
        if strongest is None:
            return
        own = [(group, found[0]) for group, found in enumerate(traits.by_cluster) if found]
        described = max(own, key=lambda pair: abs(pair[1].difference), default=None)
        group, trait = described if described is not None else (None, strongest)
        size = _size_of(trait)
        lowest, median, beyond = trait.chance
        p_value = min(1.0, p_from_interval(size) * max(len(traits.table), 1))
        is_described = group is not None and p_value <= 0.05
        listed = "; ".join(
            f"group {number + 1}: {traits.description(number)}" for number, found in enumerate(traits.by_cluster) if found
        )
        apart = "" if group is None else f"'{trait.description}' sets group {group + 1} apart"
        question = Question(
            id="description",
            text="Do measured properties of the persons describe the groups?",
            yes=f"Yes: {apart}, by {size.estimate:.1f} standard deviations." if apart else "",
            unclear="It cannot be said whether a measured property describes a group.",
        )
        yield question.to_finding(
            Answer("supported" if is_described else "inconclusive", p_value),
            size,
            "standard deviations",
            Control("largest difference of any property, persons permuted between groups", median, lowest, beyond),
            picture=pictures[group] if group is not None else None,
            detail=f"Properties of each group: {listed}." if listed else "",
        )

    def facts(self) -> Facts:
        """Return the numbers by name."""
        shown, worst = self.shown, self.judged.worst
        found = self.judged.errors.contrasts
        return {
            "clusters": len(shown),
            "verdict": SEPARATE if self.evidence.has_groups else CONTINUUM,
            "supported_numbers": self._supported_words(),
            "separate_groups": int(shown.separate.sum()),
            "fitted_silhouette": shown.silhouette,
            "null_silhouette": _known(shown.null_silhouette),
            "split_half_agreement": _known(shown.agreement),
            "null_agreement": _known(shown.null_agreement),
            **{name: _known(value) for name, value in self.silhouette.columns("silhouette").items()},
            "worst_cluster": None if worst is None else worst + 1,
            "worst_cluster_pck": None if worst is None else float(found.inside[worst, 0]),
        }


def _deepest(evidence: ClusterEvidence) -> tuple[int, GroupSeparation, float] | None:
    """Return number of clusters, separation and adjusted p-value of the group on which the finding about structure rests.

    If all shown groups are separate, it is the one that is separated least; otherwise the separate one, or any, that is separated
    most.
    """
    shown = evidence.counts[evidence.shown]
    if shown.separate.all():
        weakest = min(range(len(shown)), key=lambda number: shown.groups[number].z)
        return len(shown), shown.groups[weakest], shown.p_value if shown.is_supported else shown.p_groups[weakest]
    numbers = [shown] if shown.separate.any() else list(evidence.counts.values())
    found = [
        (len(own), group, p)
        for own in numbers
        if own.groups
        for group, p, is_separate in zip(own.groups, own.p_groups, own.separate, strict=True)
        if group.core and (is_separate or not shown.separate.any())
    ]
    return max(found, key=lambda one: one[1].contrast, default=None)


def _ratio_interval(group: GroupSeparation) -> Interval:
    """Density ratio with its 95 % interval (Clopper and Pearson, 1934, of the counted images)."""
    valley, core = group.valley, group.core
    low, high = (0.0 if valley == 0 else float(beta.ppf(0.025, valley, core + 1))), float(beta.ppf(0.975, valley + 1, core))
    factor = group.ratio * core / valley if valley else 2.0
    return Interval(group.ratio, factor * low / (1 - low), factor * high / (1 - high))


def _size_of(trait: Trait) -> Interval:
    if trait.difference >= 0:
        return Interval(trait.difference, trait.low, trait.high)
    return Interval(-trait.difference, -trait.high, -trait.low)


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
