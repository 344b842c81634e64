"""Outlines on the map, compared with matplotlib's polygons."""

import numpy as np
import pytest
from matplotlib.path import Path as Polygon

from posescope.core.errors import OptionsError
from posescope.explorer.map_outline import MapOutline, parse_outline


def test_box_contains_its_edges_and_no_unknown_place() -> None:
    box = MapOutline(x=(2, 0), y=(0, 1))
    places = np.array([[0, 0], [2, 1], [1, 0.5], [2.1, 0.5], [1, -0.1], [np.nan, 0.5]])
    assert box.contains(places).tolist() == [True, True, True, False, False, False]
    assert box.contains(np.empty((0, 2))).tolist() == []


def test_lasso_agrees_with_matplotlib() -> None:
    rng = np.random.default_rng(0)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 40))
    radii = rng.uniform(0.3, 1.0, 40)
    corners = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    places = rng.uniform(-1.1, 1.1, size=(5000, 2))
    expected = Polygon(corners).contains_points(places)
    found = MapOutline(x=tuple(corners[:, 0]), y=tuple(corners[:, 1])).contains(places)
    assert 500 < expected.sum() < 4000
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "content",
    [None, [], {"x": [1, 2]}, {"x": [1, 2], "y": [1]}, {"x": [1], "y": [1]}, {"x": [1, float("nan")], "y": [1, 2]},
     {"x": ["a", "b"], "y": [1, 2]}, {"x": [1, 2], "y": [1, 2], "z": [3]}, {"x": [0.0] * 20_001, "y": [0.0] * 20_001}],
)  # fmt: skip
def test_malformed_outlines_are_refused(content: object) -> None:
    with pytest.raises(OptionsError, match="Outline"):
        parse_outline(content)
