"""Tests of posescope.reporting.html_page: complete, self-contained and escaped pages."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from posescope.reporting.html_page import image_data_uri, render_report, render_summary
from posescope.reporting.report_content import (
    Fact,
    FindingCard,
    Headline,
    ReportContent,
    ReportImage,
    ReportPlot,
    ReportTable,
    Section,
)
from posescope.reporting.summary.summary_content import Curve, Scale, Summary, SummaryBlock, SummaryFigure, SummaryItem

PLOT = r'<script type="application/json">(.*?)</script>'
HTML_CODE = "</script><script>alert('x')</script> & <b>"


class Tags(HTMLParser):
    """Parser that collects tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._silent = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._silent = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.words.append(data.strip())


SUMMARY = Summary(
    "What it does",
    f"A page {HTML_CODE}",
    "Persons are generated.",
    (
        SummaryBlock(
            "How good",
            "metrics",
            "All metrics",
            "Words.",
            scales=(Scale("joints", 0.84, 0.82, 0.86),),
            figures=(SummaryFigure(np.full((6, 8, 3), 9, np.uint8), "An image.", "image"),),
            curve=Curve((1.0, 10.0), (0.5, 0.8), marked=10.0, across="components", up="joints", caption="A curve."),
            items=(SummaryItem("Group 1", "Persons."),),
        ),
    ),
)


def red_image(caption: str = "A red square.") -> ReportImage:
    return ReportImage(np.full((6, 8, 3), (255, 0, 0), np.uint8), caption=caption, alt="red")


def full_content() -> ReportContent:
    scores = pd.DataFrame(
        {"joint": ["nose", HTML_CODE], "pck_thesis": [0.5, np.nan], "mean_error_px": [2.25, 10.0], "labelled": [7, 1200]}
    )
    bars = go.Figure(go.Bar(x=[HTML_CODE], y=[1.0]))
    return ReportContent(
        title=f"Report {HTML_CODE}",
        subtitle="One sentence.",
        glossary=(Fact("PCK", "joints that are close enough."),),
        sections=(
            Section(
                "How good it is",
                "First part\nof it.\n\nSecond.\n- one\n- two",
                headlines=(Headline("PCK", 0.441, 0.432, 0.451), Headline("AP", float("nan"), None, 0.5)),
                facts=(Fact("Model", "hourglass"), Fact("Data", HTML_CODE)),
                tables=(ReportTable("Joints", scores),),
            ),
            Section("Where it fails", plots=(ReportPlot(bars, "Bars.", "bars"), ReportPlot(bars, "More bars.", "bars"))),
            Section("What it has learned", images=(red_image(),)),
        ),
        footer="Made by hand.",
    )


@pytest.fixture(scope="module")
def html() -> str:
    return render_report(full_content())


@pytest.fixture(scope="module")
def page(html: str) -> Tags:
    return Tags(html)


def test_every_section_is_on_the_page_and_in_the_contents(page: Tags) -> None:
    anchors = {attributes["href"] for tag, attributes in page.tags if tag == "a"}
    sections = {f"#{attributes['id']}" for tag, attributes in page.tags if tag == "section"}
    assert anchors == sections == {"#how-good-it-is", "#where-it-fails", "#what-it-has-learned", "#glossary"}
    for title in ("How good it is", "Where it fails", "What it has learned"):
        assert page.words.count(title) == 2


