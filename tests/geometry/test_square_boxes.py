"""Tests of posescope.geometry.square_boxes: by hand, and on all of COCO."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posescope.core.errors import DataError
from posescope.geometry.square_boxes import (
    CANNOT_CENTRE,
    NOT_IN_BOX,
    OFF_IMAGE,
    TOO_SMALL,
    CentredSquare,
    PaddedSquare,
    SquareOptions,
    measure_extents,
)


def extents(box, joints, image_size):
    return measure_extents(np.array([box], float), np.array([joints], float), np.array([image_size]))


def test_centred_square_by_hand():
    # Joints span x 40..60, y 30..70 -> centre (50, 50). The box spans 39.5..61.5 x 19.5..79.5: longer side 60, grown to 66.
    boxes = CentredSquare(SquareOptions())(extents([39.5, 19.5, 22, 60], [[40, 30], [60, 70]], (200, 300)))
    assert (boxes.left[0], boxes.top[0], boxes.side[0]) == (18, 18, 66)  # edges 17 .. 83 -> first px 17.5, rounded to even: 18
    assert boxes.accepted.all()


# The box spans 39.5..61.5 x 29.5..69.5, its longer side is 40; the ankle is 10 px below it: joints span y 30..79.5.
ANKLE_BELOW = ([39.5, 29.5, 22, 40], [[40, 30], [60, 79.5]], (200, 300))


@pytest.mark.parametrize(("rule", "reason"), [(CentredSquare, CANNOT_CENTRE), (PaddedSquare, NOT_IN_BOX)])
def test_square_of_the_annotated_box_may_not_contain_the_joints(rule, reason):
    # annotated: side 1.1 * 40 = 44 around (50, 54.75), y 32.75..76.75: neither joint is in it.
    assert rule(SquareOptions(box="annotated"))(extents(*ANKLE_BELOW)).reasons.tolist() == [reason]
    # The union is 50 px high: side 55 around (50, 54.75), y 27.25..82.25.
    union = rule(SquareOptions())(extents(*ANKLE_BELOW))
    assert (union.side[0], union.reasons.tolist()) == (55, [""])


@pytest.mark.parametrize("rule", [CentredSquare, PaddedSquare])
def test_square_of_the_annotated_box_by_hand(rule):
    # One joint a little below the box: y 30..71. annotated: 44 px around (50, 50.5) -> y 28.5..72.5; union: 1.1 * 41.5 = 45.65.
    person = ([39.5, 29.5, 22, 40], [[40, 30], [60, 71]], (200, 300))
    annotated, union = (rule(SquareOptions(box=box))(extents(*person)) for box in ("annotated", "annotated_and_keypoints"))
    assert (annotated.left[0], annotated.top[0], annotated.side[0], annotated.reasons[0]) == (28, 29, 44, "")
    assert union.side[0] == {CentredSquare: 45, PaddedSquare: 46}[rule]


def test_joints_on_the_edge_of_the_annotated_square_fit():
    # Margin 0, joints on the edges of the square: y 29.5..69.5.
    person = ([39.5, 29.5, 22, 40], [[40, 29.5], [60, 69.5]], (200, 300))
    for rule in (CentredSquare, PaddedSquare):
        assert rule(SquareOptions(box="annotated", margin=0))(extents(*person)).accepted.all()


def test_square_is_limited_by_the_nearer_side_border():
    # Centre x = 20: the image has 20.5 px to the left, so the side is 41, centred on x = 20.
    boxes = CentredSquare(SquareOptions())(extents([4.5, 19.5, 31, 60], [[10, 40], [30, 60]], (200, 300)))
    assert (boxes.left[0], boxes.side[0]) == (0, 41)


def test_square_above_the_image_is_moved_down():
    # Desired side 66 around y = 20: top edge -13 is above -0.5; it is moved to row 0.
    boxes = CentredSquare(SquareOptions())(extents([99.5, -0.5, 30, 60], [[110, 5], [120, 35]], (200, 300)))
    assert (boxes.top[0], boxes.side[0]) == (0, 66)


def test_person_that_cannot_be_centred_is_rejected_with_a_reason():
    # Centre x = 10 allows 21 px; the joints are 100 px apart in y and the image is 300 high: they do not fit in 21 px.
    boxes = CentredSquare(SquareOptions())(extents([4.5, 49.5, 11, 100], [[8, 50], [12, 149]], (300, 300)))
    assert boxes.reasons.tolist() == [CANNOT_CENTRE]
    assert not boxes.accepted.any()


@pytest.mark.parametrize(
    ("joint", "accepted"), [((100, 199.5), True), ((100, 199.75), False), ((100, -0.5), True), ((100, -0.75), False)]
)
def test_joint_beyond_the_image_cannot_be_centred(joint, accepted):
    # The image spans -0.5..199.5 in y; one more joint in its middle allows a square as high as the image.
    boxes = CentredSquare(SquareOptions())(extents([89.5, 39.5, 20, 120], [joint, [100, 100]], (200, 300)))
    assert boxes.accepted.tolist() == [accepted]


def test_square_of_padding_only_is_rejected():
    # Side rint(1.1 * 8) = 9 around (310, 50) on an image of 300 px: columns 306 to 314.
    boxes = PaddedSquare(SquareOptions())(extents([302, 48, 4, 4], [[310, 50]], (200, 300)))
    assert (boxes.left[0], boxes.side[0], boxes.reasons.tolist()) == (306, 9, [OFF_IMAGE])


def test_padded_square_accepts_all_persons():
    boxes = PaddedSquare(SquareOptions())(extents([4.5, 49.5, 11, 100], [[8, 50], [12, 149]], (300, 300)))
    # Side 110 around (10, 99.5): left edge -45, first px -44.5, rounded to even: -44.
    assert (boxes.left[0], boxes.top[0], boxes.side[0]) == (-44, 45, 110)
    assert boxes.accepted.all()


def test_small_squares_are_rejected_by_min_side():
    small = extents([50, 50, 4, 4], [[51, 51], [53, 53]], (100, 100))
    for rule in (CentredSquare, PaddedSquare):
        assert rule(SquareOptions(min_side_px=16))(small).reasons.tolist() == [TOO_SMALL]


def test_single_joint_without_extent_has_a_square():
    boxes = CentredSquare(SquareOptions())(extents([50, 50, 20, 20], [[np.nan, np.nan], [55, 55]], (100, 100)))
    assert boxes.side[0] == 22


def test_no_persons():
    empty = measure_extents(np.empty((0, 4)), np.empty((0, 3, 2)), np.empty((0, 2), dtype=np.int64))
    assert len(CentredSquare(SquareOptions())(empty).left) == 0


def test_person_without_joints_is_an_error():
    with pytest.raises(DataError, match="no labelled joint"):
        extents([50, 50, 20, 20], [[np.nan, np.nan]], (100, 100))


@given(
    x=st.floats(0, 299), y=st.floats(0, 199), dx=st.floats(0, 150), dy=st.floats(0, 150), w=st.floats(1, 150), h=st.floats(1, 150)
)
def test_centred_square_is_inside_the_image(x, y, dx, dy, w, h):
    joints = [[x, y], [min(x + dx, 299), min(y + dy, 199)]]
    boxes = CentredSquare(SquareOptions())(extents([x, y, w, h], joints, (200, 300)))
    if boxes.accepted[0]:
        assert boxes.left[0] >= 0
        assert boxes.top[0] >= 0
        assert boxes.left[0] + boxes.side[0] <= 300
        assert boxes.top[0] + boxes.side[0] <= 200


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("split", "persons", "annotated", "union"), [("val", 6_352, 5_122, 5_235), ("train", 149_813, 121_291, 123_728)]
)
def test_counts_on_all_of_coco(real_data, split, persons, annotated, union):
    with gzip.open(real_data / "coco_full_labels" / f"person_keypoints_{split}2017.json.gz") as stream:
        content = json.load(stream)
    size_of = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    records = content["annotations"]
    numbers = np.array([record["keypoints"] for record in records], float).reshape(len(records), -1, 3)
    joints = np.where(numbers[..., 2:] > 0, numbers[..., :2], np.nan)
    boxes = np.array([record["bbox"] for record in records], float)
    boxes[:, :2] -= 0.5
    sizes = np.array([size_of[record["image_id"]] for record in records])
    found = measure_extents(boxes, joints, sizes)
    assert len(records) == persons
    assert CentredSquare(SquareOptions(box="annotated"))(found).accepted.sum() == annotated
    assert CentredSquare(SquareOptions())(found).accepted.sum() == union
