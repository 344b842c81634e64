"""What is claimed of components, in words made from the numbers: what each is, what the study said, what can be read."""

from dataclasses import dataclass

import pandas as pd

from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.components.attribute_probes import ProbedAttributes
from posescope.explainability.components.pca import Components
from posescope.explainability.findings import Control, Finding, control_of

__all__ = ["ASSOCIATED_MIN_R2", "NAMED_MIN_R2", "STUDY_ATTRIBUTE", "ClaimMaker", "beats_chance", "best_attributes"]

NAMED_MIN_R2 = 0.5  # R2 from which a component is said to be an attribute: half of the variance of one lies in the other
ASSOCIATED_MIN_R2 = 0.1  # R2 from which it is said to lean from one end of an attribute to the other; below, it has no name
STUDY_ATTRIBUTE = "standing"  # of which the study said that it is the first component
_MOST_READABLE = 5
_ALSO = 3


def best_attributes(correlations: pd.DataFrame) -> pd.DataFrame:
    """The row with the highest R2 of each component that has one, in the order of the components."""
    known = correlations.dropna(subset=["r2", "pearson"])
    return known.loc[known.groupby("component")["r2"].idxmax()].reset_index(drop=True)


def beats_chance(row: pd.Series) -> bool:
    """Whether a row's R2 is above all that shuffled data reached, by any pair, and its interval above zero.

    Of S shuffles: where there is nothing to find, the best of all pairs passes once in S + 1 data sets at most.
    """
    return bool(row["r2"] > row["control_high"] and row["r2_low"] > 0)


