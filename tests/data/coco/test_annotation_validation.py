"""Tests of posescope.data.coco.annotation_validation: reasons of rejection, and repairs."""

import cv2
import numpy as np
import pytest
from PIL import Image

from posescope.data.coco import annotation_validation as checks
from posescope.data.coco.annotation_validation import validate_annotations, validate_images
from posescope.data.coco.record_validation import EMPTY_ANNOTATION, EXPECTED_REASONS

IMAGE = {"id": 1, "file_name": "a.png", "height": 6, "width": 8}
PERSON = {"id": 5, "image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4], "area": 6.5, "keypoints": [1, 2, 2, 0, 0, 0]}

NO_BOX = "bbox is not four finite numbers with width and height > 0"
NO_KEYPOINTS = "keypoints are not 6 finite numbers"
NO_VISIBILITY = "a keypoint's visibility is not 0, 1 or 2"
NO_ID = "annotation without an integer id"
NO_IMAGE = "its image is missing in the file or was rejected"
NO_SIZE = "image height or width is not an integer > 0"
LEAVES = "file_name leaves the image folder"
BACKSLASH = "file_name has a backslash as separator, expected '/', and the file does not exist"
NO_NAME = "file_name has characters that file names cannot have"
NO_CROWD = "iscrowd is not 0 or 1"
NO_CATEGORY = "category_id is not an integer"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "größe 図 1.png", "a\\b.png"):
        (folder / name).touch()
    (folder / "deep" / "b.png").touch()
    (tmp_path / "secret.png").touch()
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "in.png").symlink_to(folder / "a.png")
    (folder / "dangling.png").symlink_to(folder / "gone.png")
    return folder


@pytest.fixture
def image_ids(folder):
    return validate_images([IMAGE], folder).rows.index.tolist()


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("a.png", "image record without an integer id"),
        ({**IMAGE, "id": True}, "image record without an integer id"),
        ({**IMAGE, "id": 2**63}, "image record without an integer id"),
        ({**IMAGE, "id": None}, "image record without an integer id"),
        ({**IMAGE, "id": [1]}, "image record without an integer id"),
        ([IMAGE], "image record without an integer id"),
        ({**IMAGE, "height": 0}, NO_SIZE),
        ({**IMAGE, "height": -6}, NO_SIZE),
        ({**IMAGE, "height": True}, NO_SIZE),
        ({**IMAGE, "height": float("nan")}, NO_SIZE),
        ({**IMAGE, "width": float("inf")}, NO_SIZE),
        ({**IMAGE, "width": 10**400}, NO_SIZE),
        ({**IMAGE, "width": 2**31}, NO_SIZE),
        ({"id": 1, "file_name": "a.png", "height": 6}, NO_SIZE),
        ({**IMAGE, "file_name": ""}, "image without file_name"),
        ({**IMAGE, "file_name": None}, "image without file_name"),
        ({**IMAGE, "file_name": "../secret.png"}, LEAVES),
        ({**IMAGE, "file_name": "deep/../../secret.png"}, LEAVES),
        ({**IMAGE, "file_name": "/etc/passwd"}, LEAVES),
        ({**IMAGE, "file_name": "..\\secret.png"}, LEAVES),
        ({**IMAGE, "file_name": "gone.png"}, "image file is missing"),
        ({**IMAGE, "file_name": "dangling.png"}, "image file is a link to a missing file"),
        ({**IMAGE, "file_name": "deep"}, "image file is missing"),
        ({**IMAGE, "file_name": "a\\b.png"}, BACKSLASH),
        ({**IMAGE, "file_name": "C:\\a.png"}, BACKSLASH),
        ({**IMAGE, "file_name": ["a.png"]}, "image without file_name"),
        ({**IMAGE, "file_name": 1}, "image without file_name"),
        ({**IMAGE, "file_name": "a\0.png"}, NO_NAME),
        ({**IMAGE, "file_name": "a\ud800.png"}, NO_NAME),
        ({**IMAGE, "file_name": "."}, "image without file_name"),
        ({**IMAGE, "file_name": ".."}, LEAVES),
        ({**IMAGE, "file_name": " a.png"}, "image file is missing"),
        ({**IMAGE, "file_name": "a" * 300}, "image file is missing"),
    ],
)
def test_invalid_image_is_rejected_with_its_reason(folder, image, reason):
    valid = {**IMAGE, "id": 2}
    found = validate_images([image, valid], folder)
    assert [issue["reason"] for issue in found.issues] == [reason]
    assert found.issues[0]["annotation_id"] == -1
    assert found.rows.index.tolist() == [2]


