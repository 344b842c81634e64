"""Findings about components: the attribute that describes each, the thesis's claim, and what all components together predict."""

from dataclasses import dataclass

import pandas as pd

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.components.attribute_probes import ProbedAttributes
from posescope.explainability.components.pca import Components
from posescope.explainability.findings import Control, Finding, control_of, finding_from_claim

__all__ = ["ASSOCIATED_MIN_R2", "NAMED_MIN_R2", "STUDY_ATTRIBUTE", "ClaimMaker", "beats_chance", "best_attributes"]

NAMED_MIN_R2 = 0.5  # from this R2 on a component is named by an attribute
ASSOCIATED_MIN_R2 = 0.1  # from this R2 on it is associated with an attribute; below, it has no name
STUDY_ATTRIBUTE = "standing"  # the first component, according to the thesis
_MOST_READABLE = 5
_MOST_OTHERS = 3


def best_attributes(correlations: pd.DataFrame) -> pd.DataFrame:
    """Return the row with the highest R2 of each component, ordered by component."""
    known = correlations.dropna(subset=["r2", "pearson"])
    return known.loc[known.groupby("component")["r2"].idxmax()].reset_index(drop=True)


def beats_chance(row: pd.Series) -> bool:
    """Whether a row's R2 exceeds the maximum over all pairs and shuffles, and its interval is above zero.

    Without any relation, the best of all pairs passes in at most one of S + 1 data sets, for S shuffles.
    """
    return bool(row["r2"] > row["control_high"] and row["r2_low"] > 0)


