"""Who counts under which protocol, and which of another system's results is whose."""

import numpy as np
import pandas as pd
import pytest

from posescope.core.skeleton import Skeleton
from posescope.core.tables import Keypoints, Persons, Predictions, join_joints
from posescope.evaluation.metrics.base import MetricError
from posescope.evaluation.protocols import annotations_to_find, images_to_evaluate, match_results, select_evaluated_persons

SKELETON = Skeleton(("nose", "tail"), ((0, 1),), (0.1, 0.1), category_id=3)


def people(*rows):
    """(person_id, source_split, image_id, split, is_crowd) -> a `Persons` table of 20 x 50 px boxes and areas of 1,000 px^2."""
    table = pd.DataFrame(rows, columns=["person_id", "source_split", "image_id", "split", "is_crowd"])
    table["annotation_id"] = table["person_id"] + 100
    size = {"file_name": "x.jpg", "image_h": 90, "image_w": 90}
    box = {"bbox_x": 0, "bbox_y": 0, "bbox_w": 20, "bbox_h": 50, "area": 1000}
    return Persons.validate(table.assign(**size, **box)[list(Persons.to_schema().columns)])


def keypoints_of(person_ids, points, visibility):
    return Keypoints.validate(
        join_joints(np.array(person_ids), np.array(points, float), np.array(visibility, np.uint8), "visibility")
    )


READ = people(
    (1, "val2017", 10, "val", False),
    (2, "val2017", 10, "val", False),  # discarded
    (3, "val2017", 11, "val", True),  # a crowd
    (4, "val2017", 12, "val", False),  # discarded, alone in its image
    (5, "val2017", 12, "val", False),  # nothing labelled
    (6, "train2017", 10, "train", False),  # another image of the same number
    (7, "train2017", 10, "train", False),  # discarded
    (8, "train2017", 20, "train", False),
    (9, "train2017", 30, "train", False),
)
LABELS = keypoints_of(range(1, 10), np.zeros((9, 2, 2)), [[2, 1]] * 4 + [[0, 0]] + [[2, 2]] * 4)
KEPT = people(
    (1, "val2017", 10, "val", False),
    (6, "train2017", 10, "test", False),
    (8, "train2017", 20, "train", False),
    (9, "train2017", 30, "test", False),  # its image cannot be read
)
CROPPED = KEPT[KEPT["person_id"] != 9]


@pytest.mark.parametrize(
    ("protocol", "split", "expected"),
    [
        ("crops", "val", [1]),
        ("crops", "test", [6]),
        ("coco", "val", [1, 2, 4]),
        # The discarded one is in the image of one who is in the test set; a test image that cannot be read is one all the same.
        ("coco", "test", [6, 7, 9]),
        ("coco", "train", [8]),
    ],
)
def test_who_counts(protocol, split, expected) -> None:
    found = select_evaluated_persons(protocol, split, READ, LABELS, KEPT, CROPPED)
    assert found["person_id"].tolist() == expected
    assert set(found["split"]) == {split}
    Persons.validate(found)


@pytest.mark.parametrize("protocol", ["coco", "crops"])
def test_nobody(protocol) -> None:
    assert len(select_evaluated_persons(protocol, "val", READ.iloc[:0], LABELS, KEPT.iloc[:0], CROPPED.iloc[:0])) == 0


def test_over_which_images() -> None:
    """Those of all test persons, also of him whose image cannot be read: he is wanted there as he is in the figures a person."""
    images = images_to_evaluate("test", KEPT)
    assert images is not None
    assert images.tolist() == [10, 30]
    assert set(select_evaluated_persons("coco", "test", READ, LABELS, KEPT, CROPPED)["image_id"]) == set(images.tolist())
    assert images_to_evaluate("val", KEPT) is None


def result(image_id, x, score=0.5, category_id=3):
    """Both joints at (x, 0), found with 0.25 and 0.75."""
    return {"image_id": image_id, "category_id": category_id, "keypoints": [x, 0, 0.25, x, 0, 0.75], "score": score}


