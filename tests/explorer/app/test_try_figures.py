"""Tests of posescope.explorer.app.try_figures; the figures themselves are tested through the answers that return them."""

from typing import Any

from posescope.explorer.app.try_figures import box_of_drawing


def test_box_of_a_drawn_rectangle() -> None:
    own = {"name": "box", "x0": 0, "x1": 9, "y0": 0, "y1": 9}
    drawn = {"x0": 30.5, "x1": 10, "y0": 5, "y1": 45}
    assert box_of_drawing({"shapes": [own, drawn]}) == [10, 5, 20.5, 40]
    others: list[Any] = [
        None, {}, {"autosize": True}, {"shapes": []}, {"shapes": [drawn, own]}, {"shapes": "x"}, {"shapes": [{"x0": 1}]},
        {"shapes": [{"x0": 1, "x1": 2, "y0": 1, "y1": 90}]}, {"shapes": [{"x0": "a", "x1": 2, "y0": 1, "y1": 9}]},
    ]  # fmt: skip
    assert [box_of_drawing(change) for change in others] == [None] * len(others)
