from posescope.explainability.base import AnalysisResult
from posescope.explainability.findings import Control, Finding
from posescope.explainability.findings_file import FindingRecord, list_findings
from posescope.reporting.sections.finding_cards import card_of_finding


def test_command_is_shown_as_it_is_typed() -> None:
    """All other texts are in words: `left_wrist` is a left wrist."""
    finding = Finding(
        "wrist", "Is left_wrist worse?", "PCK of left_wrist is 0.5.", "Not known.", "supported", 0.5, "PCK", 0.4, 0.6,
        Control("right_wrist", 0.9), 0.001,
    )  # fmt: skip
    (content,) = list_findings(label_errors=AnalysisResult(facts={}, findings=(finding,)))
    card = card_of_finding(FindingRecord(**content))
    assert card.question == "Is left wrist worse?"
    assert card.numbers[-1].value.endswith("analyse_label_errors")


def test_failure_slice_has_the_command_that_shows_its_persons() -> None:
    finding = Finding(
        "slice-2", "Do persons in the dark fail?", "They do.", "Not known.", "supported", 0.5, "PCK", 0.4, 0.6,
        Control("others", 0.9), 0.001,
    )  # fmt: skip
    (content,) = list_findings(failure_slices=AnalysisResult(facts={}, findings=(finding,)))
    card = card_of_finding(FindingRecord(**content), open_command="posescope explore data")
    assert (card.numbers[-1].name, card.numbers[-1].value) == ("Show the persons", "posescope explore data --slice slice-2")
    assert card_of_finding(FindingRecord(**content)).numbers[-1].name == "Command"
