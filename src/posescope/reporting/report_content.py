"""What a report holds: frozen records, filled by whoever has the results, rendered by `page.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from posescope.drawing.rgb_images import check_rgb
from posescope.reporting.plots.plot_style import ReportError

__all__ = ["Fact", "Headline", "ReportContent", "ReportPlot", "ReportImage", "ReportTable", "Section"]


@dataclass(frozen=True)
class Fact:
    """One row of the run summary, such as ("Model", "hourglass, 2 stacks")."""

    name: str
    value: str


@dataclass(frozen=True)
class Headline:
    """One of the few figures that a reader wants first.

    Attributes:
        name: such as "PCK (thesis), test".
        value: NaN is shown as a dash.
        low, high: ends of the confidence interval, or None.
        unit: written after the value; "%" multiplies nothing.
        note: one line below: what the figure means, what it compares with.
        decimals: of the value and the interval.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    note: str = ""
    decimals: int = 3


@dataclass(frozen=True, eq=False)
class ReportTable:
    """A table for people.

    Attributes:
        title: above it.
        frame: shown without its index; column names become headings (underscores become spaces; the endings _px and _s become
            units).
        headings: other headings, by column.
        units: other units, by column.
        decimals: of floating-point numbers.
        caption: below it.
        row_limit: rows beyond this are left out, and the caption says so.
    """

    title: str
    frame: pd.DataFrame
    headings: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    decimals: int = 3
    caption: str = ""
    row_limit: int = 60


@dataclass(frozen=True, eq=False)
class ReportImage:
    """A picture with its caption and the words for those who do not see it.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        caption: below it.
        alt: what it shows.
    """

    image: NDArray[np.uint8]
    caption: str
    alt: str

    def __post_init__(self) -> None:
        check_rgb(self.image, f"picture '{self.caption}'")
        _require_words("picture", self.caption, self.alt)


@dataclass(frozen=True, eq=False)
class ReportPlot:
    """An interactive figure with its caption and the words for those who do not see it."""

    figure: go.Figure
    caption: str
    alt: str

    def __post_init__(self) -> None:
        _require_words("figure", self.caption, self.alt)


@dataclass(frozen=True, eq=False)
class Section:
    """A chapter: text first, then figures, pictures and tables.

    Attributes:
        title: its heading, and its entry in the table of contents.
        text: plain words. An empty line begins a paragraph; lines that begin with "- " are a list.
        tables, pictures, figures: in the order in which they are shown.
    """

    title: str
    text: str = ""
    tables: tuple[ReportTable, ...] = ()
    pictures: tuple[ReportImage, ...] = ()
    figures: tuple[ReportPlot, ...] = ()


@dataclass(frozen=True, eq=False)
class ReportContent:
    """A whole report: which model on which data (summary), how good it is (headlines), then the chapters.

    Attributes:
        title: of the page.
        subtitle: one sentence below it.
        summary: what, on what, when.
        headlines: the few figures that come first.
        sections: where it fails, what it has learned, how it was made.
        footer: a last line.
    """

    title: str
    summary: tuple[Fact, ...] = ()
    sections: tuple[Section, ...] = ()
    headlines: tuple[Headline, ...] = ()
    subtitle: str = ""
    footer: str = ""


def _require_words(kind: str, caption: str, alt: str) -> None:
    if not caption.strip() or not alt.strip():
        raise ReportError(f"{kind} '{caption or alt}': expected a caption and an alternative text, found one of them empty.")