@dataclass(frozen=True)
class ClaimMaker:
    """Makes findings from the relations between components and attributes.

    Attributes:
        found: result of `probe_attributes`.
        names: best attribute of each component (`best_attributes`), joined with the table of `explain_components`.
        components: the components.
        shuffles: number of shuffles, for the descriptions of the controls.
        picture, probes_shown_in: names of the images of the pairs and of the probes.
    """

    found: ProbedAttributes
    names: pd.DataFrame
    components: Components
    shuffles: int
    picture: str
    probes_shown_in: str

    def list_claims(self, claimed: int) -> tuple[Finding, ...]:
        """Return all findings; those of single components for the first `claimed` components."""
        return (
            *(self.claim_name(row) for _, row in self.names[self.names["component"] <= claimed].iterrows()),
            *self.claim_of_the_study(),
            *self.claim_readable(),
            *self.claim_unreadable(),
        )

    def claim_name(self, row: pd.Series) -> Finding:
        """Describe one component (a row of the names) by its best attribute."""
        low, high = _ends(row)
        named, associated = (beats_chance(row) and row["r2"] >= least for least in (NAMED_MIN_R2, ASSOCIATED_MIN_R2))
        attribute, others = f"{row['attribute']} (from '{low}' to '{high}'):", self._others(row)
        if named:
            verb = f"encodes the attribute {attribute}"
        elif associated:
            verb = f"is correlated with {'several attributes, most with' if others else 'the attribute'} {attribute}"
        else:
            verb = f"is not substantially correlated with any measured attribute; the best is {attribute}"
        ratio = self.components.explained_variance_ratio[int(row["component"]) - 1]
        claim = (
            f"Component {row['component']} ({ratio:.1%} of the variance) {verb} R² {_r2(row):.2f} on held-out persons{others}. "
            f"{_all_attributes_words(row)}"
        )
        return finding_from_claim(claim, _r2(row), self._pair_control(row), passed=associated, picture=self.picture)

    def _others(self, row: pd.Series) -> str:
        """List other attributes that the component is associated with."""
        pairs = self.found.correlations.sort_values("r2", ascending=False, kind="stable")
        others = [
            f"{other['attribute']} {other['r2']:.2f}"
            for _, other in pairs[pairs["component"] == row["component"]].iterrows()
            if other["attribute"] != row["attribute"] and other["r2"] >= ASSOCIATED_MIN_R2 and beats_chance(other)
        ]
        return f" (next best: {', '.join(others[:_MOST_OTHERS])})" if others else ""

    def claim_of_the_study(self) -> list[Finding]:
        """Test whether the first component encodes sitting versus standing; empty if that attribute was not measured."""
        pairs = self.found.correlations[self.found.correlations["attribute"] == STUDY_ATTRIBUTE].dropna(subset=["r2"])
        if not len(pairs) or pairs["component"].iloc[0] != 1:
            return []
        row, strongest = pairs.iloc[0], pairs.iloc[int(pairs["r2"].to_numpy().argmax())]
        holds, in_part = (beats_chance(row) and row["r2"] >= least for least in (NAMED_MIN_R2, ASSOCIATED_MIN_R2))
        verdict = "is reproduced" if holds else "is reproduced only in part" if in_part else "is not reproduced"
        claim = (
            f"The thesis's claim that the first component encodes sitting versus standing {verdict}: it predicts "
            f"{row['attribute']} with R² {_r2(row):.2f} on held-out persons"
        )
        if strongest["component"] != 1 and beats_chance(strongest):
            claim += f". Component {strongest['component']} is the best single predictor (R² {_r2(strongest):.2f})"
        return [finding_from_claim(claim + ".", _r2(row), self._pair_control(row), passed=holds, picture=self.picture)]

    def claim_readable(self) -> list[Finding]:
        """Return one finding for each of the attributes that all components together predict best."""
        found = []
        for row in self._probes(passed=True)[:_MOST_READABLE]:
            low, high = _words(row)
            claim = (
                f"A linear probe on {self._source(row)} predicts {row['attribute']} (from '{low}' to '{high}') with "
                f"R² {_r2(row):.2f} on held-out persons."
            )
            control = self._probe_control(row)
            found.append(finding_from_claim(claim, _r2(row), control, passed=True, picture=self.probes_shown_in))
        return found

    def claim_unreadable(self) -> list[Finding]:
        """Return one finding for all attributes that are not readable; empty if there are none."""
        unreadable = self._probes(passed=False)
        if not unreadable:
            return []
        best, names = unreadable[0], ", ".join(row["attribute"] for row in unreadable)
        claim = (
            f"A linear probe on {self._source(best)} does not predict the following attributes significantly better than chance: "
            f"{names}; the best is {best['attribute']} with R² {_r2(best):.2f} on held-out persons."
        )
        control = self._probe_control(best)
        return [finding_from_claim(claim, _r2(best), control, passed=False, picture=self.probes_shown_in)]

    def _probes(self, passed: bool) -> list[pd.Series]:
        """Return the rows of the probes that beat chance, or of those that do not, highest R2 first."""
        rows = [row for _, row in self.found.probes.sort_values("r2", ascending=False, kind="stable").iterrows()]
        return [row for row in rows if beats_chance(row) == passed]

    def _source(self, row: pd.Series) -> str:
        ratio = self.components.explained_variance_ratio[: int(row["components"])].sum()
        return f"the first {row['components']} components ({ratio:.0%} of the variance)"

    @property
    def _shuffled(self) -> str:
        return f"shuffled between images {self.shuffles} times, scaled to the persons with this attribute"

    def _pair_control(self, row: pd.Series) -> Control:
        what = f"highest R² of {len(self.found.correlations)} pairs, {self._shuffled}"
        return control_of(what, self.found.pair_null.interval(int(row["persons"])))

    def _probe_control(self, row: pd.Series) -> Control:
        what = f"highest R² of {len(self.found.probes)} attributes, {self._shuffled}"
        return control_of(what, self.found.probe_null.interval(int(row["persons"])))


def _r2(row: pd.Series) -> Interval:
    return Interval(float(row["r2"]), float(row["r2_low"]), float(row["r2_high"]))


def _all_attributes_words(row: pd.Series) -> str:
    if row["all_r2"] <= row["all_control_high"] or row["all_r2_low"] <= 0:
        return "All attributes together do not predict the component better than chance."
    most = f"{row['all_control_high']:.2f}"
    return f"All attributes together predict the component with R² {row['all_r2']:.2f} (shuffled: at most {most})."


def _words(row: pd.Series) -> tuple[str, str]:
    attribute = attribute_named(row["attribute"])
    return attribute.low, attribute.high


def _ends(row: pd.Series) -> tuple[str, str]:
    """Describe the low and the high end of a component."""
    low, high = _words(row)
    return (low, high) if row["pearson"] >= 0 else (high, low)
