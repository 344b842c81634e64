"""Checks of the records of a report."""

import numpy as np
import plotly.graph_objects as go
import pytest

from posescope.drawing.rgb_images import DrawingError
from posescope.reporting.plots.plot_style import ReportError
from posescope.reporting.report_content import ReportImage, ReportPlot

IMAGE = np.zeros((4, 4, 3), np.uint8)


def test_every_picture_and_figure_has_a_caption_and_an_alternative_text() -> None:
    with pytest.raises(ReportError, match="Walks"):
        ReportImage(IMAGE, caption="Walks", alt=" ")
    with pytest.raises(ReportError, match="a line"):
        ReportPlot(go.Figure(), caption="", alt="a line")


def test_a_picture_is_rgb() -> None:
    with pytest.raises(DrawingError, match="float64"):
        ReportImage(np.zeros((4, 4, 3)), caption="Walks", alt="people")  # type: ignore[arg-type]
