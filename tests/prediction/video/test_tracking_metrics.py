"""Tests of posescope.prediction.video.tracking_metrics, with values computed by hand."""

import math

import numpy as np
import pytest

from posescope.prediction.video.tracking_metrics import LabelledBoxes, score_tracks


def at(**places: float) -> LabelledBoxes:
    """Return boxes of 10 x 10 px at these x; names are identities (`p1`, `t7`)."""
    boxes = np.array([[x, 0, 10, 10] for x in places.values()], dtype=float).reshape(-1, 4)
    return LabelledBoxes(boxes, [int(name[1:]) for name in places])


def test_perfect_tracks() -> None:
    scores = score_tracks([(at(p1=0, p2=50), at(t8=50, t9=0))] * 3)
    assert (scores.persons, scores.missed, scores.false, scores.switches) == (6, 0, 0, 0)
    assert (scores.mota, scores.idf1) == (1, 1)


def test_missed_false_and_switched() -> None:
    frames = [
        (at(p1=0, p2=50), at(t1=1, t2=50)),
        (at(p1=0, p2=50), at(t1=1)),
        (at(p1=0, p2=50), at(t1=50, t2=0, t3=200)),
        (at(p1=0, p2=50), at(t1=50, t2=0)),
    ]
    scores = score_tracks(frames)
    assert (scores.persons, scores.missed, scores.false, scores.switches) == (8, 1, 1, 2)
    assert scores.mota == pytest.approx(1 - 4 / 8)
    # The best assignment is t2 to p1 and t1 to p2: two frames each, of 8 persons and 8 predicted boxes.
    assert scores.idf1 == pytest.approx(2 * 4 / 16)


def test_pair_of_the_frame_before_is_kept() -> None:
    frames = [(at(p1=0), at(t1=2)), (at(p1=0), at(t1=2, t2=0))]
    scores = score_tracks(frames)
    assert (scores.switches, scores.false) == (0, 1), "t2 overlaps more, but p1 has t1"


def test_track_found_again_is_no_switch() -> None:
    assert score_tracks([(at(p1=0), at(t1=0)), (at(p1=0), at()), (at(p1=0), at(t1=0))]).switches == 0
    assert score_tracks([(at(p1=0), at(t1=0)), (at(p1=0), at()), (at(p1=0), at(t2=0))]).switches == 1


def test_empty() -> None:
    scores = score_tracks([(at(), at())])
    assert (scores.persons, scores.false) == (0, 0)
    assert math.isnan(scores.mota)
    assert math.isnan(scores.idf1)
    assert score_tracks([(at(p1=0), at())]).mota == 0
    assert score_tracks([(at(p1=0), at())]).idf1 == 0
