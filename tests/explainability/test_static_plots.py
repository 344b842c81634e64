import numpy as np

from posescope.explainability.static_plots import plot_intervals, plot_matrix


def test_matrix_is_red_above_zero_blue_below_and_grey_for_nan() -> None:
    image = plot_matrix(np.array([[1.0, -1.0, np.nan]]), ["row"], ["a", "b", "c"], title="title", unit="unit")
    assert image.dtype == np.uint8
    pixels = image.reshape(-1, 3).astype(int)
    assert (pixels[:, 0] - pixels[:, 2] > 60).sum() > 500
    assert (pixels[:, 2] - pixels[:, 0] > 60).sum() > 500
    assert (pixels == 217).all(axis=1).sum() > 500  # 0.85 of 255


def test_matrix_of_zeros() -> None:
    assert plot_matrix(np.zeros((2, 2)), ["a", "b"], ["c", "d"], title="t", unit="u").ndim == 3


def test_intervals_are_drawn_as_bars() -> None:
    one = plot_intervals(["a"], np.array([[0.1, 0.2, 0.3]]), np.array([0.05]), title="t", unit="u")
    two = plot_intervals(
        ["a", "b"], np.array([[0.1, 0.2, 0.3], [np.nan, 0.9, np.nan]]), np.array([np.nan, 0.0]), title="t", unit="u"
    )
    assert two.shape[0] > one.shape[0]
    assert (two == [0x4C, 0x78, 0xA8]).all(axis=2).sum() > 3 * (one == [0x4C, 0x78, 0xA8]).all(axis=2).sum()
