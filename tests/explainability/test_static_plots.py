import numpy as np

from posescope.explainability.static_plots import Curve, plot_curve_panels, plot_matrix


def test_matrix_is_red_above_zero_blue_below_and_grey_for_nan() -> None:
    image = plot_matrix(np.array([[1.0, -1.0, np.nan]]), ["row"], ["a", "b", "c"], title="title", unit="unit")
    assert image.dtype == np.uint8
    pixels = image.reshape(-1, 3).astype(int)
    assert (pixels[:, 0] - pixels[:, 2] > 60).sum() > 500
    assert (pixels[:, 2] - pixels[:, 0] > 60).sum() > 500
    assert (pixels == 217).all(axis=1).sum() > 500  # 0.85 of 255


def test_matrix_of_zeros() -> None:
    assert plot_matrix(np.zeros((2, 2)), ["a", "b"], ["c", "d"], title="t", unit="u").ndim == 3


def test_curve_panels_with_bands_and_marks() -> None:
    line = Curve("kept", "#0000ff", [0, 1, 2], [0.1, 0.5, 0.9], [0.0, 0.4, 0.8], [0.2, 0.6, 1.0])
    one = plot_curve_panels({"a": [line]}, ["0", "5", "9"], x_label="k", y_label="PCK", marks={"a": 0.9})
    two = plot_curve_panels({"a": [line], "b": [line]}, ["0", "5", "9"], x_label="k", y_label="PCK")
    assert (one.dtype, two.shape[0]) == (np.uint8, one.shape[0])
    assert two.shape[1] > 1.5 * one.shape[1]
    pixels = one.reshape(-1, 3).astype(int)
    assert (pixels == [0, 0, 255]).all(axis=1).sum() > 100  # the line
    assert ((pixels[:, 2] == 255) & (pixels[:, 0] > 180) & (pixels[:, 0] < 230)).sum() > 1000  # its band
