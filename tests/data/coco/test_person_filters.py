"""Tests of posescope.data.coco.person_filters: filters and reasons of rejection."""

import numpy as np
import pytest

from posescope.core.errors import OptionsError
from posescope.core.plugins import ComponentSpec
from posescope.core.tables import Issues, Persons
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import BOX_FAR_OUT, JOINT_FAR_OUT, OUTSIDE, filter_persons, issues_of
from posescope.data.coco.reader import read_annotations

AT_LEAST_3 = ComponentSpec(name="labelled_joints", options={"at_least": 3})
BOX_36 = ComponentSpec(name="box_size", options={"min_side_px": 36})


@pytest.fixture
def annotations(tiny_coco):
    """Persons 0..6 have 3, 2, 2, 3, 3, 3, 2 labelled joints and boxes with longer sides 30, 40, 40, 80, 40, 30, 36."""
    return read_annotations(CocoFolder(tiny_coco.root), SourceOptions())


def apply(annotations, *filters, persons=None):
    return filter_persons(annotations.persons if persons is None else persons, annotations.keypoints, filters)


def reasons(filtered):
    return dict(zip(filtered.issues["annotation_id"], filtered.issues["reason"], strict=True))


def test_all_persons_are_accepted_without_filters(annotations):
    found = apply(annotations)
    assert found.persons.equals(annotations.persons)
    assert len(Issues.validate(found.issues)) == 0


def test_crowds_are_rejected(annotations):
    persons = annotations.persons.assign(is_crowd=annotations.persons["person_id"] == 2)
    found = apply(annotations, persons=persons)
    assert found.persons["person_id"].tolist() == [0, 1, 3, 4, 5, 6]
    assert reasons(found) == {3: "crowd"}


def test_persons_without_labelled_joints_are_rejected(tiny_coco):
    tiny_coco.change("train2017", lambda content: content["annotations"][3].update(keypoints=[5, 5, 0] * 3))
    found = apply(read_annotations(CocoFolder(tiny_coco.root), SourceOptions()))
    assert reasons(found) == {4: "no labelled joints"}


def test_crowd_without_joints_is_rejected_as_a_crowd(tiny_coco):
    tiny_coco.change("train2017", lambda content: content["annotations"][3].update(keypoints=[0] * 9, iscrowd=1))
    found = apply(read_annotations(CocoFolder(tiny_coco.root), SourceOptions()))
    assert reasons(found) == {4: "crowd"}


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        # Image 3 is 90 px wide and 100 high; its longer side is 100. COCO's edges: the image spans 0..90 and 0..100.
        ([0, 0, 90, 100], None),
        ([-50, 20, 80, 20], None),
        ([-51, 20, 80, 20], BOX_FAR_OUT),
        ([20, 20, 120, 20], None),
        ([20, 20, 121, 20], BOX_FAR_OUT),
        ([20, 20, 20, 131], BOX_FAR_OUT),
        ([10, 10, 1e8, 1e8], BOX_FAR_OUT),
        ([90, 20, 20, 20], OUTSIDE),
        ([-20, 20, 20, 20], OUTSIDE),
        ([89, 99, 20, 20], None),
        ([20, 100, 20, 20], OUTSIDE),
        ([1e8, 1e8, 20, 20], OUTSIDE),
    ],
)
def test_boxes_outside_the_image_are_rejected(tiny_coco, box, reason):
    tiny_coco.change("train2017", lambda content: content["annotations"][3].update(bbox=box))
    found = apply(read_annotations(CocoFolder(tiny_coco.root), SourceOptions()))
    assert reasons(found) == ({} if reason is None else {4: reason})


@pytest.mark.parametrize(
    ("joint", "reason"),
    [
        # Centres: the image spans -0.5..89.5 and -0.5..99.5, and a tenth of its longer side is 10 px.
        ([0, 0, 2], None),
        ([89, 99, 1], None),
        ([99.5, 50, 2], None),
        ([100, 50, 2], JOINT_FAR_OUT),
        ([50, 110, 1], JOINT_FAR_OUT),
        ([-10.5, 50, 2], None),
        ([50, -11, 2], JOINT_FAR_OUT),
        ([1e8, 1e8, 2], JOINT_FAR_OUT),
        ([1e8, 1e8, 0], None),  # unlabelled: its position has no meaning
    ],
)
def test_joints_outside_the_image_are_rejected(tiny_coco, joint, reason):
    tiny_coco.change("train2017", lambda content: content["annotations"][3]["keypoints"].__setitem__(slice(3, 6), joint))
    found = apply(read_annotations(CocoFolder(tiny_coco.root), SourceOptions()))
    assert reasons(found) == ({} if reason is None else {4: reason})


