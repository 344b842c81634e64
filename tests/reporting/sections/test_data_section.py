"""Tests of posescope.reporting.sections.data_section: texts, plots, tables and units."""

from dataclasses import replace

import pytest

from posescope.reporting.html_page import render_report
from posescope.reporting.report_content import ReportContent
from posescope.reporting.sections.data_section import assemble_data_section, assemble_quality_section


def test_section_states_how_many_persons_have_a_crop(data_inputs):
    section = assemble_data_section(data_inputs)
    assert section.title == "Data"
    assert "Of all person records, 7 (70.0 %) have a crop" in section.text


def test_section_contains_all_plots_images_and_tables(data_inputs):
    section = assemble_data_section(data_inputs)
    assert [plot.alt for plot in section.plots] == [
        "Bars by split",
        "Bars by step and reason",
        "Histograms of box sizes by split",
        "Histogram of labelled joints by split",
        "Stacked bars by joint",
    ]
    assert section.plots[2].figure is data_inputs.box_sizes_plot
    assert section.plots[3].figure is data_inputs.joint_counts_plot
    assert [image.image is data_inputs.crop_grid for image in section.images] == [True, True, True]
    assert [table.title for table in section.tables] == ["Data distribution", "Rejected and accepted records", "Joint labels"]


def test_tables_contain_percentages(data_inputs):
    distribution, rejected, labels = assemble_data_section(data_inputs).tables
    assert distribution.frame["images_with_persons"].tolist() == [4, 2, 1, 7]
    assert "before any record is rejected" in distribution.caption
    assert distribution.frame["images_percent"].tolist() == pytest.approx([40, 40, 20, 100])
    assert rejected.frame["fraction_percent"].tolist() == pytest.approx([25, 30, 70, 75])
    assert labels.frame["occluded_percent"].tolist() == pytest.approx([100 / 7, 300 / 7])
    page = render_report(ReportContent(title="Data", sections=(assemble_data_section(data_inputs),)))
    assert 'images<span class="unit">, %</span>' in page
    assert "42.9" in page


def test_inputs_are_not_changed(data_inputs):
    before = data_inputs.distribution.copy()
    assemble_data_section(data_inputs)
    assert data_inputs.distribution.equals(before)


def test_section_without_rejected_records(data_inputs):
    accepted = data_inputs.rejected.iloc[2:].assign(fraction=1.0)
    section = assemble_data_section(replace(data_inputs, rejected=accepted))
    assert "7 (100.0 %) have a crop" in section.text
    assert len(section.tables[1].frame) == 2


def test_data_quality_findings_are_listed_with_their_fractions(data_inputs):
    section = assemble_quality_section(data_inputs.quality)
    assert section.title == "Data quality"
    assert section.text.startswith("1 findings were repaired")
    assert "1 are warnings" in section.text
    (table,) = section.tables
    assert table.frame["check"].tolist() == ["area_from_box", "guessed_oks_sigmas"]
    assert table.frame["records"].tolist() == [2, 1]
    assert table.frame["fraction_percent"].tolist() == [50, 50]
    assert "Annotation 3 has area null." in render_report(ReportContent(title="Data", sections=(section,)))


def test_absence_of_findings_is_stated(data_inputs):
    section = assemble_quality_section(data_inputs.quality.iloc[:0])
    assert section.tables == ()
    assert "no findings" in section.text
