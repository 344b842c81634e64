"""Panels of a person example: number, positions and unchanged inputs."""

import numpy as np
import pytest

from posescope.core.skeleton import Skeleton
from posescope.drawing.rgb_images import DrawingError
from posescope.drawing.skeletons import LEFT_RGB
from posescope.geometry.affine import apply_affine, crop_from_image
from posescope.reporting.image_grids.person_examples import PersonExample, draw_person_example

PAIR = Skeleton(("left_hand", "right_hand"), ((0, 1),), (0.1, 0.1))
HEIGHT_PX = 128


def example() -> PersonExample:
    crop_map = crop_from_image(20, 10, 64, (64, 64))
    joints = np.array([[40.0, 30.0], [np.nan, np.nan]])
    maps = np.zeros((2, 16, 16), np.float32)
    maps[0, 5, 5] = 1.0
    return PersonExample(
        image=np.full((96, 128, 3), 120, np.uint8),
        joints=joints,
        visibility=np.array([2, 0], np.uint8),
        crop=np.full((64, 64, 3), 120, np.uint8),
        crop_from_image=crop_map,
        target_heatmaps=maps,
        predicted_heatmaps=maps,
        predicted_joints=np.array([[23.0, 24.0], [1.0, 1.0]]),
    )


def width_of(count: int) -> int:
    image = round(128 * HEIGHT_PX / 96)
    return image + (count - 1) * HEIGHT_PX + (count + 1) * 8


def test_five_panels_are_drawn() -> None:
    assert draw_person_example(example(), PAIR, HEIGHT_PX).shape[1] == width_of(5)


def test_annotation_is_drawn_at_its_position_in_the_crop() -> None:
    panels = draw_person_example(example(), PAIR, HEIGHT_PX)
    x_crop, y_crop = apply_affine(example().crop_from_image, example().joints)[0]
    top, left = panels.shape[0] - 8 - HEIGHT_PX, 8 + round(128 * HEIGHT_PX / 96) + 8
    row, column = top + round((y_crop + 0.5) * 2 - 0.5), left + round((x_crop + 0.5) * 2 - 0.5)
    assert tuple(panels[row, column]) == LEFT_RGB


def test_inputs_are_not_changed() -> None:
    given = example()
    draw_person_example(given, PAIR, HEIGHT_PX)
    assert (given.image == 120).all()
    assert (given.crop == 120).all()


def test_skeleton_of_other_joints_is_refused() -> None:
    with pytest.raises(DrawingError, match="joints"):
        draw_person_example(example(), Skeleton(("nose",), (), (0.1,)), HEIGHT_PX)
