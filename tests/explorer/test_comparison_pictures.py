"""Pictures of a person in two runs."""

from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from tests.explorer.two_runs import TRUE, make_run

from posescope.core.skeleton import Skeleton
from posescope.explorer.comparison_pictures import FIRST_RGB, SECOND_RGB, draw_both, picture_of_run, thumbnails_of_both
from posescope.explorer.person_matching import JointFrame
from posescope.explorer.run_comparison import RunPair

HEIGHT = 200


@pytest.fixture
def pair(tmp_path: Path) -> RunPair:
    return RunPair(make_run(tmp_path / "a", [[0.0, 0, 0]]), make_run(tmp_path / "b", [[0.0, 0, 20]], photographs="blurred"))


def share_of(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> float:
    return float((np.abs(image.astype(int) - colour).max(axis=2) < 40).mean())


def test_first_is_dashed_and_second_is_solid() -> None:
    """Along the middle of a limb, B has its colour everywhere, A in parts."""
    ends = np.array([[[10.0, 20.0], [90.0, 20.0]]])
    elsewhere = ends + np.array([0.0, 50.0])
    nothing = np.full((1, 2, 2), np.nan)
    black = np.zeros((100, 100, 3), dtype=np.uint8)
    skeleton = Skeleton(("a", "b"), ((0, 1),), (0.1, 0.1))
    parts = []
    for frame, colour in (
        (JointFrame(nothing, ends, elsewhere, (100, 100)), FIRST_RGB),
        (JointFrame(nothing, elsewhere, ends, (100, 100)), SECOND_RGB),
    ):
        picture = draw_both(black, frame, 0, skeleton, HEIGHT)
        assert picture.shape == (HEIGHT, HEIGHT, 3)
        parts.append(share_of(picture[40:42, 40:160], colour))
    assert parts[1] > 0.95
    assert 0.2 < parts[0] < 0.8


def test_thumbnails_are_those_of_the_stricter_run(pair: RunPair) -> None:
    """The thumbnails of A are dark, those of B are light, and B is blurred."""
    (jpeg,) = thumbnails_of_both(pair, np.array([0]), HEIGHT)
    picture = simplejpeg.decode_jpeg(jpeg)
    assert abs(int(picture[5, 5].mean()) - 200) < 5
    assert share_of(picture, FIRST_RGB) > 0.001
    assert share_of(picture, SECOND_RGB) > 0.001
    (jpeg,) = thumbnails_of_both(RunPair(pair.first, pair.first), np.array([0]), HEIGHT)
    assert abs(int(simplejpeg.decode_jpeg(jpeg)[5, 5].mean()) - 40) < 5


def test_run_without_crops_shows_its_thumbnail_if_it_may(pair: RunPair) -> None:
    """A's own thumbnail shows more than B allows."""
    second = picture_of_run(pair, 0, second=True, height_px=HEIGHT)
    assert "not found" in second.note
    assert abs(int(simplejpeg.decode_jpeg(second.jpeg)[5, 5].mean()) - 200) < 5
    first = picture_of_run(pair, 0, second=False, height_px=HEIGHT)
    assert "reporting.photographs" in first.note
    assert simplejpeg.decode_jpeg(first.jpeg)[5, 5].mean() > 220


def test_unknown_joints_are_not_drawn() -> None:
    nothing = np.full((1, len(TRUE), 2), np.nan)
    grey = np.full((50, 50, 3), 90, dtype=np.uint8)
    skeleton = Skeleton(("a", "b", "c"), ((0, 1), (1, 2)), (0.1,) * 3)
    picture = draw_both(grey, JointFrame(nothing, nothing, nothing, (50, 50)), 0, skeleton, 100)
    assert (picture == 90).all()
