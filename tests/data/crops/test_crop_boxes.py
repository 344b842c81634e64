"""Tests of posescope.data.crops.crop_boxes: crop boxes of persons, and joints in crop px."""

import numpy as np
import pytest

from posescope.core.errors import DataError
from posescope.core.plugins import Component, Options
from posescope.core.tables import CropBoxes, Issues, Persons, join_joints, joints_of, matrices_of
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import filter_persons
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons, targets_in_crops
from posescope.data.crops.crop_resampling import crop_box
from posescope.data.crops.options import CropOptions
from posescope.geometry.affine import apply_affine, invert_affine
from posescope.geometry.top_down_boxes import RectangularBoxes

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
            cropped = crop_box(image, box.left, box.top, (box.side, box.side), options.crop_size, options.padding_rgb)
            crop = cropped[..., 0].astype(float)
            rows, columns = np.indices(crop.shape)
            centroid = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
            # Resampling spreads the brightness by area, so that its centroid is at the joint within a fraction of a crop px.
            assert np.abs(centroid - joints[joint]).max() < 0.5


TOP_DOWN = CropOptions(rule="top_down", size_px=(48, 32))


def test_boxes_of_crops_that_are_not_square_by_hand(annotations):
    boxes = box_persons(annotations.persons, annotations.keypoints, TOP_DOWN).crop_boxes
    # Person 0's box spans 9.5..29.5 x 9.5..39.5, 20 x 30: it has the aspect ratio. 25 x 37.5 around (19.5, 24.5), 37.5 is
    # rounded to the even 38; first px 19.5 - 12.5 + 0.5 = 7.5, rounded to 8, and 24.5 - 19 + 0.5 = 6.
    assert boxes.loc[0, ["left", "top", "side", "width", "height"]].tolist() == [8, 6, 38, 25, 38]
    np.testing.assert_allclose(
        boxes.loc[0, list("abcdef")].astype(float), [32 / 25, 0, -7.5 * 32 / 25 - 0.5, 0, 48 / 38, -5.5 * 48 / 38 - 0.5]
    )
    CropBoxes.validate(boxes)


def test_tables_of_square_crops_have_no_width(annotations):
    for options in (PADDED, CropOptions(rule="top_down", size_px=32)):
        boxes = box_persons(annotations.persons, annotations.keypoints, options).crop_boxes
        assert list(boxes) == ["person_id", "left", "top", "side", *"abcdef"]


def test_crop_map_of_a_crop_that_is_not_square_and_its_inverse_are_the_identity(annotations):
    boxes = box_persons(annotations.persons, annotations.keypoints, TOP_DOWN).crop_boxes
    in_image = joints_of(annotations.keypoints, boxes["person_id"].to_numpy())[..., :2]
    in_crop = targets_in_crops(boxes, annotations.keypoints)
    labelled = in_crop.visibility > 0
    assert labelled.sum() >= 14
    back = apply_affine(invert_affine(matrices_of(boxes)), in_crop.joints)
    np.testing.assert_allclose(back[labelled], in_image[labelled], atol=1e-4)


def test_marked_pixel_is_at_its_joint_in_a_crop_that_is_not_square(annotations):
    boxed = box_persons(annotations.persons, annotations.keypoints, TOP_DOWN)
    targets = targets_in_crops(boxed.crop_boxes, annotations.keypoints)
    tested = 0
    for person, box, joints in zip(boxed.persons.itertuples(), boxed.crop_boxes.itertuples(), targets.joints, strict=True):
        for joint, (x, y, _) in enumerate(joints_of(annotations.keypoints, np.array([person.person_id]))[0]):
            if np.isnan(joints[joint]).any() or x % 1 or y % 1:
                continue
            image = np.zeros((person.image_h, person.image_w, 3), np.uint8)
            image[int(y), int(x)] = 255
            cropped = crop_box(image, box.left, box.top, (box.height, box.width), (48, 32), (0, 0, 0))
            crop = cropped[..., 0].astype(float)
            rows, columns = np.indices(crop.shape)
            centroid = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
            assert np.abs(centroid - joints[joint]).max() < 0.5
            tested += 1
    assert tested >= 5


def test_joints_outside_the_crop_are_unlabelled_in_the_targets(tiny_coco):
    # The box spans 19.5..39.5 x 19.5..49.5; 25 x 38 px around it are columns 17..41 (or 18..42) and rows 16..53.
    joints = [(30, 30, 2), (30, 54, 2), (30, 56, 1)]  # inside; 0.5 px and 2.5 px below the last row's edge
    person = tiny_coco.person(1, 1, (20, 20, 20, 30), joints)
    tiny_coco.change("train2017", lambda content: content["annotations"].__setitem__(0, person))
    annotations = read_annotations(CocoFolder(tiny_coco.root), SourceOptions())
    boxed = box_persons(annotations.persons, annotations.keypoints, TOP_DOWN)
    box = boxed.crop_boxes.set_index("person_id").loc[0]
    assert box["top"] + box["height"] == 54
    targets = targets_in_crops(boxed.crop_boxes, annotations.keypoints)
    assert targets.visibility[0].tolist() == [2, 2, 0]
    assert np.isnan(targets.joints[0, 2]).all()
    assert joints_of(annotations.keypoints, np.array([0]))[0, 2].tolist() == [56 - 26, 56, 1]  # the table keeps it


class Stretched(Component[Options]):
    follows_aspect = True

    def __call__(self, extents):
        one = np.ones(len(extents), np.int64)
        return RectangularBoxes(one, one, 20 * one, 20 * one, np.full(len(extents), ""))


def test_boxes_of_another_aspect_ratio_are_refused(annotations):
    options = CropOptions(rule=f"{__name__}:Stretched", size_px=(48, 32))
    with pytest.raises(DataError, match="aspect ratio 32:48, found a box of 20 x 20"):
        box_persons(annotations.persons, annotations.keypoints, options)
