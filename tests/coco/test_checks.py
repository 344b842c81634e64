"""Every way in which a record can be malformed, and its reason."""

import numpy as np
import pytest

from posescope.coco.checks import find_bad_images, find_bad_records

IMAGE = {"id": 1, "file_name": "a.png", "height": 6, "width": 8}
PERSON = {"id": 5, "image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4], "area": 6.5, "keypoints": [1, 2, 2, 0, 0, 0]}

NO_BOX = "bbox is not four finite numbers with width and height > 0"
NO_AREA = "area is not a finite number >= 0"
NO_KEYPOINTS = "keypoints are not 6 finite numbers"
NO_VISIBILITY = "a keypoint's visibility is not 0, 1 or 2"
NO_ID = "annotation without a whole id"
NO_IMAGE = "its image is not in the file or was set aside"
NO_SIZE = "image height and width are not whole numbers > 0"
LEAVES = "file_name leaves the image folder"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.png").touch()
    (folder / "deep" / "b.png").touch()
    (tmp_path / "secret.png").touch()
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "in.png").symlink_to(folder / "a.png")
    (folder / "dangling.png").symlink_to(folder / "gone.png")
    return folder


@pytest.fixture
def images(folder):
    return find_bad_images([IMAGE], folder)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("a.png", "image record without a whole id"),
        ({**IMAGE, "id": "1"}, "image record without a whole id"),
        ({**IMAGE, "id": True}, "image record without a whole id"),
        ({**IMAGE, "id": 2**63}, "image record without a whole id"),
        ({**IMAGE, "height": 0}, NO_SIZE),
        ({**IMAGE, "width": 8.0}, NO_SIZE),
        ({**IMAGE, "width": 2**31}, NO_SIZE),
        ({"id": 1, "file_name": "a.png", "height": 6}, NO_SIZE),
        ({**IMAGE, "file_name": ""}, "image without file_name"),
        ({**IMAGE, "file_name": None}, "image without file_name"),
        ({**IMAGE, "file_name": "../secret.png"}, LEAVES),
        ({**IMAGE, "file_name": "deep/../../secret.png"}, LEAVES),
        ({**IMAGE, "file_name": "/etc/passwd"}, LEAVES),
        ({**IMAGE, "file_name": "..\\secret.png"}, LEAVES),
        ({**IMAGE, "file_name": "out.png"}, LEAVES),
        ({**IMAGE, "file_name": "gone.png"}, "image file is missing"),
        ({**IMAGE, "file_name": "dangling.png"}, "image file is missing"),
        ({**IMAGE, "file_name": "deep"}, "image file is missing"),
        ({**IMAGE, "file_name": "a\0.png"}, "image file is missing"),
        ({**IMAGE, "file_name": "a" * 300}, "image file is missing"),
    ],
)
def test_a_malformed_image_is_set_aside_with_its_reason(folder, image, reason):
    good = {**IMAGE, "id": 2}
    found = find_bad_images([image, good], folder)
    assert [issue["reason"] for issue in found.issues] == [reason]
    assert found.issues[0]["annotation_id"] == -1
    assert found.rows.index.tolist() == [2]


def test_an_image_id_that_stands_twice_keeps_the_first(folder):
    found = find_bad_images([IMAGE, {**IMAGE, "file_name": "deep/b.png"}], folder)
    assert [issue["reason"] for issue in found.issues] == ["image id stands twice"]
    assert found.rows.loc[1].tolist() == ["a.png", 6, 8]


@pytest.mark.parametrize("name", ["a.png", "deep/b.png", "in.png", "./a.png"])
def test_names_that_stay_inside_are_good(folder, name):
    found = find_bad_images([{**IMAGE, "file_name": name}], folder)
    assert (found.rows.loc[1, "file_name"], found.issues) == (name, ())


def test_no_images(folder):
    found = find_bad_images([], folder)
    assert (len(found.rows), found.rows.index.dtype, found.issues) == (0, np.int64, ())


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("person", NO_ID),
        ({**PERSON, "id": None}, NO_ID),
        ({**PERSON, "id": 1.0}, NO_ID),
        ({**PERSON, "id": 10**30}, NO_ID),
        ({**PERSON, "image_id": 9}, NO_IMAGE),
        ({**PERSON, "image_id": [1]}, NO_IMAGE),
        ({**PERSON, "image_id": "1"}, NO_IMAGE),
        ({key: value for key, value in PERSON.items() if key != "image_id"}, NO_IMAGE),
        ({key: value for key, value in PERSON.items() if key != "bbox"}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 3]}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 0, 4]}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 3, -4]}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 3, float("nan")]}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 3, "4"]}, NO_BOX),
        ({**PERSON, "area": -1}, NO_AREA),
        ({**PERSON, "area": None}, NO_AREA),
        ({**PERSON, "area": float("inf")}, NO_AREA),
        ({**PERSON, "keypoints": [1, 2, 2]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [1, 2, 2, 0, 0, None]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [float("nan"), 2, 2, 0, 0, 0]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": {"nose": [1, 2]}}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [1, 2, 3, 0, 0, 0]}, NO_VISIBILITY),
        ({**PERSON, "keypoints": [1, 2, 0.5, 0, 0, 0]}, NO_VISIBILITY),
        ({**PERSON, "keypoints": [1, 2, -1, 0, 0, 0]}, NO_VISIBILITY),
    ],
)
def test_a_malformed_annotation_is_set_aside_with_its_reason(images, record, reason):
    good = {**PERSON, "id": 6}
    found = find_bad_records([record, good], images, joint_count=2, category_id=7)
    assert [issue["reason"] for issue in found.issues] == [reason]
    assert found.annotation_ids.tolist() == [6]


def test_an_annotation_id_that_stands_twice_keeps_the_first(images):
    found = find_bad_records([PERSON, {**PERSON, "area": 1}], images, 2, 7)
    assert [issue["reason"] for issue in found.issues] == ["annotation id stands twice"]
    assert found.areas.tolist() == [6.5]


def test_an_issue_says_which_record(images):
    found = find_bad_records([{**PERSON, "area": -1}], images, 2, 7).issues[0]
    assert (found["image_id"], found["annotation_id"]) == (1, 5)
    assert found["detail"].startswith("{'id': 5, 'image_id': 1")
    nameless = find_bad_records(["x" * 999], images, 2, 7).issues[0]
    assert (nameless["image_id"], nameless["annotation_id"], len(nameless["detail"])) == (-1, -1, 200)


def test_well_formed_records_become_arrays(images):
    found = find_bad_records([PERSON, {**PERSON, "id": 6, "iscrowd": 1, "keypoints": []}], images, 2, 7)
    np.testing.assert_array_equal(found.boxes, [[1, 2, 3, 4]] * 2)
    np.testing.assert_array_equal(found.keypoints, [[[1, 2, 2], [0, 0, 0]], np.zeros((2, 3))])
    assert found.is_crowd.tolist() == [False, True]
    assert (found.image_ids.tolist(), found.issues) == ([1, 1], ())


def test_no_annotations(images):
    found = find_bad_records([], images, 2, 7)
    assert (found.boxes.shape, found.keypoints.shape, found.annotation_ids.shape) == ((0, 4), (0, 2, 3), (0,))
