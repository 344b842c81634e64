"""Render a report as one self-contained HTML file: embedded images, embedded plotly, and a policy that blocks the network.

ReportContent --(this module: text, numbers and images become strings)--> template --> str
"""

import base64
import json
import re
from io import BytesIO
from itertools import groupby

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image
from plotly.offline import get_plotlyjs

from posescope.reporting.number_format import format_cell, format_number, split_heading
from posescope.reporting.report_content import ReportContent, ReportImage, ReportPlot, ReportTable, Section, Verdict
from posescope.reporting.summary.curve_svg import draw_curve
from posescope.reporting.summary.summary_content import Summary

__all__ = ["image_data_uri", "render_report", "render_summary"]

_LINK = re.compile(r"<(?=\s*/?\s*a\b)", re.IGNORECASE)
_LARGE_PNG_BYTES, _LARGEST_WEBP_PX = 150_000, 16_383
_ANSWERS: dict[Verdict, str] = {"supported": "Yes", "refuted": "No", "inconclusive": "Cannot be said"}


def render_report(content: ReportContent) -> str:
    """Render a report as one HTML file.

    All texts are escaped. The page adapts to narrow screens, print, and the light or dark theme of the reader. Its content
    security policy blocks all network requests. The output is deterministic.

    Args:
        content: content of the report.

    Returns:
        HTML, UTF-8; plots add about 5 MB (plotly), images their size.
    """
    has_plots = any(section.plots for section in content.sections)
    return (
        _environment()
        .get_template("report.html")
        .render(
            content=content,
            plotly_js=Markup(get_plotlyjs()) if has_plots else None,  # noqa: S704 (our own library)
        )
    )


def render_summary(summary: Summary, report: str = "report.html") -> str:
    """Render the summary as one HTML file without scripts, under the same rules as the report.

    Args:
        summary: content of the page.
        report: address of the report, to whose chapters the page links.

    Returns:
        HTML, UTF-8.
    """
    return _environment().get_template("summary.html").render(summary=summary, report=report)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("posescope.reporting", package_path="templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["answers"] = _ANSWERS
    environment.filters |= {
        "curve_svg": draw_curve,
        "data_uri": image_data_uri,
        "figures": _figures,
        "format_number": format_number,
        "split_blocks": _split_blocks,
        "format_table": _format_table,
        "to_json": _to_json,
    }
    return environment


def _figures(section: Section, *, folded: bool) -> list[ReportPlot | ReportImage]:
    """Return the plots and images of a section that are folded, or those that are not."""
    figures: list[ReportPlot | ReportImage] = [*section.plots, *section.images]
    return [figure for figure in figures if figure.folded == folded]


def image_data_uri(image: NDArray[np.uint8]) -> str:
    """Return an (H, W, 3) RGB image as a data URI: PNG, or WebP of high quality if the PNG is large."""
    kind, encoded = "png", _encode(image, "PNG")
    # WebP knows no side above 16,383 px.
    if len(encoded) > _LARGE_PNG_BYTES and max(image.shape) <= _LARGEST_WEBP_PX:
        kind, encoded = "webp", _encode(image, "WebP", quality=90)
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode('ascii')}"


def _encode(image: NDArray[np.uint8], file_format: str, **options: int) -> bytes:
    stream = BytesIO()
    Image.fromarray(image).save(stream, file_format, **options)
    return stream.getvalue()


def _split_blocks(text: str) -> list[tuple[bool, list[str]]]:
    """Split a text into paragraphs and lists: whether the block is a list, and its lines or items."""
    blocks: list[tuple[bool, list[str]]] = []
    for paragraph in text.strip().split("\n\n"):
        lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
        for is_list, block in groupby(lines, key=lambda line: line.startswith("- ")):
            blocks.append((is_list, [line.removeprefix("- ") for line in block]))
    return blocks


def _format_table(table: ReportTable) -> tuple[list[tuple[str, str, bool]], list[list[tuple[str, bool]]], str]:
    """Return the headings (text, unit, whether numeric), the rows (text, whether it is a number) and the caption."""
    shown = table.frame.head(table.row_limit)
    numeric = [pd.api.types.is_numeric_dtype(shown[column]) and not pd.api.types.is_bool_dtype(shown[column]) for column in shown]
    headings = [(*split_heading(str(column)), is_number) for column, is_number in zip(shown, numeric, strict=True)]
    columns = [
        [(format_cell(value, 0 if _is_whole(shown[column]) else table.decimals), is_number) for value in shown[column]]
        for column, is_number in zip(shown, numeric, strict=True)
    ]
    left_out = len(table.frame) - len(shown)
    caption = f"{table.caption} The first {len(shown):,} of {len(table.frame):,} rows.".strip() if left_out else table.caption
    return headings, [list(row) for row in zip(*columns, strict=True)], caption


def _is_whole(column: pd.Series) -> bool:
    """Return True for floats without fractions, such as counts with missing values."""
    return pd.api.types.is_float_dtype(column) and bool((column.dropna() % 1 == 0).all()) and column.abs().max() > 1


def _to_json(figure: go.Figure) -> Markup:
    """Return the figure as JSON without `<`, so that no text in it can end the enclosing script."""
    content = json.loads(figure.to_json(engine="json"))
    # plotly renders <a href=...> in any text as a link; only a name from outside can contain one.
    text = _LINK.sub("&lt;", json.dumps(content, separators=(",", ":"), ensure_ascii=True)).replace("<", "\\u003c")
    return Markup(text)  # noqa: S704 (escaped)
