"""Tests of posescope.geometry.top_down_boxes."""

import numpy as np
import pytest

from posescope.geometry.square_boxes import OFF_IMAGE, TOO_SMALL, Extents, measure_extents
from posescope.geometry.top_down_boxes import RectangularBoxes, TopDown, TopDownOptions


def boxes_of(box: list[float], aspect: float, image_size: tuple[int, int] = (300, 400), **options: float) -> RectangularBoxes:
    joints = np.array([[[10.0, 20.0], [30.0, 40.0]]])
    extents = measure_extents(np.array([box]), joints, np.array([image_size]), aspect)
    return TopDown(TopDownOptions(**options))(extents)


def values_of(boxes: RectangularBoxes) -> list[tuple[int, ...]]:
    return list(zip(*(part.tolist() for part in (boxes.left, boxes.top, boxes.width, boxes.height)), strict=True))


def test_tall_box_is_extended_in_width() -> None:
    # x 99.5..139.5, y 49.5..209.5: 40 x 160, centre (119.5, 129.5). In 3:4 it is 120 x 160, padded 150 x 200.
    # First column 119.5 - 75 + 0.5 = 45, first row 129.5 - 100 + 0.5 = 30.
    assert values_of(boxes_of([99.5, 49.5, 40, 160], 0.75)) == [(45, 30, 150, 200)]


def test_wide_box_is_extended_in_height() -> None:
    # 120 x 40 -> 120 x 160 around (119.5, 129.5), padded by 1.5: 180 x 240.
    assert values_of(boxes_of([59.5, 109.5, 120, 40], 0.75, padding=1.5)) == [(30, 10, 180, 240)]


def test_box_beyond_the_image_is_padded_and_not_moved() -> None:
    # 40 x 40 at the upper left corner -> 40 x 53.33, padded 50 x 66.67 -> 50 x 67 around (19.5, 19.5).
    found = boxes_of([-0.5, -0.5, 40, 40], 0.75)
    assert values_of(found) == [(-5, -14, 50, 67)]
    assert found.reasons.tolist() == [""]


def test_boxes_of_square_crops_are_squares() -> None:
    rng = np.random.default_rng(0)
    boxes = np.concatenate([rng.uniform(0, 200, (500, 2)), rng.uniform(1, 200, (500, 2))], axis=1)
    found = TopDown(TopDownOptions())(measure_extents(boxes, boxes[:, None, :2], np.full((500, 2), 400)))
    np.testing.assert_array_equal(found.width, found.height)


def test_joints_have_no_influence() -> None:
    box, size = np.array([[50.0, 50.0, 30.0, 80.0]]), np.array([[300, 300]])
    near, far = (measure_extents(box, np.array([[[x, 60.0]]]), size, 0.5) for x in (60.0, 290.0))
    assert values_of(TopDown(TopDownOptions())(near)) == values_of(TopDown(TopDownOptions())(far))


@pytest.mark.parametrize("aspect", [0.5, 0.75, 1.0, 4 / 3])
def test_boxes_have_the_size_centre_and_aspect_ratio_up_to_rounding(aspect: float) -> None:
    rng = np.random.default_rng(1)
    boxes = np.concatenate([rng.uniform(0, 300, (500, 2)), rng.uniform(2, 200, (500, 2))], axis=1)
    found = TopDown(TopDownOptions())(measure_extents(boxes, boxes[:, None, :2], np.full((500, 2), 600), aspect))
    size, first = np.stack([found.width, found.height], axis=1), np.stack([found.left, found.top], axis=1)
    height = 1.25 * np.maximum(boxes[:, 3], boxes[:, 2] / aspect)
    np.testing.assert_allclose(size, np.stack([height * aspect, height], axis=1), atol=0.5)
    np.testing.assert_allclose(first - 0.5 + size / 2, boxes[:, :2] + boxes[:, 2:] / 2, atol=0.5)


def test_reasons_for_rejection() -> None:
    assert boxes_of([500, 50, 20, 20], 0.75).reasons.tolist() == [OFF_IMAGE]
    assert boxes_of([50, 50, 20, 20], 0.75, min_side_px=34).reasons.tolist() == [TOO_SMALL]  # 25 x 33
    assert boxes_of([50, 50, 20, 20], 0.75, min_side_px=33).reasons.tolist() == [""]
    assert values_of(boxes_of([50, 50, 0, 0], 0.75)) == [(50, 50, 1, 1)]  # a box without extent shows 1 px


def test_no_persons() -> None:
    empty = np.empty((0, 2))
    found = TopDown(TopDownOptions())(Extents(empty, empty, empty, empty, np.empty((0, 2), dtype=np.int64), 0.75))
    assert values_of(found) == []
    assert found.reasons.shape == (0,)
