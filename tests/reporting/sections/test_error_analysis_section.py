"""Tests of posescope.reporting.sections.error_analysis_section: sentences, captions and tables."""

from dataclasses import replace

import numpy as np
import pytest

from posescope.evaluation.metric_values import EvaluationSetting, add_setting
from posescope.reporting.html_page import render_report
from posescope.reporting.plots.evaluation_plots import plot_error_costs, plot_error_types, plot_reliability, plot_strata
from posescope.reporting.report_content import ReportContent
from posescope.reporting.sections.error_analysis_section import assemble_failure_section


def sentences(inputs) -> list[str]:
    return [line.removeprefix("- ") for line in assemble_failure_section(inputs).text.splitlines() if line.startswith("- ")]


def test_each_result_is_one_sentence_with_its_numbers(failure_inputs) -> None:
    types, costs, groups, ranks, effects = sentences(failure_inputs)
    for number in ("50.0%", "20.0%", "10.0%", "5.0%", "15.0%", "left hand", "(30.0%)"):
        assert number in types
    for number in ("miss", "1,006 joints", "0.400 to 0.750", "0.250"):
        assert number in costs
    # The group of small persons has 3 persons, too few to be named.
    assert "lowest for medium-sized persons (0.250, 20 persons)" in groups
    assert "highest for large persons (0.750, 27 persons)" in groups
    assert "0.31, interval 0.12 to 0.44" in ranks
    assert effects == "Flip test changes mean OKS by +0.013 (-0.011 to +0.033) with arg-max decoding."


def test_tied_groups_are_all_named(failure_inputs) -> None:
    strata = failure_inputs.strata.copy()
    strata.loc[strata["group"] == "small", ["persons", "oks"]] = [20, 0.2504]
    groups = sentences(replace(failure_inputs, strata=strata))[2]
    assert "medium-sized persons (0.250, 20 persons) and small persons (0.250, 20 persons), and" in groups
    strata.loc[strata["group"] == "large", "oks"] = 0.25
    assert sentences(replace(failure_inputs, strata=strata))[2] == "All groups have the same OKS, 0.250."


def test_joints_of_missed_persons_are_stated_if_there_are_any(failure_inputs) -> None:
    types = failure_inputs.error_types.copy()
    types.loc[(types["joint"] == "all") & (types["type"] == "not found"), "fraction"] = 0.04
    assert "4.0%" in sentences(replace(failure_inputs, error_types=types))[0]
    assert "4.0%" not in sentences(failure_inputs)[0]


def test_every_plot_and_table_states_its_evaluation_setting(failure_inputs) -> None:
    setting = EvaluationSetting("crops", "val", "ground_truth", True)
    tables = ("error_types", "error_costs", "strata", "reliability", "rank_correlations", "decoding_effects")
    with_setting = {name: add_setting(getattr(failure_inputs, name), setting) for name in tables}
    plots = {
        "error_types_plot": plot_error_types(with_setting["error_types"]),
        "error_costs_plot": plot_error_costs(with_setting["error_costs"]),
        "strata_plot": plot_strata(with_setting["strata"]),
        "reliability_plot": plot_reliability(with_setting["reliability"], with_setting["rank_correlations"]),
    }
    section = assemble_failure_section(replace(failure_inputs, **with_setting, **plots))
    words = "of val; protocol crops (persons with a crop); ground-truth crops; with flip test"
    assert all(words.removeprefix("of ") in plot.figure.layout.title.text for plot in section.plots)
    assert section.plots[2].figure.layout.title.text == f"50 persons {words}"
    assert all("protocol crops (persons with a crop)" in table.caption.lower() for table in section.tables)
    assert "50 persons of val" in section.images[0].caption


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((-0.3, -0.5, -0.1), "misleading"),
        ((0.1, -0.1, 0.3), "not shown"),
        ((np.nan, np.nan, np.nan), "undefined"),
    ],
)
def test_uninformative_scores_are_reported_as_such(failure_inputs, row, words) -> None:
    ranks = failure_inputs.rank_correlations.copy()
    ranks.loc[ranks["level"] == "person", ["spearman", "low", "high"]] = row
    assert words in sentences(replace(failure_inputs, rank_correlations=ranks))[3]


def test_missing_decoding_effects_are_omitted(failure_inputs) -> None:
    section = assemble_failure_section(replace(failure_inputs, decoding_effects=failure_inputs.decoding_effects.iloc[:0]))
    assert len([line for line in section.text.splitlines() if line.startswith("- ")]) == 4
    assert [table.title for table in section.tables] == ["Gain from correcting each type of error", "Groups of persons"]


def test_section_can_be_rendered(failure_inputs) -> None:
    page = render_report(ReportContent(title="t", sections=(assemble_failure_section(failure_inputs),)))
    for words in ("Errors", "mean OKS is miss", "flip test, with arg-max"):
        assert words in page
