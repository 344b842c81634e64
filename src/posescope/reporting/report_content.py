"""Content of a report as frozen records, which `html_page` renders."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.drawing.rgb_images import check_rgb

__all__ = ["Fact", "Headline", "ReportContent", "ReportPlot", "ReportImage", "ReportTable", "Section"]


@dataclass(frozen=True)
class Fact:
    """One row of the run summary, such as ("Model", "hourglass, 2 stacks")."""

    name: str
    value: str


@dataclass(frozen=True)
class Headline:
    """A metric value at the top of the report.

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


@dataclass(frozen=True, eq=False)
class ReportTable:
    """A table with title and caption.

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
    """

    image: NDArray[np.uint8]
    caption: str
    alt: str

    def __post_init__(self) -> None:
        check_rgb(self.image, f"image '{self.caption}'")


@dataclass(frozen=True, eq=False)
class ReportPlot:
    """A plotly figure with caption and alternative text."""

    figure: go.Figure
    caption: str
    alt: str


@dataclass(frozen=True, eq=False)
class Section:
    """A section of the report: text, plots, images, tables.

    Attributes:
        title: heading, also in the table of contents.
        text: plain text. Empty lines separate paragraphs; lines that start with "- " are list items.
        tables, images, plots: in the order of the page.
    """

    title: str
    text: str = ""
    tables: tuple[ReportTable, ...] = ()
    images: tuple[ReportImage, ...] = ()
    plots: tuple[ReportPlot, ...] = ()


@dataclass(frozen=True, eq=False)
class ReportContent:
    """A report: summary, headline metric values, sections.

    Attributes:
        title: title of the page.
        subtitle: one sentence below the title.
        summary: facts about model, data and training.
        headlines: the main metric values.
        sections: sections of the page.
        footer: last line of the page.
    """

    title: str
    summary: tuple[Fact, ...] = ()
    sections: tuple[Section, ...] = ()
    headlines: tuple[Headline, ...] = ()
    subtitle: str = ""
    footer: str = ""
