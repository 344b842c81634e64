"""Tests of posescope.reporting.sections.uncertainty_section."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from posescope.reporting.html_page import render_report
from posescope.reporting.report_content import ReportContent
from posescope.reporting.sections.uncertainty_section import UncertaintyInputs, assemble_uncertainty_section

NAN = float("nan")


def coverage() -> pd.DataFrame:
    rows = [
        ("all", 0.5, 100, 0.52, 0.5, 0.54, 2.0, 0.02),
        ("all", 0.9, 100, 0.91, 0.88, 0.93, 5.0, 0.05),
        ("nose", 0.9, 60, 0.92, 0.88, 0.95, 3.0, 0.031),
        ("left_wrist", 0.9, 40, 0.89, 0.84, 0.93, 20.0, 0.208),
        ("tail", 0.9, 0, float("nan"), float("nan"), float("nan"), float("nan"), float("nan")),
    ]
    columns = ["joint", "level", "labelled", "coverage", "coverage_low", "coverage_high", "radius_px", "radius_fraction"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(main=table["level"] == 0.9)


def inputs() -> UncertaintyInputs:
    trust = pd.DataFrame(
        {"trust": ["trusted", "do not trust", "no radius"], "fraction": [0.7, 0.29, 0.01], "pck": [0.93, 0.66, NAN]}
    )
    circles = np.zeros((8, 8, 3), np.uint8)
    return UncertaintyInputs(coverage(), pd.DataFrame({"kept": [0.5], "pck": [0.9]}), trust, circles, go.Figure(), go.Figure())


def test_section_states_coverage_and_the_largest_radius():
    section = assemble_uncertainty_section(inputs())
    for words in (
        "90%",
        "100 joints of the judged persons",
        "91.0%",
        "88.0%",
        "93.0%",
        "left wrist: 20.8%",
        "29% of the joints",
        "66% of these",
        "93%",
    ):
        assert words in section.text
    assert len(section.plots) == len(section.tables) == 2
    assert "left_wrist" in render_report(ReportContent("t", (section,)))


def test_missing_uncertainty_is_stated():
    section = assemble_uncertainty_section(None)
    assert "no calibrated uncertainty" in section.text
    assert (section.plots, section.tables) == ((), ())


def test_joints_without_radius_are_stated():
    none = inputs().uncertainty_coverage.assign(radius_px=NAN)
    trust = inputs().joint_trust.assign(pck=[NAN, NAN, 0.8])
    section = assemble_uncertainty_section(UncertaintyInputs(none, none[:0], trust, None, go.Figure(), go.Figure()))
    assert section.text == "No joint has a radius."
    assert section.images == ()
