"""Tests of posescope.explainability.attributes.person_attributes: standing, sitting and upside-down persons, and images."""

import numpy as np
import pandas as pd
import pytest

from posescope.core.skeleton import COCO_PERSON, Skeleton
from posescope.core.tables import join_joints
from posescope.explainability.attributes.person_attributes import (
    ATTRIBUTES,
    IMAGE_ATTRIBUTES,
    attribute_named,
    measure_attributes,
    measure_image_attributes,
)

# A person seen from the front, torso of 50 px; the person's left is at the image's right.
STANDING = {
    "nose": (100, 30), "left_shoulder": (120, 50), "right_shoulder": (80, 50), "left_hip": (110, 100), "right_hip": (90, 100),
    "left_elbow": (120, 75), "right_elbow": (80, 75), "left_wrist": (120, 100), "right_wrist": (80, 100),
    "left_knee": (110, 140), "right_knee": (90, 140), "left_ankle": (110, 180), "right_ankle": (90, 180),
}  # fmt: skip
# In profile: thighs level, shanks down.
SITTING = {
    "left_shoulder": (100, 50), "right_shoulder": (100, 50), "left_hip": (100, 100), "right_hip": (100, 100),
    "left_knee": (140, 100), "right_knee": (140, 100), "left_ankle": (140, 140), "right_ankle": (140, 140),
}  # fmt: skip


