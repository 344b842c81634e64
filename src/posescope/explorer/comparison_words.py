"""Sentences and numbers of a comparison of two runs, as the page shows them. B is compared with A."""

from dataclasses import dataclass

from posescope.core.errors import pluralise
from posescope.evaluation.bootstrap import MIN_IMAGES
from posescope.evaluation.metrics.pck_thesis import GRID_CELLS, RADIUS_CELLS
from posescope.evaluation.paired_comparison import PairedMetric
from posescope.explorer.run_comparison import ERROR, PCK, PairComparison, RunPair

__all__ = ["ScoreWords", "describe_groups", "describe_joints", "describe_persons", "headline", "words_of"]

_RADIUS = f"{RADIUS_CELLS / GRID_CELLS:.0%}".replace("%", " %")
_CHANCE = 20  # one 95 % interval in so many excludes zero where there is no difference


@dataclass(frozen=True)
class ScoreWords:
    """How a score is shown.

    Attributes:
        title: name.
        unit: unit of its values; empty: none.
        gain_unit: unit of differences.
        factor: shown values are the score times this.
        decimals: of shown values.
        positive, negative: sentences on B with a place for the difference and its interval.
        lower_is_better: whether lower values are better.
    """

    title: str
    unit: str
    gain_unit: str
    factor: float
    decimals: int
    positive: str
    negative: str
    lower_is_better: bool = False

    def number(self, value: float, *, signed: bool = False) -> str:
        """Return a value as text, a dash if it is unknown."""
        if value != value:  # noqa: PLR0124  (NaN)
            return "–"
        sign = "+" if signed else ""
        return f"{value * self.factor:{sign}.{self.decimals}f}".replace("-", "−")

    def difference(self, metric: PairedMetric) -> str:
        """Return B - A with its interval, all three with their signs."""
        if not metric.count:
            return "–"
        low, high = (self.number(end, signed=True) for end in (metric.low, metric.high))
        return f"{self.number(metric.difference, signed=True)} [{low}, {high}]"

    def winner(self, metric: PairedMetric) -> str:
        """Return the run that is better, `A` or `B`; empty if the interval includes zero."""
        if not metric.excludes_zero:
            return ""
        return "B" if (metric.difference > 0) != self.lower_is_better else "A"


def words_of(score: str) -> ScoreWords:
    """Return how a score is shown.

    Example:
        >>> words_of("pck_thesis").title
        "Joints within 5 % of the crop's side (PCK)"
    """
    if score == PCK:
        sentence = f"B places {{}} percentage points {{}} of a person's joints within {_RADIUS} of the crop's side than A"
        title = f"Joints within {_RADIUS} of the crop's side (PCK)"
        return ScoreWords(title, "%", "percentage points", 100, 1, sentence.format("{}", "more"), sentence.format("{}", "fewer"))
    if score == ERROR:
        sentence = "The joints of B are on average {} % of the crop's side {} the annotation than those of A"
        nearer, farther = sentence.format("{}", "nearer to"), sentence.format("{}", "farther from")
        unit = "% of the crop's side"
        return ScoreWords("Mean distance from the annotation", unit, unit, 1, 2, farther, nearer, lower_is_better=True)
    name = score.upper() if score.islower() and len(score) <= 3 else score
    sentence = f"The {name} of B is {{}} {{}} than that of A"
    return ScoreWords(name, "", "", 1, 3, sentence.format("{}", "higher"), sentence.format("{}", "lower"))


def headline(found: PairComparison) -> str:
    """Return the result in two sentences at most, with the persons that it is of."""
    words, metric = words_of(found.score.name), found.overall
    if not metric.count:
        return "No person can be compared. See below who is left out, and why."
    persons = f"{pluralise(metric.count, 'person')} in {pluralise(found.photographs, 'photograph')}"
    if found.equal == metric.count:
        return f"A and B have the same values on all persons: {persons}."
    rises = metric.difference >= 0
    ends = (metric.low, metric.high) if rises else (-metric.high, -metric.low)
    size = f"{words.number(abs(metric.difference))} [{words.number(ends[0])}, {words.number(ends[1])}]"
    claim = (words.positive if rises else words.negative).format(size)
    if found.trained.any():
        persons += f" ({int(found.trained.sum()):,} of them seen in training)"
    sentence = f"{claim}, on {persons}: better on {found.better:,}, worse on {found.worse:,}, equal on {found.equal:,}."
    if not metric.excludes_zero:
        sentence += " The 95 % interval includes 0, so which run is better is open."
    return sentence + _warn_of_few(found.photographs)


