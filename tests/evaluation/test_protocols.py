"""Tests of posescope.evaluation.protocols."""

import numpy as np
import pandas as pd
import pytest

from posescope.core.tables import Keypoints, Persons, join_joints, required_columns
from posescope.evaluation.protocols import annotations_to_find, images_to_evaluate, select_evaluated_persons


def persons_table(*rows):
    """(person_id, source_split, image_id, split, is_crowd) -> a `Persons` table of 20 x 50 px boxes and areas of 1,000 px^2."""
    table = pd.DataFrame(rows, columns=["person_id", "source_split", "image_id", "split", "is_crowd"])
    table["annotation_id"] = table["person_id"] + 100
    size = {"file_name": "x.jpg", "image_h": 90, "image_w": 90}
    box = {"bbox_x": 0, "bbox_y": 0, "bbox_w": 20, "bbox_h": 50, "area": 1000}
    return Persons.validate(table.assign(**size, **box)[required_columns(Persons)])


def keypoints_of(person_ids, points, visibility):
    return Keypoints.validate(
        join_joints(np.array(person_ids), np.array(points, float), np.array(visibility, np.uint8), "visibility")
    )


READ = persons_table(
    (1, "val2017", 10, "val", False),
    (2, "val2017", 10, "val", False),  # rejected
    (3, "val2017", 11, "val", True),  # a crowd
    (4, "val2017", 12, "val", False),  # rejected, the only person of its image
    (5, "val2017", 12, "val", False),  # nothing labelled
    (6, "train2017", 10, "train", False),  # another image with the same id
    (7, "train2017", 10, "train", False),  # rejected
    (8, "train2017", 20, "train", False),
    (9, "train2017", 30, "train", False),
)
LABELS = keypoints_of(range(1, 10), np.zeros((9, 2, 2)), [[2, 1]] * 4 + [[0, 0]] + [[2, 2]] * 4)
ACCEPTED = persons_table(
    (1, "val2017", 10, "val", False),
    (6, "train2017", 10, "test", False),
    (8, "train2017", 20, "train", False),
    (9, "train2017", 30, "test", False),  # of an unreadable image
)
CROPPED = ACCEPTED[ACCEPTED["person_id"] != 9]


@pytest.mark.parametrize(
    ("protocol", "split", "expected"),
    [
        ("crops", "val", [1]),
        ("crops", "test", [6]),
        ("coco", "val", [1, 2, 4]),
        # The rejected person is in the image of a test person; an unreadable test image stays a test image.
        ("coco", "test", [6, 7, 9]),
        ("coco", "train", [8]),
    ],
)
def test_evaluated_persons_follow_the_protocol(protocol, split, expected) -> None:
    found = select_evaluated_persons(protocol, split, READ, LABELS, ACCEPTED, CROPPED)
    assert found["person_id"].tolist() == expected
    assert set(found["split"]) == {split}
    Persons.validate(found)


@pytest.mark.parametrize("protocol", ["coco", "crops"])
def test_without_persons_none_is_evaluated(protocol) -> None:
    assert len(select_evaluated_persons(protocol, "val", READ.iloc[:0], LABELS, ACCEPTED.iloc[:0], CROPPED.iloc[:0])) == 0


def test_images_of_the_test_set_include_unreadable_ones() -> None:
    images = images_to_evaluate("test", ACCEPTED, CROPPED)
    assert images is not None
    assert images.tolist() == [10, 30]
    assert set(select_evaluated_persons("coco", "test", READ, LABELS, ACCEPTED, CROPPED)["image_id"]) == set(images.tolist())
    assert images_to_evaluate("val", ACCEPTED, CROPPED) is None


def test_images_of_a_validation_set_from_the_training_file_are_those_of_its_persons() -> None:
    accepted = persons_table((1, "all", 10, "train", False), (2, "all", 20, "val", False), (3, "all", 30, "test", False))
    evaluated = persons_table((2, "all", 20, "val", False), (4, "all", 5, "val", False))
    found = images_to_evaluate("val", accepted, evaluated, has_own_file=False)
    assert found is not None
    # Image 5 has an evaluated person, but none with a crop box.
    assert found.tolist() == [5, 20]


def test_annotations_to_find_follow_the_protocol() -> None:
    evaluated = persons_table((1, "v", 10, "val", False))
    assert annotations_to_find("coco", evaluated) is None
    assert annotations_to_find("crops", evaluated) == evaluated["annotation_id"].tolist()
