import numpy as np
import pytest

from posescope.sample.scene_layout import ColourMode, ImagePlan
from posescope.sample.scene_rendering import compose_scene

SEEDS = (1, 2, 3, 4, 5)


def _plan(persons: int, mode: ColourMode = "colour", unlabelled: int = 0) -> ImagePlan:
    return ImagePlan(0, 0, persons, unlabelled=unlabelled, colour_mode=mode)


def test_scene_has_the_planned_size_and_persons() -> None:
    scene = compose_scene(SEEDS, _plan(3, unlabelled=1), 120, 160)
    height, width, channels = scene.image.shape
    assert channels == 3
    assert 120 <= min(height, width) <= 130
    assert 147 <= max(height, width) <= 160
    assert sorted(person.role for person in scene.persons) == ["person", "person", "person", "unlabelled"]
    assert all(person.mask.shape == (height, width) for person in scene.persons)


def test_masks_do_not_overlap() -> None:
    scene = compose_scene(SEEDS, _plan(3), 240, 320)
    assert np.stack([person.mask for person in scene.persons]).sum(axis=0).max() == 1


def test_visible_joints_are_on_the_mask_of_their_person() -> None:
    """Occluded joints may be anywhere; a visible limb joint must be within the mask of its person."""
    for seed in range(6):
        for person in compose_scene((seed, 2, 3, 4, 5), _plan(2), 240, 320).persons:
            height, width = person.mask.shape
            for x, y in np.round(person.joints[5:][~person.occluded[5:]]).astype(int):
                if 0 <= x < width and 0 <= y < height:
                    assert person.mask[y, x]


def test_persons_occlude_each_other() -> None:
    found = False
    for seed in range(12):
        scene = compose_scene((seed, 2, 3, 4, 5), _plan(3), 240, 320)
        for far, near in zip(scene.persons, scene.persons[1:], strict=False):
            x, y = np.round(far.joints).astype(int).T
            inside = (x >= 0) & (y >= 0) & (x < near.mask.shape[1]) & (y < near.mask.shape[0])
            covered = np.zeros(17, np.bool_)
            covered[inside] = near.mask[y[inside], x[inside]]
            assert far.occluded[covered].all()
            found = found or bool(covered.any())
    assert found


def test_empty_scene() -> None:
    scene = compose_scene(SEEDS, _plan(0), 120, 160)
    assert len(scene.persons) == 0
    assert scene.image.std() > 0


@pytest.mark.parametrize(("mode", "dimensions"), [("grey_single", 2), ("grey_rgb", 3)])
def test_grey(mode: ColourMode, dimensions: int) -> None:
    image = compose_scene(SEEDS, _plan(1, mode), 120, 160).image
    assert image.ndim == dimensions
    if dimensions == 3:
        assert (image == image[..., :1]).all()


def test_scene_is_determined_by_its_seeds() -> None:
    first, second = compose_scene(SEEDS, _plan(2), 120, 160), compose_scene(SEEDS, _plan(2), 120, 160)
    np.testing.assert_array_equal(first.image, second.image)


def test_obstacles_occlude_some_persons() -> None:
    obstacles = {"post", "counter", "bush", "board", "crate"}
    scenes = [compose_scene((seed, 2, 3, seed, 5), _plan(1), 120, 160) for seed in range(20)]
    blocked = [person for scene in scenes for person in scene.persons if obstacles & set(person.things)]
    assert 0 < len(blocked) < 20