@pytest.mark.parametrize(
    ("change", "row", "check"),
    [
        ({"id": "1"}, ["a.png", 6, 8], "numeric_ids"),
        ({"id": 1.0}, ["a.png", 6, 8], "numeric_ids"),
        ({"id": "0001"}, ["a.png", 6, 8], "numeric_ids"),
        ({"height": 6.0, "width": "8"}, ["a.png", 6, 8], "image_sizes"),
        ({"file_name": "./a.png"}, ["a.png", 6, 8], "file_names"),
        ({"file_name": "a.png/"}, ["a.png", 6, 8], "file_names"),
        ({"file_name": "deep//b.png"}, ["deep/b.png", 6, 8], "file_names"),
        ({"file_name": "deep\\b.png"}, ["deep/b.png", 6, 8], "file_names"),
        ({"file_name": "A.PNG"}, ["a.png", 6, 8], "file_names"),
        ({"file_name": "Deep/B.png"}, ["deep/b.png", 6, 8], "file_names"),
        ({"file_name": "images/deep/b.png"}, ["deep/b.png", 6, 8], "file_names"),
        ({"file_name": "gr%C3%B6%C3%9Fe%20%E5%9B%B3%201.png"}, ["größe 図 1.png", 6, 8], "file_names"),
        ({"file_name": "gro\u0308ße 図 1.png"}, ["größe 図 1.png", 6, 8], "file_names"),
    ],
)
def test_image_record_is_repaired_and_listed(folder, change, row, check):
    found = validate_images([{**IMAGE, **change}], folder)
    assert found.rows.loc[1].tolist() == row
    assert found.issues == ()
    assert [issue["check"] for issue in found.repaired] == [check]
    assert (found.repaired[0]["image_id"], found.repaired[0]["annotation_id"]) == (1, -1)


def test_ambiguous_file_name_is_not_resolved(folder):
    for name in ("b.JPG", "B.jpg"):
        (folder / name).touch()
    found = validate_images([{**IMAGE, "file_name": "b.jpg"}], folder)
    assert [issue["reason"] for issue in found.issues] == ["image file is missing"]


@pytest.mark.parametrize("size", [{"height": None}, {"height": 0, "width": 0}, {"width": 8.5}, {"height": float("nan")}])
def test_missing_size_is_read_from_the_file_header(folder, size):
    cv2.imwrite(str(folder / "c.png"), np.zeros((5, 7, 3), np.uint8))
    found = validate_images([{**IMAGE, "file_name": "c.png", **size}], folder)
    assert found.rows.loc[1].tolist() == ["c.png", 5, 7]
    assert [issue["check"] for issue in found.repaired] == ["image_sizes"]


@pytest.mark.parametrize(("frame", "size"), [("stored", [5, 7]), ("upright", [7, 5])])
def test_missing_size_follows_the_orientation_of_the_labels(folder, frame, size):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(folder / "c.jpg", exif=exif)
    found = validate_images([{**IMAGE, "file_name": "c.jpg", "height": None}], folder, frame)
    assert found.rows.loc[1].tolist() == ["c.jpg", *size]


