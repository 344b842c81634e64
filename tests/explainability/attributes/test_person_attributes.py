"""Attributes of people drawn by hand: a standing one, a sitting one, one upside down."""

import numpy as np
import pandas as pd
import pytest

from posescope.core.skeleton import COCO_PERSON, Skeleton
from posescope.core.tables import join_joints
from posescope.explainability.attributes.person_attributes import ATTRIBUTES, attribute_named, measure_attributes

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


def tables(people: list[dict[str, tuple[float, float]]]) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Ids from 10, all in one image of 200 x 300 px; boxes of 60 x 160 px, 100 px apart."""
    ids, count = np.arange(10, 10 + len(people)), len(COCO_PERSON)
    joints, visibility = np.full((len(people), count, 2), np.nan), np.zeros((len(people), count), np.uint8)
    for row, person in enumerate(people):
        for name, place in person.items():
            joints[row, COCO_PERSON.index(name)], visibility[row, COCO_PERSON.index(name)] = place, 2
    persons = pd.DataFrame({"person_id": ids, "source_split": "train2017", "image_id": 1, "is_crowd": False, "area": 5000.0})
    persons = persons.assign(image_h=200, image_w=300, bbox_x=100.0 * np.arange(len(people)) + 20, bbox_y=20.0, bbox_w=60.0)
    return ids, persons.assign(bbox_h=160.0), join_joints(ids, joints, visibility, "visibility")


def measured(*people: dict[str, tuple[float, float]]) -> pd.DataFrame:
    return measure_attributes(*tables(list(people)), COCO_PERSON)


def test_a_standing_person_by_hand() -> None:
    (row,) = measured(STANDING).to_dict("records")
    expected = {
        "standing": 80 / 50, "torso_tilt": 0, "hip_angle": 180 - np.degrees(np.arctan2(10, 50)), "knee_angle": 180,
        "arms_raised": -1, "elbow_angle": 180, "facing": 40 / 50, "looking_right": 0, "legs_apart": 20 / 50,
        # Wrists at (+-20, 25), ankles at (+-10, 105) from the torso's middle (100, 75).
        "reach": (np.hypot(20, 25) + np.hypot(10, 105)) / 2 / 50,
        "legs_labelled": 1, "size": np.log2(160), "truncated": 0, "crowding": 0, "labelled": 13, "occluded": 0,
    }  # fmt: skip
    for name, value in expected.items():
        assert row[name] == pytest.approx(value), name


def test_sitting_and_upside_down() -> None:
    turned = {name: (200 - x, 230 - y) for name, (x, y) in STANDING.items()}
    sitting, handstand = measured(SITTING, turned).to_dict("records")
    assert (sitting["standing"], sitting["hip_angle"], sitting["knee_angle"]) == pytest.approx((0.8, 90, 90))
    assert np.isnan([sitting["arms_raised"], sitting["elbow_angle"], sitting["looking_right"]]).all()
    assert (handstand["standing"], handstand["torso_tilt"]) == pytest.approx((-1.6, 180))
    assert handstand["facing"] == pytest.approx(-0.8)  # the left shoulder is at the image's left


def test_a_mirrored_person_has_the_same_attributes_but_the_side_of_the_head() -> None:
    lean = {**STANDING, "nose": (110, 30)}
    mirrored = {}
    for name, (x, y) in lean.items():
        other = name.replace("left_", "right_") if "left_" in name else name.replace("right_", "left_")
        mirrored[other] = (199 - x, y)
    one, two = measured(lean, mirrored).drop(columns=["person_id"]).to_dict("records")
    assert one.pop("looking_right") == pytest.approx(-two.pop("looking_right"))
    assert one.pop("neighbour_offset") == pytest.approx(-two.pop("neighbour_offset"))
    assert one == pytest.approx(two)


def test_border_crowd_and_hidden_joints() -> None:
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


def test_company_and_legs_in_view() -> None:
    above = {name: place for name, place in STANDING.items() if "knee" not in name and name != "left_ankle"}
    # Four people 100 px apart: with boxes of 160 px, only those side by side keep company.
    found = measured(STANDING, above, STANDING, STANDING)
    assert found["legs_labelled"].tolist() == pytest.approx([1, 1 / 4, 1, 1])
    assert found["neighbour_offset"].tolist() == pytest.approx([100 / 160, 0, 0, -100 / 160])
    assert np.isnan(measured(STANDING)["neighbour_offset"][0])


def test_the_order_asked_for_and_nobody() -> None:
    ids, persons, keypoints = tables([STANDING, SITTING])
    assert measure_attributes(ids[::-1], persons, keypoints, COCO_PERSON)["knee_angle"].tolist() == pytest.approx([90, 180])
    empty = measure_attributes(ids[:0], persons, keypoints, COCO_PERSON)
    assert list(empty.columns) == ["person_id", *(attribute.name for attribute in ATTRIBUTES)]
    assert not len(empty)


def test_a_skeleton_without_these_joints_has_only_what_the_box_tells() -> None:
    skeleton = Skeleton(joints=("tip", "tail"), limbs=((0, 1),), oks_sigmas=(0.1, 0.1))
    ids, persons, _ = tables([STANDING])
    keypoints = join_joints(ids, np.zeros((1, 2, 2)), np.full((1, 2), 2, np.uint8), "visibility")
    (row,) = measure_attributes(ids, persons, keypoints, skeleton).to_dict("records")
    assert np.isnan([row["standing"], row["hip_angle"], row["reach"], row["facing"], row["legs_labelled"]]).all()
    assert (row["labelled"], row["truncated"]) == (2, 0)


def test_an_attribute_of_a_plug_in_is_described_by_its_name() -> None:
    assert attribute_named("standing").high == "standing"
    assert attribute_named("hat").high == "much hat"
