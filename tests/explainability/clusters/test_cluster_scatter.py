import numpy as np
import pytest

from posescope.explainability.clusters.cluster_scatter import plot_interactive_plane, plot_plane, project_to_plane


def test_persons_are_plotted_at_their_component_scores(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops)
    plane = project_to_plane(inputs, np.arange(41) % 2, ["a", "b"])
    assert plane.points == pytest.approx(inputs.components.project(inputs.features.values, 2))
    assert plane.titles[0] == "component 1 (100.0% of the variance)"
    figure = plot_interactive_plane(plane)
    assert figure.data[1].text[:2] == (plane.hover[1], plane.hover[3])
    assert np.allclose(figure.data[1].x, plane.points[1::2, 0], rtol=1e-3)
    image = plot_plane(plane)
    assert image.dtype == np.uint8
    assert image.std() > 0