def test_ids_in_two_spellings_are_both_rejected(folder):
    found = validate_images([{**IMAGE, "id": "1"}, {**IMAGE, "id": "01"}, {**IMAGE, "id": "2"}], folder)
    assert [issue["reason"] for issue in found.issues] == ["image id is repeated in two spellings"] * 2
    assert found.rows.index.tolist() == [2]


def test_first_record_of_a_repeated_image_id_is_valid(folder):
    found = validate_images([IMAGE, {**IMAGE, "file_name": "deep/b.png"}], folder)
    assert [issue["reason"] for issue in found.issues] == ["image id is repeated"]
    assert found.rows.loc[1].tolist() == ["a.png", 6, 8]


@pytest.mark.parametrize("name", ["a.png", "deep/b.png", "in.png", "out.png", "größe 図 1.png"])
def test_names_inside_the_folder_are_valid_and_links_are_followed(folder, name):
    found = validate_images([{**IMAGE, "file_name": name}], folder)
    assert (found.rows.loc[1, "file_name"], found.issues) == (name, ())


def test_files_are_not_checked_without_a_folder():
    names = ["gone.png", "deep/gone.png", "größe 図 1.png", "..", "../a.png", "/a.png", "a\\b.png", "a\0b.png", "\ud800", "", "."]
    found = validate_images([{**IMAGE, "id": i, "file_name": name} for i, name in enumerate(names)], None)
    assert found.rows["file_name"].tolist() == [*names[:3], "a/b.png"]
    assert [issue["reason"] for issue in found.issues] == [LEAVES] * 3 + [NO_NAME] * 2 + ["image without file_name"] * 2


def test_issues_with_any_file_name_can_be_stored(folder):
    for name in ("a\ud800.png", "a\0b.png", ["a.png"], "x" * 999):
        issue = validate_images([{**IMAGE, "file_name": name}], folder).issues[0]
        (issue["file_name"] + issue["detail"]).encode("utf-8")
        assert "\0" not in issue["file_name"] + issue["detail"]


def test_no_images(folder):
    found = validate_images([], folder)
    assert (len(found.rows), found.rows.index.dtype, found.issues) == (0, np.int64, ())


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("person", NO_ID),
        ({**PERSON, "id": None}, NO_ID),
        ({**PERSON, "id": True}, NO_ID),
        ({**PERSON, "id": float("nan")}, NO_ID),
        ([PERSON], NO_ID),
        ({**PERSON, "category_id": [7]}, NO_CATEGORY),
        ({**PERSON, "category_id": True}, NO_CATEGORY),
        ({**PERSON, "category_id": 7.5}, NO_CATEGORY),
        ({**PERSON, "category_id": float("nan")}, NO_CATEGORY),
        ({**PERSON, "category_id": 10**400}, NO_CATEGORY),
        ({**PERSON, "id": 10**30}, NO_ID),
        ({**PERSON, "image_id": 9}, NO_IMAGE),
        ({**PERSON, "image_id": [1]}, NO_IMAGE),
        ({key: value for key, value in PERSON.items() if key != "image_id"}, NO_IMAGE),
        ({key: value for key, value in PERSON.items() if key != "bbox"}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 3]}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 0, 4]}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 3, -4]}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 3, float("nan")]}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 3, "4"]}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 3, True]}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 0, 0]}, NO_BOX),
        ({**PERSON, "bbox": [1, 2, 3, 1e-320]}, NO_BOX),
        ({**PERSON, "bbox": [float("-inf"), 2, 3, 4]}, NO_BOX),
        ({**PERSON, "bbox": [10**400, 2, 3, 4]}, NO_BOX),
        ({**PERSON, "bbox": [[1, 2], [3, 4]]}, NO_BOX),
        ({**PERSON, "bbox": [[1], 2, 3, 4]}, NO_BOX),
        ({**PERSON, "bbox": {"x": 1, "y": 2, "w": 3, "h": 4}}, NO_BOX),
        ({**PERSON, "bbox": "1234"}, NO_BOX),
        ({**PERSON, "bbox": None}, NO_BOX),
        ({**PERSON, "iscrowd": 2}, NO_CROWD),
        ({**PERSON, "iscrowd": -1}, NO_CROWD),
        ({**PERSON, "iscrowd": []}, NO_CROWD),
        ({**PERSON, "iscrowd": float("nan")}, NO_CROWD),
        ({**PERSON, "keypoints": [1, 2, 2]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [1, 2, 2, 0, 0, None]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [float("nan"), 2, 2, 0, 0, 0]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": {"nose": [1, 2]}}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": {}}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": ""}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": 0}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [[1, 2, 2], [0, 0, 0]]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [1, 2, 2, 0, 0, 0, 0]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [1, 2, 2, 0, 0]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [1, 2, True, 0, 0, 0]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [1, 2, 2, 0, 0, float("inf")]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [1e400, 2, 2, 0, 0, 0]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [10**400, 2, 2, 0, 0, 0]}, NO_KEYPOINTS),
        ({**PERSON, "keypoints": [1, 2, 3, 0, 0, 0]}, NO_VISIBILITY),
        ({**PERSON, "keypoints": [1, 2, 0.5, 0, 0, 0]}, NO_VISIBILITY),
        ({**PERSON, "keypoints": [1, 2, -1, 0, 0, 0]}, NO_VISIBILITY),
    ],
)
def test_invalid_annotation_is_rejected_with_its_reason(image_ids, record, reason):
    valid = {**PERSON, "id": 6}
    found = validate_annotations([record, valid], image_ids, joint_count=2, category_id=7)
    assert [issue["reason"] for issue in found.issues] == [reason]
    assert found.annotation_ids.tolist() == [6]


