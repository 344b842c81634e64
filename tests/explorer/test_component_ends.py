"""Tests of posescope.explorer.component_ends."""

import numpy as np

from posescope.explorer.component_ends import find_ends


def test_farthest_persons_come_first_and_one_of_each_photograph() -> None:
    scores = np.array([5.0, 4.0, 3.0, 0.1, -0.1, -3.0, -4.0, np.nan])
    groups = np.array([0, 0, 1, 2, 3, 4, 5, 6])
    ends = find_ends(scores, groups, count=2)
    assert ends.high.tolist() == [0, 2]
    assert ends.low.tolist() == [6, 5]


def test_ends_share_no_person() -> None:
    ends = find_ends(np.array([1.0, 2.0, 3.0]), np.arange(3), count=6)
    assert ends.low.tolist() == [0]
    assert ends.high.tolist() == [2, 1]
    empty = find_ends(np.empty(0), np.empty(0, dtype=np.int64), count=6)
    assert empty.low.tolist() == empty.high.tolist() == []
