"""Tests of posescope.data.crops.crop_boxes: crop boxes of persons, and joints in crop px."""

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.core.tables import CropBoxes, Issues, Persons, join_joints, joints_of, matrices_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import filter_persons
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons, targets_in_crops
from posescope.data.crops.crop_resampling import crop_square
from posescope.data.crops.options import CropOptions
from posescope.geometry.affine import apply_affine, invert_affine

PADDED = CropOptions(rule="padded_square", size_px=32)


@pytest.fixture
def annotations(tiny_coco):
    return read_annotations(CocoFolder(tiny_coco.root), SourceOptions())


def test_crop_box_by_hand(annotations):
    boxes = box_persons(annotations.persons, annotations.keypoints, PADDED).crop_boxes
    # Person 0: joints span x 14..26.5, y 14..36.25 -> centre (20.25, 25.125). The box spans 9.5..29.5 x 9.5..39.5 and contains
    # them: side 1.1 * 30 = 33; first px rint(20.25 - 16.5 + 0.5) = rint(4.25) = 4 and rint(25.125 - 16) = rint(9.125) = 9.
    assert boxes.loc[0, ["left", "top", "side"]].tolist() == [4, 9, 33]
    # x_crop = (x - 4 + 0.5) * 32 / 33 - 0.5
    np.testing.assert_allclose(boxes.loc[0, ["a", "b", "c"]].astype(float), [32 / 33, 0, -3.5 * 32 / 33 - 0.5])
    CropBoxes.validate(boxes)


def test_padding_rejects_no_person(annotations):
    found = box_persons(annotations.persons, annotations.keypoints, PADDED)
    assert found.persons.equals(annotations.persons)
    assert found.crop_boxes["person_id"].tolist() == list(range(7))
    assert len(Issues.validate(found.issues)) == 0


def test_persons_who_cannot_be_centred_are_issues(tiny_coco):
    # A person at the left border (centre x = 2, so that the square has 5 px), with joints at a distance of 40 px.
    edge = tiny_coco.person(2, 1, (0, 10, 6, 44), [(1, 12, 2), (3, 52, 2), (0, 0, 0)])
    tiny_coco.change("train2017", lambda content: content["annotations"].__setitem__(1, edge))
    annotations = read_annotations(CocoFolder(tiny_coco.root), SourceOptions())
    found = box_persons(annotations.persons, annotations.keypoints, CropOptions(size_px=32))
    assert found.persons["person_id"].tolist() == found.crop_boxes["person_id"].tolist() == [0, 2, 3, 4, 5, 6]
    issue = found.issues.iloc[0]
    assert issue[["annotation_id", "file_name", "step", "detail"]].tolist() == [2, "one.png", "box", "rule centred_square"]
    assert "centred on the joints" in issue["reason"]


