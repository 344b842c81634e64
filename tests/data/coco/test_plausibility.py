"""Tests of posescope.data.coco.plausibility: findings, their order, and which of them stop a run."""

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.data.coco.failure_limits import FailureLimits
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.plausibility import check_plausibility, find_persons_in_both_splits
from posescope.data.coco.reader import read_annotations
from posescope.data.coco.split_labels import SplitLabels

COUNT, WIDTH, HEIGHT = 20, 320, 240


def labels(joints=None, boxes=None, split="train", areas=None, sizes=(WIDTH, HEIGHT)) -> SplitLabels:
    """Return twenty persons with four labelled joints each, inside their boxes and images; every part can be replaced."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(20, 120, (COUNT, 2)).round(1)
    own = corners[:, None] + rng.uniform(5, 95, (COUNT, 4, 2)).round(1)
    return SplitLabels(
        split=split,
        annotation_ids=np.arange(100, 100 + COUNT),
        file_names=np.array([f"{number}.png" for number in range(COUNT)], dtype=object),
        sizes=np.tile(np.array(sizes, float), (COUNT, 1)),
        boxes=np.column_stack([corners, np.full((COUNT, 2), 100.0)]) if boxes is None else boxes,
        areas=rng.uniform(4000, 6000, COUNT) if areas is None else areas,
        joints=own if joints is None else joints,
    )


def counts_by_check(split_labels: SplitLabels) -> dict[str, int]:
    return {result.finding.check: result.finding.records for result in check_plausibility(split_labels)}


def test_plausible_labels_have_no_finding():
    assert counts_by_check(labels()) == {}


def test_split_without_persons_has_no_finding():
    clean = labels()
    no_persons = SplitLabels(
        "val", clean.annotation_ids[:0], clean.file_names[:0], clean.sizes[:0], clean.boxes[:0], clean.areas[:0], clean.joints[:0]
    )
    assert check_plausibility(no_persons) == []
    assert find_persons_in_both_splits(clean, no_persons) == []
    assert counts_by_check(labels(joints=np.full((COUNT, 4, 2), np.nan))) == {}


def test_unit_findings_precede_their_consequences():
    clean = labels()
    joints, boxes = clean.joints / [WIDTH, HEIGHT], clean.boxes / [WIDTH, HEIGHT, WIDTH, HEIGHT]
    assert list(counts_by_check(labels(joints=joints))) == ["normalised_keypoints", "joints_outside_box"]
    assert list(counts_by_check(labels(joints=joints, boxes=boxes)))[:2] == ["normalised_keypoints", "normalised_boxes"]
    assert next(iter(counts_by_check(labels(boxes=boxes)))) == "normalised_boxes"


def test_some_persons_between_0_and_1_are_counted():
    joints = labels().joints.copy()
    joints[[3, 7]] = 0.5
    joints[[3, 7], 1:] += [[0.1, 0.2], [0.3, 0.1], [0.2, 0.2]]
    (first, *_) = check_plausibility(labels(joints=joints))
    assert (first.finding.records, first.finding.total, first.finding.fraction) == (2, COUNT, 0.1)
    assert "annotation 103" in first.finding.detail
    # In an image of 4 x 4 px, 0.5 is a plausible position.
    assert "normalised_keypoints" not in counts_by_check(labels(joints=joints, sizes=(4, 4)))


def test_percentages_are_reported_only_if_all_persons_of_a_split_have_them():
    joints = labels().joints * [100 / WIDTH, 100 / HEIGHT]
    assert counts_by_check(labels(joints=joints))["percent_keypoints"] == COUNT
    joints[0] = [200, 150]
    joints[0, 1:] += [[1, 2], [3, 4], [5, 6]]
    assert "percent_keypoints" not in counts_by_check(labels(joints=joints))


def test_boxes_given_by_two_corners_are_reported():
    boxes = labels().boxes.copy()
    boxes[:, 2:] += boxes[:, :2]
    counted = counts_by_check(labels(boxes=boxes))
    outside = (boxes[:, :2] + boxes[:, 2:] > [WIDTH + 1, HEIGHT + 1]).any(axis=1).sum()
    assert outside > 0
    assert counted["corner_boxes"] == outside


@pytest.mark.parametrize(("count", "reported"), [(1, False), (2, False), (3, True), (4, True)])
def test_labels_at_one_position_are_reported(count, reported):
    joints = labels().joints.copy()
    joints[5, :count] = [50.25, 60.5]
    assert ("coincident_keypoints" in counts_by_check(labels(joints=joints))) == reported


def test_labels_at_the_corner_of_the_image_are_reported():
    joints = labels().joints.copy()
    joints[2, 1] = 0
    assert counts_by_check(labels(joints=joints))["repeated_location"] == 1
    joints[:8, 3] = [319, 239]
    (result,) = [one for one in check_plausibility(labels(joints=joints)) if one.finding.check == "repeated_location"]
    assert result.finding.records == 8
    assert "(319, 239)" in result.finding.detail


def test_identical_areas_are_reported():
    boxes = labels().boxes.copy()
    boxes[0, 2:] = [50, 100]
    assert counts_by_check(labels(boxes=boxes, areas=np.full(COUNT, 3000.0)))["equal_areas"] == COUNT
    assert counts_by_check(labels(areas=np.full(COUNT, 3000.0))) == {}


def test_duplicate_persons_of_an_image_are_reported():
    twice = labels()
    twice.joints[4], twice.boxes[4] = twice.joints[9], twice.boxes[9]
    assert counts_by_check(twice) == {}
    twice.file_names[4] = twice.file_names[9]
    assert counts_by_check(twice) == {"duplicate_persons": 2}


def test_same_person_in_two_splits_is_reported():
    (result,) = find_persons_in_both_splits(labels(), labels(split="val"))
    assert (result.finding.split, result.finding.records) == ("val", COUNT)
    other = labels(split="val", joints=labels().joints + 1)
    other.joints[6] = labels().joints[6]
    assert find_persons_in_both_splits(labels(), other)[0].records.nonzero()[0].tolist() == [6]
    assert find_persons_in_both_splits(labels(), labels(split="val", sizes=(999, 999))) == []


def test_joints_outside_image_or_box_are_reported():
    joints = labels().joints.copy()
    joints[0, 0] = [-30, 50]
    joints[1, 0] = [50, 260]
    (result,) = check_plausibility(labels(joints=joints))
    assert (result.finding.check, result.finding.records) == ("joints_outside_image", 2)
    assert "2 labelled keypoints are outside their image, 2 of them also outside their box" in result.finding.detail
    moved = labels().boxes + np.array([0, 120, 0, 0])
    assert counts_by_check(labels(boxes=moved))["joints_outside_box"] > COUNT / 2


def normalise(content):
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    for record in content["annotations"]:
        width, height = sizes[record["image_id"]]
        numbers = np.array(record["keypoints"], float).reshape(-1, 3) / [width, height, 1]
        record["keypoints"] = numbers.ravel().tolist()


def test_implausible_labels_stop_the_run_and_the_cause_is_listed_first(tiny_coco, caplog):
    for split in ("train2017", "val2017"):
        tiny_coco.change(split, normalise)
    folder = CocoFolder(tiny_coco.root)
    with pytest.raises(DataError, match="max_implausible_fraction") as caught:
        read_annotations(folder, SourceOptions(), FailureLimits())
    message = str(caught.value)
    assert "train2017: normalised_keypoints in 4 of 4 (100.0%)" in message
    assert message.index("normalised_keypoints") < message.index("joints_outside_box")
    assert "refused: train2017: normalised_keypoints" in caplog.text
    allowed = read_annotations(folder, SourceOptions(), FailureLimits(max_implausible_fraction=1))
    assert set(allowed.quality["severity"]) == {"warned"}
    warned = allowed.issues[allowed.issues["outcome"] == "warned"]
    assert (warned["reason"] == "labelled keypoints are between 0 and 1").sum() == 7


def test_fraction_below_the_limit_is_a_warning(tiny_coco):
    def change_one(content):
        keypoints = content["annotations"][0]["keypoints"]
        content["annotations"][0]["keypoints"] = [0.01 * v if n % 3 < 2 else v for n, v in enumerate(keypoints)]

    tiny_coco.change("train2017", change_one)
    folder = CocoFolder(tiny_coco.root)
    annotations = read_annotations(folder, SourceOptions(), FailureLimits(max_implausible_fraction=0.25))
    assert annotations.quality.set_index("check").loc["normalised_keypoints", "severity"] == "warned"
    with pytest.raises(DataError, match="normalised_keypoints"):
        read_annotations(folder, SourceOptions(), FailureLimits(max_implausible_fraction=0.24))


def test_empty_annotations_of_tracks_do_not_stop_a_run(tiny_coco):
    def empty_first(content):
        content["annotations"][0].update(bbox=[0, 0, 0, 0], area=0, keypoints=[], num_keypoints=0)

    for split in ("train2017", "val2017"):
        tiny_coco.change(split, empty_first)
    annotations = read_annotations(CocoFolder(tiny_coco.root), SourceOptions(), FailureLimits(max_fraction=0))
    assert len(annotations.persons) == 5
    assert annotations.issues["reason"].tolist() == ["empty annotation: no box and no labelled keypoints"] * 2
    assert set(annotations.quality["check"]) == {"foreign_oks_sigmas", "guessed_oks_sigmas"}


def test_numbers_stored_as_texts_and_floats_are_read(tiny_coco):
    folder = CocoFolder(tiny_coco.root)
    expected = read_annotations(folder, SourceOptions())

    def write_texts(content):
        for image in content["images"]:
            image.update(id=str(image["id"]), height=float(image["height"]), width=str(image["width"]))
        for record in content["annotations"]:
            record.update(id=float(record["id"]), image_id=f"{record['image_id']:06d}", category_id="7")

    for split in ("train2017", "val2017"):
        tiny_coco.change(split, write_texts)
    read = read_annotations(folder, SourceOptions(), FailureLimits(max_fraction=0))
    assert read.persons.equals(expected.persons)
    assert read.keypoints.equals(expected.keypoints)
    assert {"numeric_ids", "image_sizes"} <= set(read.quality["check"])