def test_page_fetches_no_external_resource(html: str, page: Tags) -> None:
    addresses = [
        value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href", "srcset", "data")
    ]
    assert len(addresses) == 5  # four entries of the contents, one image
    assert all(address is not None and address.startswith(("#", "data:image/")) for address in addresses)
    own = html.replace(get_plotlyjs(), "")
    assert not re.search(r"https?:|@import|url\(|//cdn", own)
    (policy,) = [a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_plots_have_no_upload_button(html: str) -> None:
    assert "showSendToCloud: false" in html.replace(get_plotlyjs(), "")


def test_texts_are_escaped(html: str, page: Tags) -> None:
    own = html.replace(get_plotlyjs(), "")
    assert "<script>alert" not in own
    assert own.count("&lt;script&gt;alert(&#39;x&#39;)") == 4  # page title, heading, a fact, a cell
    assert len([tag for tag, _ in page.tags if tag == "b"]) == 0


def test_plotting_library_is_included_once_and_only_for_plots(html: str) -> None:
    assert html.count(get_plotlyjs()[:200]) == 1
    without_plots = render_report(ReportContent(title="t", sections=(Section("s", "words"),)))
    assert len(without_plots) < 25_000
    assert "Plotly" not in without_plots


def test_plots_are_embedded_as_json(html: str) -> None:
    embedded = re.findall(PLOT, html, flags=re.DOTALL)
    assert len(embedded) == 2
    assert json.loads(embedded[0])["data"][0]["x"] == [HTML_CODE]


def test_images_have_size_alternative_text_and_caption(page: Tags) -> None:
    (image,) = [attributes for tag, attributes in page.tags if tag == "img"]
    assert (image["alt"], image["width"], image["height"]) == ("red", "8", "6")
    assert "A red square." in page.words


def test_data_uri_of_a_small_image_is_lossless_png() -> None:
    original = np.random.default_rng(3).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    kind, content = image_data_uri(original).split(",")
    assert kind == "data:image/png;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(decoded[..., ::-1], original)


def test_data_uri_of_a_large_image_is_similar_webp() -> None:
    # Similar to a photograph: a smooth ramp with noise that PNG compresses badly.
    ramp = np.linspace(0, 200, 400)[None, :, None] + np.random.default_rng(3).normal(0, 6, (300, 400, 3)) + 25
    original = ramp.clip(0, 255).astype(np.uint8)
    kind, content = image_data_uri(original).split(",")
    assert kind == "data:image/webp;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert decoded.shape == original.shape
    assert abs(decoded.astype(float) - original).mean() < 6
    assert len(content) < original.size / 4


def test_tables_show_units_numbers_and_dashes(page: Tags) -> None:
    text = " ".join(page.words)
    assert "mean error , px" in text
    for cell in ("0.500", "–", "2.250", "1,200"):
        assert cell in page.words


def test_headlines_show_intervals_only_if_both_ends_are_known(page: Tags) -> None:
    text = " ".join(page.words)
    assert "95 % interval 0.432 to 0.451" in text
    assert text.count("95 % interval") == 1


def test_paragraphs_and_lists_are_rendered(html: str) -> None:
    assert "<p>First part of it.</p>" in html
    assert "<p>Second.</p>" in html
    assert re.search(r"<li>one</li>\s*<li>two</li>", html)


def test_long_tables_state_how_many_rows_are_shown() -> None:
    table = ReportTable("Many", pd.DataFrame({"row": range(100)}), caption="All of them.", row_limit=10)
    html = render_report(ReportContent(title="t", sections=(Section("s", tables=(table,)),)))
    assert "All of them. The first 10 of 100 rows." in html
    assert html.count("<td") == 10


def test_floats_without_fractions_are_shown_as_integers() -> None:
    table = ReportTable("Steps", pd.DataFrame({"step": [-3.0, 0.0, np.nan, 3.0], "pck": [0.0, 1.0, 1.0, 0.0]}))
    words = Tags(render_report(ReportContent(title="t", sections=(Section("s", tables=(table,)),)))).words
    assert words.count("−3") == 1
    assert words.count("1.000") == 2


def test_table_without_rows_has_headings() -> None:
    table = ReportTable("None", pd.DataFrame({"joint": [], "score_percent": []}))
    html = render_report(ReportContent(title="t", sections=(Section("s", tables=(table,)),)))
    assert 'score<span class="unit">, %</span>' in html
    assert "<td" not in html


def test_rendering_is_deterministic(html: str) -> None:
    assert render_report(full_content()) == html


def test_html_in_plot_texts_is_escaped() -> None:
    """Plotly renders `<a href=...>` in any text as a link. Line breaks of posescope's own texts are not escaped."""
    name = '<a href="https://evil">knee</a>'
    figure = go.Figure(go.Bar(x=[name], y=[1])).update_layout(title_text=f"ours<br>{name}")
    html = render_report(ReportContent(title="t", sections=(Section("s", plots=(ReportPlot(figure, "c", "a"),)),)))
    (content,) = re.findall(PLOT, html, flags=re.DOTALL)
    assert json.loads(content)["layout"]["title"]["text"] == 'ours<br>&lt;a href="https://evil">knee&lt;/a>'
    assert json.loads(content)["data"][0]["x"] == ['&lt;a href="https://evil">knee&lt;/a>']


def test_tables_and_further_figures_are_folded() -> None:
    section = Section(
        "s", tables=(ReportTable("Joints", pd.DataFrame({"a": [1]})),), images=(red_image(), replace(red_image(), folded=True))
    )
    outside, _, folded = (
        render_report(ReportContent(title="t", sections=(section,))).partition("<main>")[2].partition("<details>")
    )
    assert outside.count("<img") == folded.count("<img") == 1
    assert "1 more figure<" in folded
    assert "<table>" not in outside
    assert "Table: Joints" in folded


def test_finding_is_a_question_with_its_answer_and_folded_numbers() -> None:
    card = FindingCard("finding-a", "Is it so?", "inconclusive", "It is not clear.", (Fact("Effect", "0.4"),), picture="figure-a")
    section = Section("s", findings=(card,), images=(replace(red_image(), anchor="figure-a"),))
    index = Section("Findings", index=(card,))
    page = Tags(render_report(ReportContent(title="t", sections=(index, section))))
    assert page.words.count("Cannot be said") == 2
    for words in ("Is it so?", "It is not clear.", "Effect", "0.4", "Figure"):
        assert words in page.words
    targets = {attributes.get("id") for _, attributes in page.tags}
    assert {attributes["href"] for tag, attributes in page.tags if tag == "a"} <= {f"#{target}" for target in targets}


def test_summary_is_a_page_without_scripts_that_links_to_the_report() -> None:
    page = Tags(html := render_summary(SUMMARY))
    assert "<script" not in html
    assert [attributes["href"] for tag, attributes in page.tags if tag == "a"] == ["report.html#metrics"]
    for words in ("What it does", "Persons are generated.", "84", "More", "An image.", "Group 1"):
        assert words in page.words
    assert "&lt;script&gt;alert" in html
    assert "left: 82.0%; width: 4.0%" in html


def test_report_begins_with_the_summary_and_links_within_the_page() -> None:
    page = Tags(render_report(ReportContent(title="t", summary=SUMMARY, sections=(Section("Metrics"),))))
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == ["#metrics", "#summary", "#metrics"]
    assert page.words.index("What it does") < page.words.index("Contents")
