"""Tests of posescope.drawing.track_labels."""

import numpy as np

from posescope.drawing.track_labels import draw_track, track_colour


def test_colours_of_neighbouring_tracks_differ() -> None:
    colours = np.array([track_colour(number) for number in range(1, 9)], dtype=float)
    distances = np.abs(colours[:, None] - colours[None]).sum(axis=-1)
    assert distances[~np.eye(8, dtype=bool)].min() > 40
    assert np.diag(distances, 1).min() > 150
    assert track_colour(3) == track_colour(3)


def test_box_and_label_have_the_colour_of_the_track() -> None:
    canvas = np.zeros((240, 320, 3), np.uint8)
    draw_track(canvas, (100.0, 60.0, 50.0, 80.0), 2)
    for y, x in ((100, 100), (100, 150), (140, 120)):
        np.testing.assert_allclose(canvas[y, x], track_colour(2), atol=40)
    assert canvas[50:58, 100:112].any(), "the label is above the box"
    assert not canvas[90:110, 110:140].any(), "the inside is not covered"
    assert not canvas[:30].any()


def test_box_outside_the_image_has_its_label_inside() -> None:
    canvas = np.zeros((120, 160, 3), np.uint8)
    draw_track(canvas, (-40.0, -50.0, 90.0, 100.0), 12)
    assert (canvas[:2, :2] == track_colour(12)).all()
