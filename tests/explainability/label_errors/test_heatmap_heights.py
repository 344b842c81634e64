import numpy as np
import pytest

from posescope.explainability.label_errors.heatmap_heights import HeatmapHeights, sample_maps


def test_linear_interpolation_between_centres_of_pixels() -> None:
    maps = np.arange(16.0).reshape(1, 1, 4, 4)
    places = np.array([[0.125, 0.125], [0.25, 0.125], [0.375, 0.375], [-1.0, 2.0]]).reshape(4, 1, 1, 2)
    assert sample_maps(maps, places).ravel().tolist() == [0.0, 0.5, 5.0, 12.0]


def test_heights_of_persons_of_two_sets(model, scattered_crops) -> None:
    """The toy network's heatmap is highest at the dot, which is the labelled joint."""
    first, second = (scattered_crops.subset(rows) for rows in (np.arange(40), np.arange(40, 60)))
    places = (scattered_crops.targets.joints.astype(np.float64) + 0.5) / 32
    heights = HeatmapHeights(model, (first, second), batch_size=16)
    rows = np.array([5, 59, 40, 39])
    found = heights(np.stack([places, places[:, ::-1]])[:, rows], rows)
    assert found.shape == (2, 4, 2)
    assert found[0] == pytest.approx(HeatmapHeights(model, (scattered_crops,), 8)(places[None, rows], rows)[0])
    assert (found[0] > 1.0).all()
