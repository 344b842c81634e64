"""Tests of posescope.geometry.heatmap_px."""

import numpy as np

from posescope.geometry.heatmap_px import crop_from_heatmap, heatmap_from_crop


def test_heatmap_px_by_hand():
    # Stride 4: the centre of crop px 0..3 is 1.5, the centre of heatmap px 0.
    assert heatmap_from_crop(1.5, 4) == 0
    assert crop_from_heatmap(0.0, 4) == 1.5
    assert heatmap_from_crop(-0.5, 4) == -0.5  # the outer edges coincide
    points = np.linspace(-3, 300, 50)
    np.testing.assert_allclose(crop_from_heatmap(heatmap_from_crop(points, 4), 4), points)