def tables(persons: list[dict[str, tuple[float, float]]]) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Ids from 10, all in one image of 200 x 300 px; boxes of 60 x 160 px, 100 px apart."""
    ids, count = np.arange(10, 10 + len(persons)), len(COCO_PERSON)
    joints, visibility = np.full((len(persons), count, 2), np.nan), np.zeros((len(persons), count), np.uint8)
    for row, person in enumerate(persons):
        for name, point in person.items():
            joints[row, COCO_PERSON.index(name)], visibility[row, COCO_PERSON.index(name)] = point, 2
    persons = pd.DataFrame({"person_id": ids, "source_split": "train2017", "image_id": 1, "is_crowd": False, "area": 5000.0})
    persons = persons.assign(image_h=200, image_w=300, bbox_x=100.0 * np.arange(len(persons)) + 20, bbox_y=20.0, bbox_w=60.0)
    return ids, persons.assign(bbox_h=160.0), join_joints(ids, joints, visibility, "visibility")


def measured(*persons: dict[str, tuple[float, float]]) -> pd.DataFrame:
    return measure_attributes(*tables(list(persons)), COCO_PERSON)


def test_standing_person_by_hand() -> None:
    (row,) = measured(STANDING).to_dict("records")
    expected = {
        "standing": 80 / 50, "torso_tilt": 0, "hip_angle": 180 - np.degrees(np.arctan2(10, 50)), "knee_angle": 180,
        "arms_raised": -1, "elbow_angle": 180, "facing": 40 / 50, "looking_right": 0, "legs_apart": 20 / 50,
        # Wrists at (+-20, 25), ankles at (+-10, 105) from the centre of the torso (100, 75).
        "reach": (np.hypot(20, 25) + np.hypot(10, 105)) / 2 / 50,
        "legs_labelled": 1, "size": np.log2(160), "truncated": 0, "crowding": 0, "labelled": 13, "occluded": 0,
    }  # fmt: skip
    for name, value in expected.items():
        assert row[name] == pytest.approx(value), name


@pytest.mark.parametrize("degrees", [0, 37, 90, 180, 250])
def test_facing_and_looking_do_not_depend_on_the_tilt(degrees: float) -> None:
    """From the front, from behind (left and right exchanged), and with the head to one side, turned in the image plane."""
    behind = {name.replace("left", "x").replace("right", "left").replace("x", "right"): point for name, point in STANDING.items()}
    aside = {**STANDING, "nose": (110, 30)}
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = [{name: tuple(turn @ point) for name, point in person.items()} for person in (STANDING, behind, aside)]
    rows = measured(*turned)
    assert rows["facing"].to_numpy() == pytest.approx([0.8, -0.8, 0.8], abs=1e-6)
    assert rows["looking_right"].to_numpy() == pytest.approx([0, 0, 0.2], abs=1e-6)


def test_sitting_and_upside_down() -> None:
    turned = {name: (200 - x, 230 - y) for name, (x, y) in STANDING.items()}
    sitting, handstand = measured(SITTING, turned).to_dict("records")
    assert (sitting["standing"], sitting["hip_angle"], sitting["knee_angle"]) == pytest.approx((0.8, 90, 90))
    assert np.isnan([sitting["arms_raised"], sitting["elbow_angle"], sitting["looking_right"]]).all()
    assert (handstand["standing"], handstand["torso_tilt"]) == pytest.approx((-1.6, 180))
    assert handstand["facing"] == pytest.approx(0.8)  # still from the front, though the left shoulder is at the image's left


def test_mirroring_changes_the_sign_of_horizontal_attributes_only() -> None:
    lean = {**STANDING, "nose": (110, 30)}
    mirrored = {}
    for name, (x, y) in lean.items():
        other = name.replace("left_", "right_") if "left_" in name else name.replace("right_", "left_")
        mirrored[other] = (199 - x, y)
    one, two = measured(lean, mirrored).drop(columns=["person_id"]).to_dict("records")
    assert one.pop("looking_right") == pytest.approx(-two.pop("looking_right"))
    assert one.pop("neighbour_offset") == pytest.approx(-two.pop("neighbour_offset"))
    assert one == pytest.approx(two)


def test_truncation_crowding_and_occluded_joints() -> None:
    ids, persons, keypoints = tables([STANDING, STANDING])
    persons.loc[1, "bbox_x"] = 30.0
    persons.loc[0, "bbox_y"] = 0.0
    nose = (keypoints["person_id"] == 10) & (keypoints["joint"] == COCO_PERSON.index("nose"))
    keypoints.loc[nose, "visibility"] = 1
    found = measure_attributes(ids, persons, keypoints, COCO_PERSON)
    assert found["truncated"].tolist() == [1, 0]
    assert found["crowding"].tolist() == [1, 1]
    assert found["occluded"].tolist() == pytest.approx([1 / 13, 0])
    assert found["neighbour_offset"].tolist() == pytest.approx([10 / 160, -10 / 160])


def test_neighbour_offset_and_labelled_legs() -> None:
    above = {name: point for name, point in STANDING.items() if "knee" not in name and name != "left_ankle"}
    # Four persons 100 px apart with boxes of 160 px: only adjacent ones are neighbours.
    found = measured(STANDING, above, STANDING, STANDING)
    assert found["legs_labelled"].tolist() == pytest.approx([1, 1 / 4, 1, 1])
    assert found["neighbour_offset"].tolist() == pytest.approx([100 / 160, 0, 0, -100 / 160])
    assert np.isnan(measured(STANDING)["neighbour_offset"][0])


def test_order_of_the_persons_and_no_persons() -> None:
    ids, persons, keypoints = tables([STANDING, SITTING])
    assert measure_attributes(ids[::-1], persons, keypoints, COCO_PERSON)["knee_angle"].tolist() == pytest.approx([90, 180])
    empty = measure_attributes(ids[:0], persons, keypoints, COCO_PERSON)
    assert list(empty.columns) == ["person_id", *(attribute.name for attribute in ATTRIBUTES)]
    assert not len(empty)


def test_skeleton_without_these_joints_has_attributes_of_the_box_only() -> None:
    skeleton = Skeleton(joints=("tip", "tail"), limbs=((0, 1),), oks_sigmas=(0.1, 0.1))
    ids, persons, _ = tables([STANDING])
    keypoints = join_joints(ids, np.zeros((1, 2, 2)), np.full((1, 2), 2, np.uint8), "visibility")
    (row,) = measure_attributes(ids, persons, keypoints, skeleton).to_dict("records")
    assert np.isnan([row["standing"], row["hip_angle"], row["reach"], row["facing"], row["legs_labelled"]]).all()
    assert (row["labelled"], row["truncated"]) == (2, 0)


def test_unknown_attribute_is_described_by_its_name() -> None:
    assert attribute_named("standing").high == "standing"
    assert attribute_named("hat").high == "high hat"


def test_image_attributes_by_hand(model, scattered_crops) -> None:
    # Two dots of 4 x 4 px of one colour each in 32 x 32: grey of a third in 32 of 1024 px (16 where they coincide).
    found = measure_image_attributes(scattered_crops, batch_size=7)
    assert list(found) == ["brightness", "contrast", "detail"] == [attribute.name for attribute in IMAGE_ATTRIBUTES]
    np.testing.assert_allclose(found["brightness"], 2 * 16 / 1024 / 3, rtol=1e-5)
    images = scattered_crops.read_images(np.arange(60)) / 255
    np.testing.assert_allclose(found["contrast"], images.mean(axis=3).std(axis=(1, 2)), rtol=1e-5)
    row = next(row for row in range(60) if images[row, :, 0].max() == 0 and images[row, :, -1].max() == 0)
    dots_apart = np.abs(np.diff(images[row].mean(axis=2), axis=1)).sum() / (32 * 31)
    assert found["detail"][row] == pytest.approx(dots_apart)


def test_image_attributes_of_no_crops(scattered_crops) -> None:
    assert measure_image_attributes(scattered_crops.subset(np.arange(0)), batch_size=7).shape == (0, 3)
