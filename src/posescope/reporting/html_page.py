"""Render a report as one self-contained HTML file: embedded images, embedded plotly, and a policy that blocks the network.

ReportContent --(this module: text, numbers and images become strings)--> template.html --> str
"""

import base64
import json
import re
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from plotly.offline import get_plotlyjs

from posescope.reporting.number_format import format_cell, format_number, split_heading
from posescope.reporting.plots.plot_style import ReportError
from posescope.reporting.report_content import Headline, ReportContent, ReportImage, ReportPlot, ReportTable, Section

__all__ = ["image_data_uri", "render_report"]

_LINK = re.compile(r"<(?=\s*/?\s*a\b)", re.IGNORECASE)
_LARGE_PNG_BYTES, _LARGEST_WEBP_PX = 150_000, 16_383


@dataclass(frozen=True)
class _Cell:
    text: str
    is_number: bool


@dataclass(frozen=True)
class _Table:
    title: str
    headings: list[tuple[str, str, bool]]  # text, unit, whether the column is numeric
    rows: list[list[_Cell]]
    caption: str


@dataclass(frozen=True)
class _Block:
    kind: str  # "paragraph" or "list"
    lines: list[str]


@dataclass(frozen=True)
class _Plot:
    name: str
    content: Markup
    height_px: int
    caption: str
    alt: str


@dataclass(frozen=True)
class _Section:
    name: str
    title: str
    blocks: list[_Block]
    tables: list[_Table]
    images: list[ReportImage]
    plots: list[_Plot]


def render_report(content: ReportContent) -> str:
    """Render a report as one HTML file.

    All texts are escaped. The page adapts to narrow screens, print, and the light or dark theme of the reader. Its content
    security policy blocks all network requests. The output is deterministic.

    Args:
        content: content of the report.

    Returns:
        HTML, UTF-8; plots add about 5 MB (plotly), images their size.

    Raises:
        ReportError: if the report has neither sections nor headlines.
    """
    if not content.sections and not content.headlines:
        raise ReportError("Expected a report with sections or headlines, found neither.")
    environment = Environment(
        loader=PackageLoader("posescope.reporting", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = image_data_uri
    environment.filters["metric_value"] = _headline_value
    environment.filters["interval_of"] = _headline_interval
    sections = [_prepare_section(number, section) for number, section in enumerate(content.sections, start=1)]
    has_plots = any(section.plots for section in sections)
    return environment.get_template("template.html").render(
        content=content,
        sections=sections,
        plotly_js=Markup(get_plotlyjs()) if has_plots else None,  # noqa: S704 (our own library)
    )


def image_data_uri(image: NDArray[np.uint8]) -> str:
    """Return an (H, W, 3) RGB image as a data URI: PNG, or WebP of high quality if the PNG is large."""
    bgr = np.ascontiguousarray(image[..., ::-1])
    png = _encode(bgr, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 6])
    # WebP knows no side above 16,383 px.
    if len(png) <= _LARGE_PNG_BYTES or max(image.shape) > _LARGEST_WEBP_PX:
        return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    return "data:image/webp;base64," + base64.b64encode(_encode(bgr, ".webp", [cv2.IMWRITE_WEBP_QUALITY, 90])).decode("ascii")


def _encode(bgr: NDArray[np.uint8], kind: str, options: list[int]) -> bytes:
    encoded, content = cv2.imencode(kind, bgr, options)
    if not encoded:
        raise ReportError(f"An image of shape {bgr.shape} could not be encoded as {kind}.")
    return content.tobytes()


def _prepare_section(number: int, section: Section) -> _Section:
    return _Section(
        name=f"section-{number}",
        title=section.title,
        blocks=_blocks_of(section.text),
        tables=[_prepare_table(table) for table in section.tables],
        images=list(section.images),
        plots=[_prepare_plot(f"plot-{number}-{index}", plot) for index, plot in enumerate(section.plots, start=1)],
    )


def _blocks_of(text: str) -> list[_Block]:
    """Split a text into paragraphs and lists."""
    blocks: list[_Block] = []
    for paragraph in text.strip().split("\n\n"):
        begun: _Block | None = None
        for line in filter(None, (line.strip() for line in paragraph.splitlines())):
            kind = "list" if line.startswith("- ") else "paragraph"
            if begun is None or begun.kind != kind:
                begun = _Block(kind, [])
                blocks.append(begun)
            begun.lines.append(line.removeprefix("- "))
    return blocks


def _prepare_table(table: ReportTable) -> _Table:
    shown = table.frame.head(table.row_limit)
    numeric = [pd.api.types.is_numeric_dtype(shown[column]) and not pd.api.types.is_bool_dtype(shown[column]) for column in shown]
    headings = []
    for column, is_number in zip(shown.columns, numeric, strict=True):
        words, unit = split_heading(str(column))
        if column in table.headings:
            words = table.headings[column]
        headings.append((words, table.units.get(column, unit), is_number))
    columns = [
        [_Cell(format_cell(value, table.decimals), is_number) for value in shown[column]]
        for column, is_number in zip(shown.columns, numeric, strict=True)
    ]
    left_out = len(table.frame) - len(shown)
    caption = f"{table.caption} The first {len(shown):,} of {len(table.frame):,} rows.".strip() if left_out else table.caption
    return _Table(table.title, headings, [list(row) for row in zip(*columns, strict=True)], caption)


def _prepare_plot(name: str, plot: ReportPlot) -> _Plot:
    """Return the figure as JSON without `<`, so that no text in it can end the enclosing script."""
    content = json.loads(plot.figure.to_json(engine="json"))
    # plotly renders <a href=...> in any text as a link; only a name from outside can contain one.
    text = _LINK.sub("&lt;", json.dumps(content, separators=(",", ":"), ensure_ascii=True)).replace("<", "\\u003c")
    return _Plot(name, Markup(text), int(plot.figure.layout.height or 380), plot.caption, plot.alt)  # noqa: S704 (escaped)


def _headline_value(headline: Headline) -> str:
    return format_number(headline.value, headline.decimals)


def _headline_interval(headline: Headline) -> str:
    """Return the interval, such as 0.432 to 0.451, or an empty text if an end is unknown."""
    if headline.low is None or headline.high is None:
        return ""
    return f"{format_number(headline.low, headline.decimals)} to {format_number(headline.high, headline.decimals)}"
