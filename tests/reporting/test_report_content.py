"""Tests of posescope.reporting.report_content."""

import numpy as np
import pytest

from posescope.drawing.rgb_images import DrawingError
from posescope.reporting.report_content import ReportImage


def test_image_of_another_dtype_is_refused() -> None:
    with pytest.raises(DrawingError, match="float64"):
        ReportImage(np.zeros((4, 4, 3)), caption="Grey.", alt="grey")  # type: ignore[arg-type]
