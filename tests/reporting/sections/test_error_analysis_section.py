"""The chapter on failures: its sentences say what the tables hold."""

from dataclasses import replace

import numpy as np
import pytest

from posescope.evaluation.metric_values import add_setting, evaluation_setting
from posescope.reporting.html_page import render_report
from posescope.reporting.plots.evaluation_plots import plot_error_costs, plot_error_types, plot_reliability, plot_strata
from posescope.reporting.report_content import ReportContent
from posescope.reporting.sections.error_analysis_section import assemble_failure_section


def sentences(inputs) -> list[str]:
    return [line.removeprefix("- ") for line in assemble_failure_section(inputs).text.splitlines() if line.startswith("- ")]


def test_each_result_is_one_sentence_made_from_the_numbers(failure_inputs) -> None:
    types, costs, groups, ranks, effects = sentences(failure_inputs)
    assert types == (
        "Of the labelled joints 50.0% are good, 20.0% jitter, 10.0% are inverted, 5.0% swapped and 15.0% missed; the joint that "
        "is good least often is the left hand (30.0%)."
    )
    assert costs == (
        "The costliest type is miss: if these 1,006 joints stood right, OKS AP would be 0.750 in the place of 0.400, and the "
        "mean OKS 0.250 higher."
    )
    # The small ones are three: no example of anything.
    assert groups == (
        "The weakest group is size: medium (OKS 0.250, 20 persons), the strongest size: large (OKS 0.750, 27 persons)."
    )
    assert ranks == (
        "A person's score knows something of the error: the higher it is, the higher OKS (rank correlation 0.31, interval 0.12 "
        "to 0.44)."
    )
    assert effects == ("What it is worth on this run, in mean OKS: flip test, with plain arg-max +0.013 (-0.011 to +0.033).")


def test_groups_that_are_equal_are_told_as_equal(failure_inputs) -> None:
    strata = failure_inputs.strata.copy()
    strata.loc[strata["group"] == "small", ["persons", "oks"]] = [20, 0.2504]
    assert sentences(replace(failure_inputs, strata=strata))[2] == (
        "The weakest of the groups: size: medium (OKS 0.250, 20 persons) and size: small (OKS 0.250, 20 persons), which are "
        "equal; the strongest: size: large (OKS 0.750, 27 persons)."
    )
    strata.loc[strata["group"] == "large", "oks"] = 0.25
    assert sentences(replace(failure_inputs, strata=strata))[2] == (
        "No group is weaker than another: OKS is 0.250 in all of them."
    )


def test_persons_who_were_not_found_are_spoken_of(failure_inputs) -> None:
    types = failure_inputs.error_types.copy()
    types.loc[(types["joint"] == "all") & (types["type"] == "not found"), "fraction"] = 0.04
    assert (
        "15.0% missed; 4.0% are of persons who were not found; the joint"
        in sentences(replace(failure_inputs, error_types=types))[0]
    )


def test_every_figure_and_table_tells_what_it_is_of(failure_inputs) -> None:
    setting = evaluation_setting("crops", "val", flip_test=True)
    tables = ("error_types", "error_costs", "strata", "reliability", "rank_correlations", "decoding_effects")
    told = {name: add_setting(getattr(failure_inputs, name), setting) for name in tables}
    plots = {
        "error_types_plot": plot_error_types(told["error_types"]),
        "error_costs_plot": plot_error_costs(told["error_costs"]),
        "strata_plot": plot_strata(told["strata"]),
        "reliability_plot": plot_reliability(told["reliability"], told["rank_correlations"]),
    }
    section = assemble_failure_section(replace(failure_inputs, **told, **plots))
    words = "of val; who has a crop counts (crops); annotated boxes; with flip test"
    assert all(words.removeprefix("of ") in figure.figure.layout.title.text for figure in section.figures)
    assert section.figures[2].figure.layout.title.text == f"50 persons {words}"
    assert all("who has a crop counts (crops)" in table.caption.lower() for table in section.tables)
    assert "50 persons of val" in section.pictures[0].caption


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((-0.3, -0.5, -0.1), "score misleads"),
        ((0.1, -0.1, 0.3), "cannot be told"),
        ((np.nan, np.nan, np.nan), "Nothing can be said"),
    ],
)
def test_a_score_that_knows_nothing_is_not_praised(failure_inputs, row, words) -> None:
    ranks = failure_inputs.rank_correlations.copy()
    ranks.loc[ranks["level"] == "person", ["spearman", "low", "high"]] = row
    assert words in sentences(replace(failure_inputs, rank_correlations=ranks))[3]


def test_effects_that_nobody_measured_are_not_spoken_of(failure_inputs) -> None:
    section = assemble_failure_section(replace(failure_inputs, decoding_effects=failure_inputs.decoding_effects.iloc[:0]))
    assert len([line for line in section.text.splitlines() if line.startswith("- ")]) == 4
    assert [table.title for table in section.tables] == ["What each type of error costs", "Groups of persons"]


def test_the_chapter_can_be_rendered(failure_inputs) -> None:
    page = render_report(ReportContent(title="t", sections=(assemble_failure_section(failure_inputs),)))
    for words in ("What goes wrong", "The costliest type is miss", "flip test, with plain arg-max"):
        assert words in page