BOTH = [10, 20, 2, 30, 40, 1]


@pytest.mark.parametrize(
    ("change", "check", "field", "value"),
    [
        ({"id": "5"}, "numeric_ids", "id", 5),
        ({"id": 5.0}, "numeric_ids", "id", 5),
        ({"image_id": "1"}, "numeric_ids", "image_id", 1),
        ({"category_id": "7"}, "numeric_ids", "category_id", 7),
        ({"iscrowd": None}, "crowd_flags", "iscrowd", 0),
        ({"iscrowd": "1"}, "crowd_flags", "iscrowd", 1),
        ({"keypoints": [1, 2, 0, 0]}, "visibilities", "keypoints", [1, 2, 2, 0, 0, 0]),
        ({"keypoints": [1, 2, 2, None, float("nan"), 0]}, "unlabelled_coordinates", "keypoints", [1, 2, 2, 0, 0, 0]),
        # The keypoints span 20 x 20 px from pixel 10, 20: 0.1 of 20 on each side, and the centre of a pixel is 0.5 from its edge.
        ({"keypoints": BOTH, "bbox": None, "area": 100}, "boxes_from_keypoints", "bbox", [8.5, 18.5, 24, 24]),
        ({"keypoints": BOTH, "bbox": [], "area": 100}, "boxes_from_keypoints", "bbox", [8.5, 18.5, 24, 24]),
        ({"keypoints": BOTH, "bbox": [0, 0, 0, 0], "area": 100}, "boxes_from_keypoints", "bbox", [8.5, 18.5, 24, 24]),
        ({"keypoints": BOTH, "bbox": [float("nan")] * 4, "area": 100}, "boxes_from_keypoints", "bbox", [8.5, 18.5, 24, 24]),
        # 0.53 of 3 x 4 px.
        *(
            ({"area": area}, "areas_from_boxes", "area", pytest.approx(6.36))
            for area in (None, 0, -1, 0.01, 13, float("nan"), float("inf"), "6.5", 10**400, [6.5])
        ),
        ({"num_keypoints": 0}, "keypoint_counts", "num_keypoints", 1),
        ({"num_keypoints": "two"}, "keypoint_counts", "num_keypoints", 1),
    ],
)
def test_annotation_is_repaired_and_listed(change, check, field, value):
    record = {**PERSON, **change}
    found = validate_annotations([record], [1], 2, 7)
    assert found.issues == ()
    assert found.records[0][field] == value
    assert [issue["check"] for issue in found.repaired] == [check]
    assert found.repaired[0]["annotation_id"] == 5
    assert record == {**PERSON, **change} or "nan" in repr(record)  # the caller's record is not changed