def test_each_person_gets_the_best_result_of_its_image() -> None:
    wanted = people(
        (1, "v", 10, "val", False), (2, "v", 10, "val", False), (4, "v", 12, "val", False), (9, "v", 13, "val", False)
    )
    truth = keypoints_of([1, 2, 4, 9], [[[x, 0], [x, 0]] for x in (0, 50, 0, 0)], [[2, 2], [2, 0], [1, 1], [2, 2]])
    results = [
        result(10, 44, score=0.9),  # nearest to person 2
        result(12, 30),
        result(10, 3, score=0.1),  # nearest to person 1, whatever its score
        result(10, 0, category_id=1),  # of another category
        result(99, 0),  # in an image without a person
        result(12, 7),  # nearest to person 4
    ]
    found = match_results(results, wanted, truth, SKELETON)
    Predictions.validate(found)
    assert found["person_id"].tolist() == [1, 1, 2, 2, 4, 4]  # nothing was found in the image of person 9
    assert found["x"].tolist() == [3, 3, 44, 44, 7, 7]
    assert found["score"].tolist() == [0.25, 0.75] * 3
    assert found["person_score"].tolist() == pytest.approx([0.1, 0.1, 0.9, 0.9, 0.5, 0.5])
    # The order of results does not matter, nor does that of the persons.
    again = match_results(results[::-1], wanted.iloc[::-1], truth, SKELETON).sort_values("person_id", kind="stable")
    pd.testing.assert_frame_equal(again.reset_index(drop=True), found)


def test_two_people_may_get_the_same_result() -> None:
    wanted = people((1, "v", 10, "val", False), (2, "v", 10, "val", False))
    truth = keypoints_of([1, 2], np.zeros((2, 2, 2)), [[2, 2], [2, 2]])
    assert match_results([result(10, 1)], wanted, truth, SKELETON)["x"].tolist() == [1, 1, 1, 1]


def test_no_results_and_nobody() -> None:
    wanted = people((1, "v", 10, "val", False))
    truth = keypoints_of([1], np.zeros((1, 2, 2)), [[2, 2]])
    for results, persons in (([], wanted), ([result(10, 1)], wanted.iloc[:0]), ([result(11, 1)], wanted)):
        with pytest.raises(MetricError, match=r"none of the [01] records .* of an image with one of the [01] persons who count"):
            match_results(results, persons, truth, SKELETON)


def test_whom_average_precision_wants() -> None:
    wanted = people((1, "v", 10, "val", False))
    assert annotations_to_find("coco", wanted) is None
    assert annotations_to_find("crops", wanted) == wanted["annotation_id"].tolist()


def test_faulty_results_are_named() -> None:
    wanted, truth = people((1, "v", 10, "val", False)), keypoints_of([1], np.zeros((1, 2, 2)), [[2, 2]])
    with pytest.raises(MetricError, match=r"record 1: keypoints: expected 6 numbers, found 3"):
        match_results([result(10, 1), {**result(10, 1), "keypoints": [1, 2, 3]}], wanted, truth, SKELETON)
    with pytest.raises(MetricError, match=r"record 0: expected image_id, category_id, keypoints, score"):
        match_results([{"image_id": 10, "bbox": [0, 0, 1, 1]}], wanted, truth, SKELETON)
    nan = {**result(10, 1), "keypoints": [1, 2, 1, 1, float("nan"), 1]}
    with pytest.raises(MetricError, match=r"record 1: keypoints: .* found nan at place 4"):
        match_results([result(10, 1), nan], wanted, truth, SKELETON)


def test_a_file_name_decides_over_the_number() -> None:
    wanted = people((1, "v", 10, "val", False), (2, "v", 11, "val", False)).assign(file_name=["a.jpg", "b.jpg"])
    truth = keypoints_of([1, 2], [[[0, 0], [0, 0]], [[50, 0], [50, 0]]], [[2, 2], [2, 2]])
    named = [
        {**result(11, 0), "file_name": "a.jpg"},
        {**result(10, 50), "file_name": "b.jpg"},
        {**result(10, 9), "file_name": "c"},
    ]
    assert match_results(named, wanted, truth, SKELETON)["x"].tolist() == [0, 0, 50, 50]
