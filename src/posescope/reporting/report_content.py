"""Content of a report as frozen records, which `html_page` renders."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.drawing.rgb_images import check_rgb
from posescope.reporting.summary.summary_content import Summary

__all__ = [
    "Fact", "FindingCard", "Headline", "ReportContent", "ReportImage", "ReportPlot", "ReportTable", "Section", "Verdict",
]  # fmt: skip

Verdict = Literal["supported", "refuted", "inconclusive"]


@dataclass(frozen=True)
class Fact:
    """A name with its value or its definition, such as ("Model", "hourglass, 2 stacks")."""

    name: str
    value: str


@dataclass(frozen=True)
class Headline:
    """A metric value at the top of the section on metrics.

    Attributes:
        name: such as "PCK (thesis)".
        value: NaN is shown as a dash.
        low, high: confidence interval, or None.
        note: one line below, such as the definition.
        decimals: number of decimals of the value and the interval.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""
    decimals: int = 3


@dataclass(frozen=True)
class FindingCard:
    """A finding: a question with its answer.

    Attributes:
        anchor: id of the card on the page.
        question: a yes-or-no question.
        verdict: the answer: yes, no, or it cannot be said.
        statement: one sentence.
        numbers: effect with interval, control, persons: folded.
        detail: further text, folded; may be empty.
        picture: anchor of the figure that shows it; empty: there is none.
    """

    anchor: str
    question: str
    verdict: Verdict
    statement: str
    numbers: tuple[Fact, ...] = ()
    detail: str = ""
    picture: str = ""


@dataclass(frozen=True, eq=False)
class ReportTable:
    """A table with title and caption; the page shows it folded.

    Attributes:
        title: text above the table.
        frame: the table, shown without its index. Column names become headings, such as `mean_error_px`: mean error, px.
        decimals: number of decimals of floating-point numbers.
        caption: text below the table.
        row_limit: maximum number of rows; the caption states the number of omitted rows.
    """

    title: str
    frame: pd.DataFrame
    decimals: int = 3
    caption: str = ""
    row_limit: int = 60


@dataclass(frozen=True, eq=False)
class ReportImage:
    """An image with caption and alternative text.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        caption: text below the image.
        alt: alternative text.
        folded: whether it is under "More figures".
        anchor: id of the figure on the page; empty: none.
    """

    image: NDArray[np.uint8]
    caption: str
    alt: str
    folded: bool = False
    anchor: str = ""

    def __post_init__(self) -> None:
        check_rgb(self.image, f"image '{self.caption}'")


@dataclass(frozen=True, eq=False)
class ReportPlot:
    """A plotly figure with caption and alternative text; `folded` and `anchor` as for `ReportImage`."""

    figure: go.Figure
    caption: str
    alt: str
    folded: bool = False
    anchor: str = ""


@dataclass(frozen=True, eq=False)
class Section:
    """A section of the report: text, headline values, findings, plots, images, tables.

    Attributes:
        title: heading, also in the table of contents.
        text: plain text. Empty lines separate paragraphs; lines that start with "- " are list items.
        anchor: id of the section on the page, to which the summary links; empty: made from the title.
        headlines: metric values.
        index: findings of other sections, listed with links.
        findings: findings of this section.
        facts, facts_title: names with values, folded under the title.
        numbers, numbers_title: further text, folded under the title.
        tables, images, plots: in the order of the page.
    """

    title: str
    text: str = ""
    anchor: str = ""
    headlines: tuple[Headline, ...] = ()
    index: tuple[FindingCard, ...] = ()
    findings: tuple[FindingCard, ...] = ()
    facts: tuple[Fact, ...] = ()
    facts_title: str = "Facts"
    numbers: str = ""
    numbers_title: str = "More in numbers"
    tables: tuple[ReportTable, ...] = ()
    images: tuple[ReportImage, ...] = ()
    plots: tuple[ReportPlot, ...] = ()

    @property
    def place(self) -> str:
        """Id of the section on the page."""
        return self.anchor or "-".join(re.findall(r"[a-z0-9]+", self.title.lower()))


@dataclass(frozen=True, eq=False)
class ReportContent:
    """A report: summary, then sections.

    Attributes:
        title: title of the page.
        subtitle: one sentence below the title.
        summary: the first part of the page, which is also a page of its own. None: there is none.
        sections: sections of the page.
        glossary: terms of the page, last.
        footer: last line of the page.
    """

    title: str
    sections: tuple[Section, ...] = ()
    summary: Summary | None = None
    glossary: tuple[Fact, ...] = ()
    subtitle: str = ""
    footer: str = ""
