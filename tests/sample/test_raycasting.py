import numpy as np
import pytest

from posescope.sample.body import rotation_y, rotation_z
from posescope.sample.raycasting import FAR, bounds_of, cast_solids
from posescope.sample.solids import Block, ImageProjection, PartId, RoundCone

# One body height is 10 px; the origin of the camera is the centre of pixel (20, 20).
FRAME = ImageProjection(20.0, 20.0, 10.0)
ORIGIN = np.zeros(3)


def _ball(radius: float, at: tuple[float, float, float] = (0, 0, 0), part: PartId = PartId.HEAD) -> RoundCone:
    return RoundCone(part, np.array(at), np.array(at), radius, 0.0)


def test_ball_by_hand() -> None:
    seen = cast_solids([_ball(1.0)], FRAME, 41, 41)
    assert seen.depth[20, 20] == pytest.approx(10.0)  # the nearest point
    assert seen.depth[20, 26] == pytest.approx(8.0)  # sides 6, 8, 10
    assert seen.depth[20, 31] == FAR
    assert seen.part[20, 20] == PartId.HEAD
    assert seen.part[0, 0] == PartId.NOTHING


def test_y_points_up_in_the_camera_and_down_in_the_image() -> None:
    seen = cast_solids([_ball(0.3, (0.5, 1.0, 0.0))], FRAME, 41, 41)
    assert seen.part[10, 25] == PartId.HEAD


def test_capsule_is_flat_along_its_side() -> None:
    capsule = RoundCone(PartId.HEAD, np.array([-1.0, 0, 0]), np.array([1.0, 0, 0]), 0.5, 0.5)
    seen = cast_solids([capsule], FRAME, 41, 41)
    np.testing.assert_allclose(seen.depth[20, 10:31], 5.0, atol=1e-4)
    assert seen.depth[24, 20] == pytest.approx(3.0, abs=1e-4)  # sides 3, 4, 5
    assert seen.part[20, 5] == PartId.HEAD  # the round end reaches x = -1.5
    assert seen.part[20, 4] == PartId.NOTHING


def test_cone_is_the_hull_of_its_balls() -> None:
    """The reference is the nearest of many balls along the axis with interpolated radii."""
    start, end, ra, rb = np.array([-1.0, -0.6, 0.4]), np.array([0.9, 0.8, -0.5]), 0.6, 0.25
    seen = cast_solids([RoundCone(PartId.HEAD, start, end, ra, rb)], FRAME, 41, 41)
    steps = np.linspace(0, 1, 400)
    balls = [_ball(float(ra + t * (rb - ra)), tuple(start + t * (end - start))) for t in steps]
    brute = cast_solids(balls, FRAME, 41, 41)
    both = (seen.depth > FAR) & (brute.depth > FAR)
    np.testing.assert_array_equal(seen.depth > FAR, brute.depth > FAR)
    np.testing.assert_allclose(seen.depth[both], brute.depth[both], atol=0.05)


def test_squashed_ball_is_an_ellipsoid() -> None:
    flat = RoundCone(PartId.HEAD, ORIGIN, ORIGIN, 1.0, 0.0, np.eye(3), (1.0, 0.5, 0.2))
    seen = cast_solids([flat], FRAME, 41, 41)
    assert seen.depth[20, 20] == pytest.approx(2.0)
    assert seen.part[20, 29] == PartId.HEAD
    assert seen.part[26, 20] == PartId.NOTHING  # y reaches 5 px only


def test_squash_is_applied_in_its_frame() -> None:
    turned = RoundCone(PartId.HEAD, ORIGIN, ORIGIN, 1.0, 0.0, rotation_z(90), (1.0, 0.5, 0.2))
    seen = cast_solids([turned], FRAME, 41, 41)
    assert seen.part[29, 20] == PartId.HEAD
    assert seen.part[20, 26] == PartId.NOTHING


def test_cut_end_is_flat() -> None:
    cut = (np.array([0.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0]))
    capsule = RoundCone(PartId.HEAD, np.array([-1.0, 0, 0]), np.array([1.0, 0, 0]), 0.5, 0.5, cut=cut)
    seen = cast_solids([capsule], FRAME, 41, 41)
    assert seen.part[20, 20] == PartId.HEAD
    assert seen.part[20, 21] == PartId.NOTHING


def test_block_by_hand() -> None:
    block = Block(PartId.FURNITURE, np.array([0.0, 0.0, 0.3]), (1.0, 0.5, 0.2), np.eye(3))
    seen = cast_solids([block], FRAME, 41, 41)
    assert seen.depth[20, 20] == pytest.approx(5.0)
    assert seen.part[20, 30] == PartId.FURNITURE
    assert seen.part[20, 31] == PartId.NOTHING
    assert seen.part[26, 20] == PartId.NOTHING


def test_rotated_block_shows_its_edge() -> None:
    block = Block(PartId.FURNITURE, ORIGIN, (1.0, 1.0, 1.0), rotation_y(45))
    seen = cast_solids([block], FRAME, 41, 41)
    assert seen.depth[20, 20] == pytest.approx(10 * np.sqrt(2), abs=1e-3)


def test_nearer_solid_is_visible_in_any_order() -> None:
    near, far = _ball(0.5, (0, 0, 2), PartId.HAIR), _ball(1.0)
    for solids in ([near, far], [far, near]):
        seen = cast_solids(solids, FRAME, 41, 41)
        assert seen.part[20, 20] == PartId.HAIR
        assert seen.part[20, 28] == PartId.HEAD


def test_empty_scene_has_no_visible_part() -> None:
    seen = cast_solids([_ball(1.0, (100, 0, 0))], FRAME, 41, 41)
    assert not seen.part.any()
    assert (seen.depth == FAR).all()


def test_bounds_by_hand() -> None:
    assert bounds_of([_ball(1.0), _ball(0.5, (2, 1, 0))], FRAME) == pytest.approx((10, 5, 45, 30))