@pytest.mark.parametrize("area", [0.13, 6, 12.5])
def test_plausible_area_is_not_replaced(image_ids, area):
    found = validate_annotations([{**PERSON, "bbox": [1, 2, 3, 4], "area": area, "keypoints": []}], image_ids, 2, 7)
    assert (found.areas.tolist(), found.repaired) == ([area], ())


def test_crowd_may_have_a_small_area(image_ids):
    crowd = {**PERSON, "bbox": [0, 0, 100, 100], "area": 20, "iscrowd": 1}
    person = {**crowd, "id": 6, "iscrowd": 0}
    assert validate_annotations([crowd, person], image_ids, 2, 7).areas.tolist() == [20, 5300]


@pytest.mark.parametrize("count", ["absent", None, 1, 1.0])
def test_correct_or_missing_keypoint_count_is_not_repaired(image_ids, count):
    record = dict(PERSON) if count == "absent" else {**PERSON, "num_keypoints": count}
    assert validate_annotations([record], image_ids, 2, 7).repaired == ()


@pytest.mark.parametrize("box", ["absent", None, [0, 0, 0, 0]])
@pytest.mark.parametrize("keypoints", ["absent", None, [], [0] * 6, [3, 4, 0, 0, 0, 0]])
def test_empty_annotation_does_not_count_as_a_failure(image_ids, box, keypoints):
    record = {**PERSON, "bbox": box, "keypoints": keypoints, "num_keypoints": 0, "area": 0}
    record = {field: value for field, value in record.items() if value != "absent"}
    found = validate_annotations([record], image_ids, 2, 7)
    assert [issue["reason"] for issue in found.issues] == [EMPTY_ANNOTATION]
    assert len(found.annotation_ids) == 0
    assert EMPTY_ANNOTATION in EXPECTED_REASONS


def test_text_id_that_equals_another_id_is_repeated(image_ids):
    found = validate_annotations([{**PERSON, "id": "5"}, PERSON], image_ids, 2, 7)
    assert [issue["reason"] for issue in found.issues] == ["annotation id is repeated"]
    assert found.annotation_ids.tolist() == [5]


def test_number_of_keypoint_values_follows_the_skeleton(image_ids):
    coco = {**PERSON, "keypoints": [1, 2, 2] * 17}
    found = validate_annotations([coco, {**coco, "id": 6, "keypoints": coco["keypoints"][:50]}], image_ids, 17, 7)
    assert [issue["reason"] for issue in found.issues] == ["keypoints are not 51 finite numbers"]
    assert found.keypoints.shape == (1, 17, 3)


def test_first_valid_record_of_a_repeated_id_is_accepted(image_ids):
    records = [{**PERSON, "bbox": []}, {**PERSON, "area": 1}, {**PERSON, "area": 2}, {**PERSON, "id": 6}]
    found = validate_annotations(records, image_ids, 2, 7)
    assert (found.annotation_ids.tolist(), found.areas.tolist()) == ([5, 6], [1, 6.5])
    assert [issue["reason"] for issue in found.issues] == [NO_BOX, "annotation id is repeated"]


def test_id_of_a_record_of_another_category_is_not_repeated(image_ids):
    found = validate_annotations([{**PERSON, "category_id": 3}, PERSON], image_ids, 2, 7)
    assert (found.annotation_ids.tolist(), found.issues, found.other_count) == ([5], (), 1)