@dataclass(frozen=True)
class ClaimMaker:
    """Makes findings of probes.

    Attributes:
        found: by `probe_attributes`.
        names: the best attribute of each component (`best_attributes`), with what `explain_components` says.
        components: whose shares of the variance are told.
        shuffles: how many there were, for the words of the controls.
        shown_in, probes_picture: the pictures that show the pairs, and the probes.
    """

    found: ProbedAttributes
    names: pd.DataFrame
    components: Components
    shuffles: int
    shown_in: str
    probes_picture: str

    def list_claims(self, claimed: int) -> tuple[Finding, ...]:
        """All findings; of single components, the first so many."""
        return (
            *(self.claim_name(row) for _, row in self.names[self.names["component"] <= claimed].iterrows()),
            *self.claim_of_the_study(),
            *self.claim_readable(),
            *self.claim_unreadable(),
        )

    def claim_name(self, row: pd.Series) -> Finding:
        """What one component is, by the attribute that it tells best (a row of the names)."""
        low, high = _ends(row)
        named, leans = (beats_chance(row) and row["r2"] >= least for least in (NAMED_MIN_R2, ASSOCIATED_MIN_R2))
        if named:
            verb = f"is {low} to {high}"
        elif leans:
            verb = f"leans from {low} to {high}, but is not that alone"
        else:
            verb = "has no name among the attributes measured, at best"
        share = self.components.explained_variance_ratio[int(row["component"]) - 1]
        claim = (
            f"Component {row['component']} ({share:.1%} of the variance) {verb}: {_told(row)}{self._also(row)}. All attributes "
            f"together tell {_all_told(row)}."
        )
        return _finding(claim, row, self._pair_control(row), bool(leans), self.shown_in)

    def _also(self, row: pd.Series) -> str:
        """Other attributes that the component leans to."""
        pairs = self.found.correlations.sort_values("r2", ascending=False, kind="stable")
        others = [
            f"{other['attribute']} {other['r2']:.2f}"
            for _, other in pairs[pairs["component"] == row["component"]].iterrows()
            if other["attribute"] != row["attribute"] and other["r2"] >= ASSOCIATED_MIN_R2 and beats_chance(other)
        ]
        return f" (then {', '.join(others[:_ALSO])})" if others else ""

    def claim_of_the_study(self) -> list[Finding]:
        """Whether the first component is sitting to standing; nothing where that could not be measured."""
        pairs = self.found.correlations[self.found.correlations["attribute"] == STUDY_ATTRIBUTE].dropna(subset=["r2"])
        if not len(pairs) or pairs["component"].iloc[0] != 1:
            return []
        row, strongest = pairs.iloc[0], pairs.iloc[int(pairs["r2"].to_numpy().argmax())]
        holds, leans = (beats_chance(row) and bool(row["r2"] >= least) for least in (NAMED_MIN_R2, ASSOCIATED_MIN_R2))
        verdict = "holds" if holds else "holds in part only" if leans else "does not hold"
        claim = f"The study's claim that the first component is sitting to standing {verdict} here: {_told(row)}"
        if strongest["component"] != 1 and beats_chance(strongest):
            claim += f"; of single components, number {strongest['component']} tells it best: {_told(strongest)}"
        return [_finding(claim + ".", row, self._pair_control(row), holds, self.shown_in)]

    def claim_readable(self) -> list[Finding]:
        """The attributes that all components together tell best, a finding each."""
        return [
            _finding(
                f"Linearly readable from {self._source(row)}: {' to '.join(_words(row))}, {_told(row)}.",
                row,
                self._probe_control(row),
                passed=True,
                shown_in=self.probes_picture,
            )
            for row in self._probes(passed=True)[:_MOST_READABLE]
        ]

    def claim_unreadable(self) -> list[Finding]:
        """The attributes that all components together do not tell, in one finding; nothing where there are none."""
        lost = self._probes(passed=False)
        if not lost:
            return []
        best, names = lost[0], ", ".join(row["attribute"] for row in lost)
        claim = f"Not surely more readable from {self._source(best)} than by chance: {names}; at best {_told(best)}."
        return [_finding(claim, best, self._probe_control(best), passed=False, shown_in=self.probes_picture)]

    def _probes(self, passed: bool) -> list[pd.Series]:
        """Rows of the probes that beat chance, or of those that do not, the highest R2 first."""
        rows = [row for _, row in self.found.probes.sort_values("r2", ascending=False, kind="stable").iterrows()]
        return [row for row in rows if beats_chance(row) == passed]

    def _source(self, row: pd.Series) -> str:
        share = self.components.explained_variance_ratio[: int(row["components"])].sum()
        return f"the first {row['components']} components ({share:.0%} of the variance)"

    def _pair_control(self, row: pd.Series) -> Control:
        what = f"the best of {len(self.found.correlations)} pairs, attributes shuffled between photographs {self.shuffles} times"
        return control_of(what, self.found.pair_null.interval(int(row["persons"])))

    def _probe_control(self, row: pd.Series) -> Control:
        what = f"the best of {len(self.found.probes)} attributes, shuffled between photographs {self.shuffles} times"
        return control_of(what, self.found.probe_null.interval(int(row["persons"])))


def _finding(claim: str, row: pd.Series, control: Control, passed: bool, shown_in: str | None = None) -> Finding:
    return Finding(claim, float(row["r2"]), float(row["r2_low"]), float(row["r2_high"]), control, passed, shown_in)


def _told(row: pd.Series) -> str:
    return f"R2 {row['r2']:.2f} [{row['r2_low']:.2f}, {row['r2_high']:.2f}] of {row['attribute']} on held-out persons"


def _all_told(row: pd.Series) -> str:
    if row["all_r2"] <= row["all_control_high"] or row["all_r2_low"] <= 0:
        return "no more of it than chance"
    return f"R2 {row['all_r2']:.2f} of it (shuffled: {row['all_control_high']:.2f} at most)"


def _words(row: pd.Series) -> tuple[str, str]:
    attribute = attribute_named(row["attribute"])
    return attribute.low, attribute.high


def _ends(row: pd.Series) -> tuple[str, str]:
    """Words for the low and for the high end of a component."""
    low, high = _words(row)
    return (low, high) if row["pearson"] >= 0 else (high, low)
