"""Content of the summary as frozen records, which `html_page` renders as a page and as the first part of the report."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posescope.drawing.rgb_images import check_rgb

__all__ = ["Curve", "Scale", "Summary", "SummaryBlock", "SummaryFigure", "SummaryItem", "figure_anchor"]


def figure_anchor(analysis: str, name: str) -> str:
    """Return the id on the page of an image or a plot of an analysis."""
    return f"figure-{analysis}-{name}".replace("_", "-").replace(".", "-")


@dataclass(frozen=True)
class Scale:
    """A bar from 0 to 100 of 100.

    Attributes:
        label: what is measured; may be empty.
        value: 0..1.
        low, high: ends of the interval, 0..1; None: unknown.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class SummaryFigure:
    """An image with a caption.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        caption: words below the image; may be empty.
        alt: alternative text.
        source: analysis and name of the image, so that the report does not repeat it; empty: of no analysis.
    """

    image: NDArray[np.uint8]
    caption: str
    alt: str
    source: tuple[str, str] = ("", "")

    def __post_init__(self) -> None:
        check_rgb(self.image, f"image '{self.alt}'")

    @property
    def anchor(self) -> str:
        """Id of the figure on the page; empty if it is of no analysis."""
        return figure_anchor(*self.source) if self.source[0] else ""


@dataclass(frozen=True)
class Curve:
    """A curve with its interval.

    Attributes:
        positions: n values of the horizontal axis, > 0, ascending; the axis is logarithmic.
        values, lows, highs: n values each, 0..1; lows and highs may be empty.
        marked: position of the vertical mark. None: there is none.
        level: height of the dotted horizontal line, 0..1. None: there is none.
        across, up: titles of the axes.
        source: analysis and name of the plot that shows more of it; empty: there is none.
        caption: words below.
    """

    positions: tuple[float, ...]
    values: tuple[float, ...]
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()
    marked: float | None = None
    level: float | None = None
    across: str = ""
    up: str = ""
    caption: str = ""
    source: tuple[str, str] = ("", "")


@dataclass(frozen=True, eq=False)
class SummaryItem:
    """A part of a block, such as one group of persons.

    Attributes:
        title, text: words above.
        scales, figures: below the text.
        command: command that shows it on an interactive page; empty: there is none.
        command_title: what the command shows, beside the word that a reader clicks to see it.
    """

    title: str = ""
    text: str = ""
    scales: tuple[Scale, ...] = ()
    figures: tuple[SummaryFigure, ...] = ()
    command: str = ""
    command_title: str = ""


@dataclass(frozen=True, eq=False)
class SummaryBlock:
    """One answer of the summary.

    Attributes:
        heading: a question or a topic.
        chapter: anchor of the section of the report that it links to.
        link: what is there, for readers who hear the page; the page shows "More".
        text: paragraphs, and list items that start with "- ".
        scales, figures, curve, items: below the text, in this order.
        wide: whether it spans both columns of the report.
    """

    heading: str
    chapter: str
    link: str
    text: str = ""
    scales: tuple[Scale, ...] = ()
    figures: tuple[SummaryFigure, ...] = ()
    curve: Curve | None = None
    items: tuple[SummaryItem, ...] = ()
    wide: bool = False


@dataclass(frozen=True, eq=False)
class Summary:
    """The summary.

    Attributes:
        title: heading.
        lead: what this is.
        notice: whether the pictures are generated or photographs, and how they are shown.
        blocks: answers, in the order of the page.
    """

    title: str
    lead: str
    notice: str
    blocks: tuple[SummaryBlock, ...] = field(default_factory=tuple)

    @property
    def sources(self) -> frozenset[tuple[str, str]]:
        """Analysis and name of all images and curves."""
        curves = [block.curve.source for block in self.blocks if block.curve is not None]
        figures = [figure for block in self.blocks for figure in block.figures]
        figures += [figure for block in self.blocks for item in block.items for figure in item.figures]
        return frozenset(source for source in [*curves, *(figure.source for figure in figures)] if source[0])
