import numpy as np
import pytest

from posescope.core.skeleton import COCO_PERSON
from posescope.sample.figure import PersonCutout, PosedPerson, paint_figure, sample_posed_person, view_of_yaw
from posescope.sample.shading import Light
from posescope.sample.solids import ImageProjection, PartId, RoundCone

LIGHT: Light = ((0.0, -0.5, 0.86), 0.5)
SIZE = (300, 240)
FRAME = ImageProjection(120.0, 160.0, 200.0)


def _paint(figure: PosedPerson, frame: ImageProjection = FRAME) -> PersonCutout:
    painted = paint_figure(figure, frame, SIZE, LIGHT)
    assert painted is not None
    return painted


def _joint(painted: PersonCutout, name: str) -> tuple[float, float]:
    x, y = painted.joints[COCO_PERSON.index(name)]
    return float(x), float(y)


@pytest.mark.parametrize(("yaw", "sign"), [(0.0, 1), (180.0, -1)])
def test_left_and_right_in_the_image(yaw: float, sign: int) -> None:
    painted = _paint(sample_posed_person(1, 5.0, ("standing",), yaw))
    for name in ("shoulder", "hip", "knee", "ankle", "ear"):
        assert sign * (_joint(painted, f"left_{name}")[0] - _joint(painted, f"right_{name}")[0]) > 0


def test_face_is_visible_from_the_front_and_occluded_from_behind() -> None:
    for seed in range(6):
        face = [COCO_PERSON.index(name) for name in ("nose", "left_eye", "right_eye")]
        assert not _paint(sample_posed_person(seed, 5.0, ("standing",), 0.0)).occluded[face].any()
        assert _paint(sample_posed_person(seed, 5.0, ("standing",), 180.0)).occluded[face].all()


def test_far_side_is_occluded_in_profile() -> None:
    # With yaw 90 the person faces right, so that the right side is near and the left shoulder behind the chest.
    for seed in range(4):
        painted = _paint(sample_posed_person(seed, 5.0, ("phoning",), 90.0))
        assert painted.occluded[COCO_PERSON.index("left_hip")]
        assert painted.occluded[COCO_PERSON.index("left_ear")]


def test_joints_are_on_the_body() -> None:
    for seed in range(8):
        painted = _paint(sample_posed_person(seed, 5.0))
        for index in range(5, 17):
            x, y = np.round(painted.joints[index]).astype(int)
            row, column = y - painted.top, x - painted.left
            inside = 0 <= row < painted.alpha.shape[0] and 0 <= column < painted.alpha.shape[1]
            if inside:
                assert painted.alpha[row, column] > 0.5, (seed, COCO_PERSON.joints[index])


def test_supersampling_does_not_shift_by_half_a_pixel() -> None:
    """The centre of mass of a ball at (x, y) is (x, y), where an integer is the centre of a pixel."""
    figure = sample_posed_person(0, 5.0, ("standing",), 0.0)
    ball = RoundCone(PartId.HEAD, np.zeros(3), np.zeros(3), 0.1, 0.0)
    single_ball = PosedPerson(figure.wearer, [ball], "standing", "front", ())
    painted = _paint(single_ball, ImageProjection(100.3, 80.7, 100.0))
    rows, columns = np.indices(painted.alpha.shape)
    total = painted.alpha.sum()
    assert painted.left + (columns * painted.alpha).sum() / total == pytest.approx(100.3, abs=0.03)
    assert painted.top + (rows * painted.alpha).sum() / total == pytest.approx(80.7, abs=0.03)
    assert total == pytest.approx(np.pi * 10**2, rel=0.01)


def test_carried_objects_are_not_part_of_the_body() -> None:
    painted = _paint(sample_posed_person(3, 5.0, ("sitting",), 0.0))
    assert (painted.body_alpha <= painted.alpha + 1e-6).all()
    assert painted.body_alpha.sum() < painted.alpha.sum()


def test_person_outside_the_scene_has_no_pixels() -> None:
    assert paint_figure(sample_posed_person(0, 5.0), ImageProjection(2000.0, 160.0, 100.0), SIZE, LIGHT) is None


def test_person_is_determined_by_its_seed() -> None:
    first, second = _paint(sample_posed_person(5, 5.0)), _paint(sample_posed_person(5, 5.0))
    np.testing.assert_array_equal(first.colour, second.colour)
    np.testing.assert_array_equal(first.joints, second.joints)


@pytest.mark.parametrize(
    ("yaw", "view"), [(0, "front"), (-20, "front"), (45, "three_quarter"), (-90, "side"), (120, "back"), (190, "back")]
)
def test_views_by_hand(yaw: float, view: str) -> None:
    assert view_of_yaw(yaw) == view
