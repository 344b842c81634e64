"""Findings of the analyses as cards: question, answer, statement, and the numbers behind them."""

from pathlib import PurePosixPath

from posescope.core.errors import pluralise
from posescope.explainability.findings_file import ControlRecord, FindingRecord
from posescope.reporting.report_content import Fact, FindingCard
from posescope.reporting.subject_words import PERSONS, SubjectWords
from posescope.reporting.summary.summary_content import figure_anchor
from posescope.reporting.wording import in_words

__all__ = ["card_of_finding", "picture_of", "section_anchor", "with_range"]


def picture_of(finding: FindingRecord) -> str:
    """Return the name of the image or plot that shows a finding; empty if there is none."""
    return (
        "" if finding.picture is None else PurePosixPath(finding.picture).name.removesuffix(".plotly.json").removesuffix(".png")
    )


def section_anchor(analysis: str) -> str:
    """Return the anchor of the section of an analysis."""
    return f"analysis-{analysis.replace('_', '-')}"


def card_of_finding(finding: FindingRecord, subject: SubjectWords = PERSONS, open_command: str = "") -> FindingCard:
    """Return a finding as a card.

    Args:
        finding: the finding, corrected for the number of all findings of its run.
        subject: words for the persons.
        open_command: command that opens the run as an interactive page; empty: none.
    """
    name = picture_of(finding)

    def words(text: str) -> str:
        return subject.adapt(in_words(text))

    return FindingCard(
        anchor=f"finding-{finding.id}".replace("_", "-").replace(".", "-"),
        question=words(finding.question),
        verdict=finding.verdict,
        statement=words(finding.statement),
        numbers=(
            *(Fact(fact.name, words(fact.value)) for fact in _numbers(finding)),
            Fact("Command", finding.command),
            *_slice_fact(finding, open_command),
        ),
        detail=words(finding.detail),
        picture=figure_anchor(finding.analysis, name) if name else "",
    )


def _numbers(finding: FindingRecord) -> list[Fact]:
    unit = f" {finding.unit}" if finding.unit else ""
    facts = [Fact("Effect", with_range(finding.effect, finding.low, finding.high) + unit)]
    if finding.control is not None:
        facts.append(Fact("Control", _control_words(finding.control)))
    counts = [pluralise(finding.person_count, "person")] if finding.person_count else []
    counts += [f"of {pluralise(finding.photograph_count, 'photograph')}"] if finding.photograph_count else []
    persons = " ".join(counts) + (f": {finding.persons}" if counts and finding.persons else finding.persons)
    if persons:
        facts.append(Fact("Persons", persons))
    if finding.p_adjusted is not None:
        facts.append(Fact("Probability without an effect (p, corrected)", _p_words(finding.p_adjusted)))
    return facts


def _slice_fact(finding: FindingRecord, open_command: str) -> tuple[Fact, ...]:
    """Return the command that shows the persons of a failure slice."""
    analysis, _, name = finding.id.partition(".")
    shown = open_command and analysis == "failure_slices" and name.startswith("slice-")
    return (Fact("Show the persons", f"{open_command} --slice {name}"),) if shown else ()


def _control_words(control: ControlRecord) -> str:
    fixed = "" if control.can_fail else " (fixed by construction: a check, no evidence)"
    return f"{control.what}: {with_range(control.value, control.low, control.high)}{fixed}"


def _p_words(p_value: float) -> str:
    return "below 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def with_range(value: float, low: float | None, high: float | None) -> str:
    """Return a number with its interval; fixed decimals, so that a control of 0.00003 is 0.000."""
    decimals = 3 if max(abs(number) for number in (value, low, high) if number is not None) < 10 else 1
    numbers = [f"{number:.{decimals}f}".replace("-", "−") for number in (value, low, high) if number is not None]
    return numbers[0] if low is None or high is None else f"{numbers[0]} ({numbers[1]} to {numbers[2]})"
