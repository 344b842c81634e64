"""Checks of the records of a report."""

import numpy as np
import pytest

from posescope.drawing.rgb_images import DrawingError
from posescope.reporting.report_content import ReportImage


def test_a_picture_is_rgb() -> None:
    with pytest.raises(DrawingError, match="float64"):
        ReportImage(np.zeros((4, 4, 3)), caption="Walks", alt="people")  # type: ignore[arg-type]
