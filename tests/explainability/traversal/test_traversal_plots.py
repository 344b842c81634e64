import json

import numpy as np
import pytest

from posescope.core.skeleton import COCO_PERSON
from posescope.explainability.traversal.latent_traversal import LatentTraversal, LatentTraversalOptions
from posescope.explainability.traversal.neighbour_distances import NearestPersons
from posescope.explainability.traversal.traversal_plots import plot_traversals
from posescope.explainability.traversal.traversal_steps import DecodedFeatures, Traversal


@pytest.fixture
def run(inputs_of, shifting_crops):
    def traverse(**options):
        return LatentTraversal(LatentTraversalOptions(random_directions=2, **options))(inputs_of(shifting_crops))

    return traverse


def test_image_grid_has_two_rows_of_one_tile_per_step(run) -> None:
    image = run(components=1, steps=(-1.5, -0.5, 0.5, 1.5)).images["traversal_pc1"]
    assert image.dtype == np.uint8
    assert image.shape[1] == 4 * 160 + 5 * 4  # four tiles, five gaps
    assert image.shape[0] > 2 * 160


def test_slider_has_one_position_per_step_and_little_data(run) -> None:
    found = run(components=2, steps=(-1, 0, 1))
    figure = found.plots["traversal_slider"]
    (slider,) = figure.layout.sliders
    assert [step.label for step in slider.steps] == ["-1", "mean", "+1"]
    assert slider.active == 1
    top = figure.layout.yaxis.range
    assert top[0] > top[1]  # y points down
    assert len(figure.layout.updatemenus[0].buttons) == len(found.tables["traversal_components"])
    assert len(json.dumps(figure.to_plotly_json(), default=list)) < 100_000


def test_slider_draws_limbs_as_lines_with_gaps(run, decode_ankles) -> None:
    table = run(components=1, steps=(0.0, 1.0)).tables["traversal_steps"]
    joints = decode_ankles(np.array([[0.0] * 100, [5.0] * 100]))
    nothing = np.empty(0, np.float32)
    traversal = Traversal(
        np.array([0.0, 1.0]),
        NearestPersons(np.arange(2), np.zeros(2)),
        DecodedFeatures(nothing, joints, nothing),
        joints[0],
        joints,
    )
    figure = plot_traversals(table, traversal, COCO_PERSON, (96, 96), ["one"])
    left = next(trace for trace in figure.data if trace.name == "left")
    assert list(left.x[:3]) == [53, 53, None]  # left ankle, left knee
    assert list(left.y[:3]) == [80, 70, None]
    assert len(left.x) == 3 * 8
    moved = figure.layout.sliders[0].steps[1].args[0]["y"][1]
    assert list(moved[:3]) == [90, 70, None]