def describe_persons(pair: RunPair, include_trained: bool) -> tuple[str, ...]:
    """Return sentences on who and what is compared, and what is left out."""
    matched, lines = pair.matched, []
    both, only_a, only_b = (
        int(one.sum())
        for one in (pair.trained_a & pair.trained_b, pair.trained_a & ~pair.trained_b, ~pair.trained_a & pair.trained_b)
    )
    if both or only_a or only_b:
        parts = [f"{count:,} by {who}" for count, who in ((both, "A and B"), (only_a, "A only"), (only_b, "B only")) if count]
        number = both + only_a + only_b
        used = f"{'was' if number == 1 else 'were'} used for training ({', '.join(parts)})"
        trained = f"{number:,} of {pluralise(len(pair), 'common person')} {used} and {_are(number)}"
        lines.append(
            f"{trained} included, which is no fair comparison: a model fits the persons that it was trained on."
            if include_trained
            else f"{trained} left out: a model fits the persons that it was trained on."
        )
    for letter, run in (("A", pair.first), ("B", pair.second)):
        if not run.places.knows_training:
            lines.append(f"{letter} is an explanation, which does not record the persons that its model was trained on.")
    if pair.first.about.model == pair.second.about.model:
        lines.append("A and B are the same model.")
    if matched.persons_only_a or matched.persons_only_b:
        lines.append(f"Persons of one table only: {matched.persons_only_a:,} of A, {matched.persons_only_b:,} of B.")
    if matched.other_annotation:
        count = pluralise(matched.other_annotation, "person")
        lines.append(f"{count} with other annotations in B {_are(matched.other_annotation)} left out.")
    if not matched.same_crops:
        lines.append("The crops of A and B differ. Distances are measured in A's crops; the labels give the map between both.")
    if matched.no_map:
        count = pluralise(matched.no_map, "person")
        have = "has" if matched.no_map == 1 else "have"
        lines.append(f"{count} with fewer than two labelled joints {have} no such map and {_are(matched.no_map)} left out.")
    return (*lines, *_describe_labels(pair))


def _describe_labels(pair: RunPair) -> list[str]:
    matched, lines = pair.matched, []
    for letter, names in (("A", matched.only_a), ("B", matched.only_b)):
        if names:
            lines.append(f"Joints of {letter} only, not compared: {', '.join(name.replace('_', ' ') for name in names)}.")
    if labels := int(matched.single_labels.sum()):
        do = "does" if labels == 1 else "do"
        lines.append(f"{pluralise(labels, 'joint')} labelled in the crop of one run only {do} not count.")
    same, scores = int(matched.same_labels.sum()), ", ".join(words_of(name).title for name in pair.shared_scores)
    if scores and not same:
        lines.append(f"Not compared, since A and B scored other joints: {scores}.")
    elif scores and same < len(pair):
        have = "has" if same == 1 else "have"
        common = pluralise(len(pair), "common person")
        lines.append(f"{scores}: only {same:,} of {common} {have} the same labelled joints in both.")
    return lines


def describe_joints(found: PairComparison) -> str:
    """Return at how many joints each run is better, and how many intervals exclude zero by chance."""
    words, count = words_of(_joint_score(found)), len(found.joints)
    won = [words.winner(joint) for joint in found.joints]
    what = "the distance" if found.score.name == ERROR else "PCK"
    is_known = found.score.name in (PCK, ERROR)
    note = "" if is_known else " The tables have this score for whole persons only, so joints are compared by PCK."
    return (
        f"By {what}, B is better at {won.count('B')} of {pluralise(count, 'joint')} and A at {won.count('A')}: these intervals "
        f"exclude 0.{_chance(count)}{note}"
    )


def describe_groups(found: PairComparison) -> str:
    """Return in how many groups each run is better, and how many intervals exclude zero by chance."""
    words, count = words_of(found.score.name), len(found.groups)
    if not count:
        return "A has no groups: its explanation found no clusters and no failure slices, or did not search for them."
    won = [words.winner(group.metric) for group in found.groups]
    few = any(0 < group.photographs < MIN_IMAGES for group in found.groups)
    return (
        f"Groups are those of A. B is better in {won.count('B')} of {pluralise(count, 'group')} and A in {won.count('A')}."
        f"{_chance(count)}{f' Intervals of groups in fewer than {MIN_IMAGES} photographs are too narrow.' if few else ''}"
    )


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _joint_score(found: PairComparison) -> str:
    return ERROR if found.score.name == ERROR else PCK


def _chance(count: int) -> str:
    return f" About one interval in {_CHANCE} excludes 0 by chance: of {count} about {count / _CHANCE:.1f}."


def _warn_of_few(photographs: int) -> str:
    return "" if photographs >= MIN_IMAGES else f" Intervals of fewer than {MIN_IMAGES} photographs are too narrow."
