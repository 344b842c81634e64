import numpy as np

from posescope.explain.charts import heat_map


def test_red_above_blue_below_grey_for_nan() -> None:
    picture = heat_map(np.array([[1.0, -1.0, np.nan]]), ["row"], ["a", "b", "c"], title="title", unit="unit")
    assert picture.dtype == np.uint8
    pixels = picture.reshape(-1, 3).astype(int)
    assert (pixels[:, 0] - pixels[:, 2] > 60).sum() > 500
    assert (pixels[:, 2] - pixels[:, 0] > 60).sum() > 500
    assert (pixels == 217).all(axis=1).sum() > 500  # 0.85 of 255


def test_all_alike_is_drawn() -> None:
    assert heat_map(np.zeros((2, 2)), ["a", "b"], ["c", "d"], title="t", unit="u").ndim == 3