def test_crowd_outside_the_image_is_rejected_as_a_crowd(tiny_coco):
    tiny_coco.change("train2017", lambda content: content["annotations"][3].update(bbox=[900, 0, 9, 9], iscrowd=1))
    assert reasons(apply(read_annotations(CocoFolder(tiny_coco.root), SourceOptions()))) == {4: "crowd"}


@pytest.mark.real_data
@pytest.mark.parametrize(("data", "source"), [
    ("coco_subset", {}),
    # slow: all 156,165 annotations of COCO; tests/geometry/test_square_boxes.py reads them in the fast run.
    pytest.param(
        "coco_full_labels", {"images": None, "annotations": "person_keypoints_{split}.json"}, marks=pytest.mark.slow
    ),
    ("lspet", {"train_split": "train", "val_split": "val"}),
])  # fmt: skip
def test_real_data_has_no_person_outside_the_image(real_data, data, source):
    read = read_annotations(CocoFolder(real_data / data), SourceOptions(**source))
    assert len(read.persons) > 800
    assert set(apply(read).issues["reason"]) <= {"crowd", "no labelled joints"}


def test_persons_with_few_labelled_joints_are_rejected(annotations):
    found = apply(annotations, AT_LEAST_3)
    assert found.persons["person_id"].tolist() == [0, 3, 4, 5]
    assert set(found.issues["reason"]) == {"fewer than 3 labelled joints"}
    # Occluded joints (v = 1) are labelled: every person has two.
    assert len(apply(annotations, ComponentSpec(name="labelled_joints", options={"at_least": 2})).issues) == 0


def test_persons_with_small_boxes_are_rejected(annotations):
    found = apply(annotations, BOX_36)
    # A side of exactly 36 px is accepted.
    assert found.persons["person_id"].tolist() == [1, 2, 3, 4, 6]
    assert set(found.issues["reason"]) == {"box smaller than 36 px"}


def test_reason_is_that_of_the_first_rejecting_filter(annotations):
    box_37 = ComponentSpec(name="box_size", options={"min_side_px": 37})
    few, small = "fewer than 3 labelled joints", "box smaller than 37 px"
    # Persons 0 and 5 are small, 1 and 2 have few joints, 6 both; 3 and 4 are accepted.
    assert apply(annotations, AT_LEAST_3, box_37).issues["reason"].tolist() == [small, few, few, small, few]
    assert apply(annotations, box_37, AT_LEAST_3).issues["reason"].tolist() == [small, few, few, small, small]


def test_accepted_persons_do_not_depend_on_the_order(annotations):
    one, other = apply(annotations, AT_LEAST_3, BOX_36), apply(annotations, BOX_36, AT_LEAST_3)
    assert one.persons.equals(other.persons)
    assert one.persons["person_id"].tolist() == [3, 4]
    assert one.persons.index.tolist() == [0, 1]


def test_issues_contain_the_persons(annotations):
    found = Issues.validate(apply(annotations, BOX_36).issues)
    assert found.iloc[1].tolist() == ["val2017", 2, 2, "two.png", "filter", "rejected", "box smaller than 36 px", ""]


def test_empty_table_is_accepted(annotations):
    found = apply(annotations, AT_LEAST_3, BOX_36, persons=annotations.persons[:0])
    assert (len(Persons.validate(found.persons)), len(Issues.validate(found.issues))) == (0, 0)


def test_inputs_are_not_changed(annotations):
    before = annotations.persons.copy()
    apply(annotations, AT_LEAST_3)
    assert annotations.persons.equals(before)


def test_unknown_filter_is_refused(annotations):
    with pytest.raises(OptionsError, match="tall"):
        apply(annotations, ComponentSpec(name="tall"))


def test_issues_contain_step_and_detail(annotations):
    found = issues_of(annotations.persons[2:4], "box", np.array(["a", "b"]), detail="rule x")
    assert found[["annotation_id", "step", "reason", "detail"]].to_numpy().tolist() == [
        [3, "box", "a", "rule x"],
        [4, "box", "b", "rule x"],
    ]
