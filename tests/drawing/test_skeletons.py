"""Tests of posescope.drawing.skeletons: single pixels of drawn joints and limbs, image[y, x]."""

import numpy as np
import pytest

from posescope.core.skeleton import COCO_PERSON, Skeleton
from posescope.drawing.rgb_images import DrawingError
from posescope.drawing.skeletons import CENTRE_RGB, LEFT_RGB, OUTLINE_RGB, RIGHT_RGB, draw_skeleton, side_colour

ARMS = Skeleton(("neck", "left_hand", "right_hand"), limbs=((0, 1), (0, 2), (1, 2)), oks_sigmas=(0.1, 0.1, 0.1))
NAN = float("nan")


def is_near(pixels: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Return whether pixels have a colour up to antialiasing."""
    return bool((np.abs(pixels.astype(int) - colour) <= 12).all())


def grey(height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), 128, dtype=np.uint8)


def test_joint_at_10_5_colours_row_5_column_10() -> None:
    drawn = draw_skeleton(grey(), [[10, 5], [NAN, NAN], [NAN, NAN]], ARMS)
    assert tuple(drawn[5, 10]) == CENTRE_RGB
    assert tuple(drawn[10, 5]) == (128, 128, 128)


def test_left_is_orange_and_right_is_blue() -> None:
    drawn = draw_skeleton(grey(), [[NAN, NAN], [40, 20], [8, 20]], ARMS)
    assert tuple(drawn[20, 40]) == LEFT_RGB
    assert tuple(drawn[20, 8]) == RIGHT_RGB
    assert LEFT_RGB[0] > LEFT_RGB[2]
    assert RIGHT_RGB[2] > RIGHT_RGB[0]


def test_limbs_have_the_colour_of_their_side_or_the_centre_colour() -> None:
    skeleton = Skeleton(("neck", "left_hand", "right_hand"), ((0, 1), (1, 2)), (0.1, 0.1, 0.1))
    drawn = draw_skeleton(grey(256, 256), [[128, 50], [200, 50], [200, 150]], skeleton)
    assert is_near(drawn[50, 164], LEFT_RGB)
    assert is_near(drawn[100, 200], CENTRE_RGB)


def test_limb_has_the_given_thickness_in_a_256_px_image() -> None:
    pair = Skeleton(("a", "b"), ((0, 1),), (0.1, 0.1))
    drawn = draw_skeleton(np.zeros((256, 256, 3), np.uint8), [[20, 100], [220, 100]], pair, thickness_px=3)
    column = drawn[:, 120].astype(int)
    assert is_near(column[99:102], CENTRE_RGB)
    assert column[98, 1] < CENTRE_RGB[1] / 3


@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5, 0.8])
def test_joint_is_centred_within_a_fifth_of_a_pixel(offset: float) -> None:
    dot = Skeleton(("a",), (), (0.1,))
    paper = np.full((64, 64, 3), OUTLINE_RGB, dtype=np.uint8)
    drawn = draw_skeleton(paper, [[30 + offset, 20 + offset]], dot)
    ink = drawn[..., 1].astype(float) - OUTLINE_RGB[1]
    rows, columns = np.mgrid[:64, :64]
    assert (ink * columns).sum() / ink.sum() == pytest.approx(30 + offset, abs=0.2)
    assert (ink * rows).sum() / ink.sum() == pytest.approx(20 + offset, abs=0.2)


def test_occluded_joint_is_a_ring_around_the_image() -> None:
    joints = [[60, 100], [190, 100], [NAN, NAN]]
    drawn = draw_skeleton(grey(256, 256), joints, ARMS, visibility=[2, 1, 0], thickness_px=6)
    assert tuple(drawn[100, 190]) == (128, 128, 128)  # the limb is not drawn inside the ring
    assert (drawn[85:100, 190] == LEFT_RGB).all(axis=-1).any()
    assert tuple(drawn[100, 60]) == CENTRE_RGB


def test_nan_and_unlabelled_joints_and_their_limbs_are_not_drawn() -> None:
    nothing = np.full((3, 2), np.nan)
    assert np.array_equal(draw_skeleton(grey(), nothing, ARMS), grey())
    assert np.array_equal(draw_skeleton(grey(), [[10, 10], [20, 20], [30, 10]], ARMS, visibility=[0, 0, 0]), grey())
    one = draw_skeleton(grey(), [[10, 10], [NAN, NAN], [NAN, NAN]], ARMS)
    assert np.array_equal(one[:, 20:], grey()[:, 20:])


def test_joints_below_the_score_and_their_limbs_are_not_drawn() -> None:
    points = [[10, 10], [30, 10], [50, 10]]
    drawn = draw_skeleton(grey(), points, ARMS, scores=[0.5, 0.2, 0.1], min_score=0.2)
    assert np.array_equal(drawn, draw_skeleton(grey(), [[10, 10], [30, 10], [NAN, NAN]], ARMS))
    assert np.array_equal(draw_skeleton(grey(), points, ARMS, scores=[NAN, 0.1, -1]), grey())
    assert np.array_equal(
        draw_skeleton(grey(), points, ARMS, scores=[0.5, 0.2, 0.1], min_score=-1), draw_skeleton(grey(), points, ARMS)
    )
    with pytest.raises(DrawingError, match=r"expected scores \(3,\), found \(2,\)"):
        draw_skeleton(grey(), points, ARMS, scores=[1, 1])


def test_image_and_the_joints_are_not_changed() -> None:
    image, joints = grey(), np.array([[10.0, 5.0], [20.0, 5.0], [NAN, NAN]])
    before = joints.copy()
    draw_skeleton(image, joints, ARMS, visibility=[2, 1, 0])
    assert np.array_equal(image, grey())
    assert np.array_equal(joints, before, equal_nan=True)


def test_joints_outside_the_image_are_clipped() -> None:
    pair = Skeleton(("a", "b"), ((0, 1),), (0.1, 0.1))
    drawn = draw_skeleton(grey(), [[-1e6, 20], [1e6, 20]], pair)
    assert is_near(drawn[20, 1:], CENTRE_RGB)
    assert np.array_equal(draw_skeleton(grey(), [[-500, -500], [-400, -500]], pair), grey())


def test_coco_person_is_drawn_in_a_small_crop() -> None:
    angles = np.linspace(0, 2 * np.pi, 17, endpoint=False)
    drawn = draw_skeleton(grey(32, 32), 16 + 12 * np.stack([np.cos(angles), np.sin(angles)], axis=1), COCO_PERSON)
    assert drawn.shape == (32, 32, 3)
    assert not np.array_equal(drawn, grey(32, 32))


def test_side_colour_of_every_side() -> None:
    assert [side_colour(side) for side in ("left", "right", "centre")] == [LEFT_RGB, RIGHT_RGB, CENTRE_RGB]


@pytest.mark.parametrize(
    ("image", "joints", "visibility", "message"),
    [
        (np.zeros((8, 8), np.uint8), np.zeros((3, 2)), None, r"\(H, W, 3\) uint8"),
        (np.zeros((8, 8, 3), np.float32), np.zeros((3, 2)), None, "float32"),
        (np.zeros((0, 8, 3), np.uint8), np.zeros((3, 2)), None, "non-empty"),
        (np.zeros((8, 8, 3), np.uint8), np.zeros((5, 2)), None, r"expected joints \(3, 2\).*found \(5, 2\)"),
        (np.zeros((8, 8, 3), np.uint8), np.zeros((3, 2)), [2, 2], r"found \(3, 2\) and \(2,\)"),
    ],
)
def test_invalid_inputs_are_refused(image: np.ndarray, joints: np.ndarray, visibility: list[int] | None, message: str) -> None:
    with pytest.raises(DrawingError, match=message):
        draw_skeleton(image, joints, ARMS, visibility)


def test_thickness_of_zero_is_refused() -> None:
    with pytest.raises(DrawingError, match="thickness_px"):
        draw_skeleton(grey(), np.zeros((3, 2)), ARMS, thickness_px=0)
