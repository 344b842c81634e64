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


# Height and width px of the images of a default run, and the number of findings of each of its analyses.
SIZES = {
    "slice_1": (640, 528), "component_1_ends": (384, 624), "component_2_ends": (384, 624), "component_3_ends": (384, 624),
    "traversal_strip_1": (133, 786), "traversal_strip_2": (133, 786), "traversal_strip_3": (133, 786),
    "cluster_1_persons": (367, 532), "cluster_2_persons": (367, 532),
}  # fmt: skip
FINDINGS = {
    "failure_slices": 2, "clusters": 4, "component_names": 6, "latent_traversal": 3, "skip_ablation": 3, "truncation": 3,
    "label_errors": 1,
}  # fmt: skip


def blank(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 60, np.uint8)


def as_large_as_real(name: str, result: AnalysisResult) -> AnalysisResult:
    """Return a result with images, plots, long tables and raw names, as an analysis of a default run has them."""
    question = f"Is the network worse on the persons of group {{}} than on all others, in the analysis {name}?"
    made = tuple(
        make_finding(
            f"Group {number} of {name} fails.", id=f"f-{number}", question=question.format(number), p_value=1e-9, picture="wide"
        )
        for number in range(FINDINGS.get(name, 0))
    )
    images = {title: blank(*SIZES[title]) for title in result.images if title in SIZES}
    table = pd.DataFrame({f"bbox_w_{number}": range(40) for number in range(30)})
    return replace(
        result,
        tables={**result.tables, "long_table": table},
        images={**images, "wide": blank(501, 1496), "tall": blank(3000, 900)},
        plots={"map": go.Figure(go.Scatter(x=[1, 2], y=[1, 2], name="bbox_w"))},
        findings=made,
        note="Note. " * 99,
    )


@pytest.fixture
def pages(tiny_model, data_inputs, failure_inputs):
    inputs = whole_run(tiny_model, data_inputs, failure_inputs)
    analyses = {**inputs.analyses, "label_errors": AnalysisResult(facts={})}
    analyses = {name: as_large_as_real(name, result) for name, result in analyses.items()}
    findings = (*inputs.findings, *read_findings(list_findings(**analyses)))
    circles = replace(inputs.uncertainty, joint_circles=blank(662, 932))
    return write_pages(
        replace(
            inputs, analyses=analyses, findings=findings, uncertainty=circles, example=blank(200, 612), examples=blank(1678, 1113)
        )
    )


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