@pytest.mark.parametrize(("rule", "reason"), [
    ("centred_square", "no square inside the image is centred on the joints and contains them"),
    ("padded_square", "square shows nothing of the image"),
])  # fmt: skip
def test_crop_box_outside_the_image_is_rejected(tiny_coco, rule, reason):
    # A small person is labelled 5 px outside image 1, which is 80 px wide; the crop would contain padding only.
    beyond = tiny_coco.person(2, 1, (79, 30, 2, 2), [(85, 31, 2), (0, 0, 0), (0, 0, 0)])
    tiny_coco.change("train2017", lambda content: content["annotations"].__setitem__(1, beyond))
    annotations = read_annotations(CocoFolder(tiny_coco.root), SourceOptions())
    filtered = filter_persons(annotations.persons, annotations.keypoints, ())
    assert len(filtered.persons) == 7
    found = box_persons(filtered.persons, annotations.keypoints, CropOptions(rule=rule, size_px=32))
    assert found.issues[["annotation_id", "reason"]].to_numpy().tolist() == [[2, reason]]
    assert found.persons["person_id"].tolist() == [0, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("rule", ["padded_square", "centred_square"])
def test_crop_boxes_below_the_smallest_side_are_rejected(annotations, rule):
    every = box_persons(annotations.persons, annotations.keypoints, CropOptions(rule=rule))
    small = (every.crop_boxes["side"] < 40).to_numpy()
    assert 0 < small.sum() < 7
    found = box_persons(annotations.persons, annotations.keypoints, CropOptions(rule=rule, rule_options={"min_side_px": 40}))
    assert found.issues["reason"].tolist() == ["square smaller than min_side_px"] * small.sum()
    assert found.persons["person_id"].tolist() == every.persons["person_id"][~small].tolist()


def test_no_persons_have_no_crop_boxes(annotations):
    found = box_persons(annotations.persons[:0], annotations.keypoints, PADDED)
    assert [len(table) for table in (found.persons, found.crop_boxes, found.issues)] == [0, 0, 0]
    Persons.validate(found.persons)
    assert targets_in_crops(found.crop_boxes, annotations.keypoints).joints.shape == (0, 3, 2)


def test_persons_without_labels_are_refused(annotations):
    nothing = join_joints(np.arange(7), np.full((7, 3, 2), np.nan), np.zeros((7, 3), np.uint8), "visibility")
    with pytest.raises(DataError, match="labelled"):
        box_persons(annotations.persons, nothing, PADDED)


def test_targets_by_hand(annotations):
    boxes = box_persons(annotations.persons, annotations.keypoints, PADDED).crop_boxes
    targets = targets_in_crops(boxes, annotations.keypoints)
    assert (targets.joints.shape, targets.joints.dtype, targets.visibility.dtype) == ((7, 3, 2), np.float32, np.uint8)
    # Person 0's nose (20, 14): ((20 - 3.5) * 32 / 33 - 0.5, (14 - 8.5) * 32 / 33 - 0.5) = (15.5, 4.8333)
    np.testing.assert_allclose(targets.joints[0, 0], [15.5, 4.83333], atol=1e-4)
    assert targets.visibility[:2].tolist() == [[2, 2, 1], [2, 0, 2]]
    assert np.isnan(targets.joints[1, 1]).all()


def test_targets_follow_the_order_of_the_boxes(annotations):
    boxes = box_persons(annotations.persons, annotations.keypoints, PADDED).crop_boxes
    straight, turned = targets_in_crops(boxes, annotations.keypoints), targets_in_crops(boxes[::-1], annotations.keypoints)
    assert turned.person_ids.tolist() == list(range(6, -1, -1))
    np.testing.assert_array_equal(turned.joints, straight.joints[::-1])


@pytest.mark.parametrize("rule", ["padded_square", "centred_square"])
def test_crop_map_and_its_inverse_are_the_identity(annotations, rule):
    boxes = box_persons(annotations.persons, annotations.keypoints, CropOptions(rule=rule, size_px=256)).crop_boxes
    in_image = joints_of(annotations.keypoints, boxes["person_id"].to_numpy())[..., :2]
    in_crop = targets_in_crops(boxes, annotations.keypoints).joints
    # Joints are float32: at 256 px the precision is 2^-16 px.
    np.testing.assert_allclose(apply_affine(invert_affine(matrices_of(boxes)), in_crop), in_image, atol=1e-4)


@pytest.mark.parametrize("rule", ["padded_square", "centred_square"])
@pytest.mark.parametrize("size_px", [16, 33, 64, 100])
def test_marked_pixel_is_at_its_joint_in_the_crop(annotations, rule, size_px):
    options = CropOptions(rule=rule, size_px=size_px, padding_rgb=(0, 0, 0))
    boxed = box_persons(annotations.persons, annotations.keypoints, options)
    targets = targets_in_crops(boxed.crop_boxes, annotations.keypoints)
    for person, box, joints in zip(boxed.persons.itertuples(), boxed.crop_boxes.itertuples(), targets.joints, strict=True):
        for joint, (x, y, visibility) in enumerate(joints_of(annotations.keypoints, np.array([person.person_id]))[0]):
            if visibility == 0 or x % 1 or y % 1:
                continue  # a pixel can mark integer positions only
            image = np.zeros((person.image_h, person.image_w, 3), np.uint8)
            image[int(y), int(x)] = 255
            crop = crop_square(image, box.left, box.top, box.side, size_px, options.padding_rgb)[..., 0].astype(float)
            rows, columns = np.indices(crop.shape)
            centroid = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
            # Resampling spreads the brightness by area, so that its centroid is at the joint within a fraction of a crop px.
            assert np.abs(centroid - joints[joint]).max() < 0.5