@pytest.mark.parametrize("category", [7, 7.0, "absent"])
def test_record_of_the_category_or_without_category_is_accepted(image_ids, category):
    record = {key: value for key, value in PERSON.items() if key != "category_id" or category != "absent"}
    if category != "absent":
        record["category_id"] = category
    found = validate_annotations([record], image_ids, 2, 7)
    assert (found.annotation_ids.tolist(), found.other_count) == ([5], 0)


def test_boolean_is_not_a_category_id(image_ids):
    found = validate_annotations([{**PERSON, "category_id": True}, {**PERSON, "id": 6, "category_id": 1}], image_ids, 2, 1)
    assert ([issue["reason"] for issue in found.issues], found.annotation_ids.tolist()) == ([NO_CATEGORY], [6])


def test_all_categories_are_read_if_none_is_selected():
    records = [{**PERSON, "id": i, "category_id": category} for i, category in enumerate((7, 3, "x", None))]
    found = validate_annotations(records, [1], 2, None)
    assert (len(found.records), found.issues, found.other_count) == (4, (), 0)


@pytest.mark.parametrize(("crowd", "expected"), [(0, False), (1, True), (False, False), (True, True), (1.0, True)])
def test_crowd_flag_is_parsed(image_ids, crowd, expected):
    assert validate_annotations([{**PERSON, "iscrowd": crowd}], image_ids, 2, 7).is_crowd.tolist() == [expected]


def test_only_an_invalid_record_is_repaired(image_ids, monkeypatch):
    monkeypatch.setattr(checks, "repair_record", lambda record, _: ({**record, "bbox": [1, 2, 3, 4]}, []))
    found = validate_annotations([PERSON, {**PERSON, "id": 6, "bbox": "none"}], image_ids, 2, 7)
    assert [record is PERSON for record in found.records] == [True, False]
    assert found.boxes.tolist() == [[1, 2, 3, 4]] * 2


def test_deeply_nested_record_is_an_issue(image_ids):
    deep: object = []
    for _ in range(100_000):
        deep = [deep]
    found = validate_annotations([{**PERSON, "bbox": deep}], image_ids, 2, 7)
    assert found.issues[0]["reason"] == NO_BOX
    assert found.issues[0]["detail"] == "(nested too deeply to be shown)"


def test_first_record_of_a_repeated_annotation_id_is_valid(image_ids):
    found = validate_annotations([PERSON, {**PERSON, "area": 1}], image_ids, 2, 7)
    assert [issue["reason"] for issue in found.issues] == ["annotation id is repeated"]
    assert found.areas.tolist() == [6.5]


def test_issue_names_its_record(image_ids):
    found = validate_annotations([{**PERSON, "iscrowd": -1}], image_ids, 2, 7).issues[0]
    assert (found["image_id"], found["annotation_id"]) == (1, 5)
    assert found["detail"].startswith("{'id': 5, 'image_id': 1")
    nameless = validate_annotations(["x" * 999], image_ids, 2, 7).issues[0]
    assert (nameless["image_id"], nameless["annotation_id"], len(nameless["detail"])) == (-1, -1, 200)


def test_valid_records_are_converted_to_arrays(image_ids):
    found = validate_annotations([PERSON, {**PERSON, "id": 6, "iscrowd": 1, "keypoints": []}], image_ids, 2, 7)
    np.testing.assert_array_equal(found.boxes, [[1, 2, 3, 4]] * 2)
    np.testing.assert_array_equal(found.keypoints, [[[1, 2, 2], [0, 0, 0]], np.zeros((2, 3))])
    assert found.is_crowd.tolist() == [False, True]
    assert (found.image_ids.tolist(), found.issues) == ([1, 1], ())


def test_no_annotations(image_ids):
    found = validate_annotations([], image_ids, 2, 7)
    assert (found.boxes.shape, found.keypoints.shape, found.annotation_ids.shape) == ((0, 4), (0, 2, 3), (0,))
