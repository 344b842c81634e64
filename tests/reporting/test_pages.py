"""Tests of posescope.reporting.pages: height, width, visible text and links of both pages, in a browser."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from tests.browser import measure_page
from tests.findings import make_finding
from tests.reporting.summary.whole_run import whole_run

from posescope.explainability.base import AnalysisResult
from posescope.explainability.findings_file import list_findings, read_findings
from posescope.reporting.pages import write_pages

TALLEST_PX = 12_000
PHONE_PX, DESKTOP_PX = 390, 1280


def analysis(name: str, findings: int) -> AnalysisResult:
    """Result with wide and tall images, plots, long tables and raw names, as a large analysis has them."""
    question = f"Is the network worse on the persons of group {{}} than on all others, in analysis {name}?"
    made = tuple(
        make_finding(f"Group {number} fails more often.", question=question.format(number), p_value=1e-9, picture="wide")
        for number in range(findings)
    )
    images = {"wide": np.full((300, 2400, 3), 60, np.uint8), "tall": np.full((3000, 900, 3), 60, np.uint8)}
    table = pd.DataFrame({f"bbox_w_{number}": range(40) for number in range(30)})
    plots = {"map": go.Figure(go.Scatter(x=[1, 2], y=[1, 2], name="bbox_w"))}
    return AnalysisResult(
        facts={"n": 1}, tables={"long_table": table}, images=images, findings=made, plots=plots, note="Note. " * 99
    )


@pytest.fixture
def pages(tiny_model, data_inputs, failure_inputs):
    inputs = whole_run(tiny_model, data_inputs, failure_inputs)
    added = {name: analysis(name, 4) for name in ("one", "two", "three", "four", "five")}
    analyses = {**inputs.analyses, **added}
    return write_pages(replace(inputs, analyses=analyses, findings=read_findings(list_findings(**analyses))))


def test_report_of_a_whole_run_is_at_most_12000_px_tall_and_has_no_raw_keys(pages, tmp_path):
    size = measure_page(pages["report"], DESKTOP_PX, tmp_path)
    assert size.height <= TALLEST_PX
    assert (size.width, size.overflowing) == (DESKTOP_PX, "")
    assert re.findall(r"\b[a-z]+_[a-z_]+\b", size.text) == []
    for words in ("Glossary", "Is the network worse on", "right hand"):
        assert words in size.text


@pytest.mark.parametrize("page", ["summary", "report"])
def test_pages_fit_a_phone(pages, tmp_path, page):
    size = measure_page(pages[page], PHONE_PX, tmp_path)
    assert (size.width, size.overflowing) == (PHONE_PX, "")


def test_links_of_both_pages_lead_to_places_of_the_report(pages):
    places = set(re.findall(r'\bid="([^"]+)"', pages["report"]))
    inside, outside = (
        re.findall(r'href="#([^"]+)"', pages["report"]),
        re.findall(r'href="report\.html#([^"]+)"', pages["summary"]),
    )
    assert len(outside) >= 9
    assert set(inside) | set(outside) <= places
