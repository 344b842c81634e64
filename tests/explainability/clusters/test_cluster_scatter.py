import numpy as np

from posescope.explainability.clusters.cluster_scatter import plot_plane


def test_persons_are_plotted_at_their_component_scores(inputs_of, shifting_crops) -> None:
    inputs = inputs_of(shifting_crops)
    figure = plot_plane(inputs, np.arange(41) % 2, ["a", "b"])
    expected = inputs.components.project(inputs.judged.features.values, 2)
    assert np.allclose(figure.data[1].x, expected[1::2, 0], rtol=1e-3)
    assert np.allclose(figure.data[0].y, expected[::2, 1], rtol=1e-3)
    assert figure.data[1].text[:2] == ("person 101", "person 103")
    assert figure.layout.xaxis.title.text == "component 1 (100.0% of the variance)"
