import numpy as np

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.failure_slices.slice_images import choose_shown, plot_slices


def test_the_lowest_and_the_typical_of_different_photographs_are_shown():
    pck = np.array([0.1, 0.2, 0.5, 0.55, 0.6, 0.9, 0.0])
    groups = np.array([0, 0, 1, 2, 3, 4, 5])
    lowest, typical = choose_shown(np.arange(6), pck, groups, count=2)
    assert lowest.tolist() == [0, 2]  # row 1 is of the photograph of row 0
    assert typical.tolist() == [3, 4]


def test_a_small_slice_shows_fewer_persons():
    lowest, typical = choose_shown(np.array([4]), np.linspace(0, 1, 6), np.arange(6), count=4)
    assert (lowest.tolist(), typical.tolist()) == ([4], [])


def test_the_plot_has_both_sides_with_intervals():
    figure = plot_slices(["Persons cut"], [Interval(0.5, 0.4, 0.7)], [Interval(0.9, 0.85, 0.95)])
    inside, outside = figure.data
    assert (inside.x[0], outside.x[0]) == (0.5, 0.9)
    np.testing.assert_allclose([inside.error_x.array[0], inside.error_x.arrayminus[0]], [0.2, 0.1])
