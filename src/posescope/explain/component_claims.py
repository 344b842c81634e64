"""What is claimed of components, in words made from the numbers: what each is, what the study said, what can be read."""

import pandas as pd

from posescope.explain.attribute_probes import ProbedAttributes
from posescope.explain.attributes import attribute_named
from posescope.explain.components import Components
from posescope.explain.findings import Control, Finding, control_of

__all__ = ["NAMES_FROM", "STUDY_ATTRIBUTE", "beats_chance", "best_names", "claim_components", "direction_of", "list_claims"]

NAMES_FROM = 0.5  # R2 from which a component is said to be an attribute: half of the variance of one lies in the other
STUDY_ATTRIBUTE = "standing"  # of which the study said that it is the first component
_MOST_READABLE = 5


def best_names(correlations: pd.DataFrame) -> pd.DataFrame:
    """The row with the highest R2 of each component that has one, in the order of the components."""
    known = correlations.dropna(subset=["r2"])
    return known.loc[known.groupby("component")["r2"].idxmax()].reset_index(drop=True)


def beats_chance(row: pd.Series) -> bool:
    """Whether the interval of a row's R2 lies above all that shuffled data reached, and above zero."""
    return bool(row["r2_low"] > max(row["control_high"], 0.0))


def direction_of(row: pd.Series) -> tuple[str, str]:
    """Words for the low and for the high end of a component, by the attribute of the row."""
    attribute = attribute_named(row["attribute"])
    return (attribute.low, attribute.high) if row["pearson"] >= 0 else (attribute.high, attribute.low)


def list_claims(
    found: ProbedAttributes, components: Components, claimed: int, shuffles: int, picture: str
) -> tuple[Finding, ...]:
    """All findings.

    Args:
        found: by `probe_attributes`.
        components: whose shares of the variance are told.
        claimed: for the first so many components.
        shuffles: for the words of the controls.
        picture: the picture that shows the pairs.
    """
    names = best_names(found.correlations)
    claims = [
        claim_components(row, found, components, shuffles, picture) for _, row in names[names["component"] <= claimed].iterrows()
    ]
    return (*claims, *_claim_of_the_study(found, shuffles, picture), *_readable(found, components, shuffles))


def claim_components(row: pd.Series, found: ProbedAttributes, components: Components, shuffles: int, picture: str) -> Finding:
    """What one component is, by the attribute that it tells best."""
    low, high = direction_of(row)
    subject = f"Component {row['component']} ({_share(components, row['component'] - 1):.1%} of the variance)"
    if not beats_chance(row):
        claim = f"{subject} has no name among the attributes measured: the best, {row['attribute']}, is no better than chance"
    elif row["r2"] >= NAMES_FROM:
        claim = f"{subject} is {low} to {high}"
    else:
        claim = f"{subject} goes from {low} to {high}, but is mostly something else"
    return _finding(
        f"{claim}: R2 {_told(row)} of {row['attribute']} on held-out persons.", row, _pair_control(found, row, shuffles), picture
    )


def _claim_of_the_study(found: ProbedAttributes, shuffles: int, picture: str) -> list[Finding]:
    """Whether the first component is sitting to standing."""
    pairs = found.correlations[found.correlations["attribute"] == STUDY_ATTRIBUTE].dropna(subset=["r2"])
    if not len(pairs) or pairs["component"].iloc[0] != 1:
        return []
    row, strongest = pairs.iloc[0], pairs.iloc[int(pairs["r2"].to_numpy().argmax())]
    holds = bool(beats_chance(row) and row["r2"] >= NAMES_FROM)
    verdict = "holds" if holds else "holds in small part only" if beats_chance(row) else "does not hold"
    claim = (
        f"The study's claim that the first component is sitting to standing {verdict} here: R2 {_told(row)} on held-out persons"
    )
    if strongest["component"] != 1:
        claim += f"; of single components, number {strongest['component']} tells it best (R2 {_told(strongest)})"
    return [_finding(claim + ".", row, _pair_control(found, row, shuffles), picture, holds)]


def _readable(found: ProbedAttributes, components: Components, shuffles: int) -> list[Finding]:
    """The attributes that all components together tell best, one by one, and those that they do not tell, in one finding."""
    probes = found.probes.sort_values("r2", ascending=False, kind="stable")
    passed = probes.apply(beats_chance, axis=1) if len(probes) else pd.Series(dtype=bool)
    findings = [
        _finding(
            f"Linearly readable from the first {row['components']} components "
            f"({components.explained_variance_ratio[: row['components']].sum():.0%} of the variance): {row['attribute']} "
            f"({_words(row)}), R2 {_told(row)} on held-out persons.",
            row,
            _probe_control(found, row, shuffles),
        )
        for _, row in probes[passed].head(_MOST_READABLE).iterrows()
    ]
    lost = probes[~passed]
    if len(lost):
        best = lost.iloc[0]
        claim = (
            f"Not linearly readable from the first {best['components']} components: {', '.join(lost['attribute'])}; the best of "
            f"them, {best['attribute']}, has R2 {_told(best)} on held-out persons, no more than chance gives."
        )
        findings.append(_finding(claim, best, _probe_control(found, best, shuffles)))
    return findings


def _finding(claim: str, row: pd.Series, control: Control, picture: str | None = None, passed: bool | None = None) -> Finding:
    passed = beats_chance(row) if passed is None else passed
    return Finding(claim, float(row["r2"]), float(row["r2_low"]), float(row["r2_high"]), control, passed, picture)


def _pair_control(found: ProbedAttributes, row: pd.Series, shuffles: int) -> Control:
    what = f"the best of {len(found.correlations)} pairs, attributes shuffled between photographs {shuffles} times"
    return control_of(what, found.pair_chance.interval(int(row["persons"])))


def _probe_control(found: ProbedAttributes, row: pd.Series, shuffles: int) -> Control:
    what = f"the best of {len(found.probes)} attributes, shuffled between photographs {shuffles} times"
    return control_of(what, found.probe_chance.interval(int(row["persons"])))


def _share(components: Components, index: int) -> float:
    return float(components.explained_variance_ratio[index])


def _told(row: pd.Series) -> str:
    return f"{row['r2']:.2f} [{row['r2_low']:.2f}, {row['r2_high']:.2f}]"


def _words(row: pd.Series) -> str:
    attribute = attribute_named(row["attribute"])
    return f"{attribute.low} to {attribute.high}"
