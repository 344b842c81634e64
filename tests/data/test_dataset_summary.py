"""Tests of posescope.data.dataset_summary: counts of rejected records and labelled joints."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from posescope.core.plugins import ComponentSpec
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import Issues
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.data.dataset_summary import count_joint_labels, count_rejected, persons_with_crops
from posescope.geometry.crop_recipe import CropRecipe

PAIR = Skeleton(("left_hand", "right_hand"), ((0, 1),), (0.1, 0.1))
STATISTICS = CropStatistics((0.5, 0.5, 0.5), (32, 32), CropRecipe(rule=ComponentSpec(name="padded_square")), "d" * 16)


def crops_of(*person_ids):
    """Return a stand-in for the store of the crops of these persons."""
    return SimpleNamespace(person_ids=lambda: np.array(person_ids))


def issue(step, reason, image_id, annotation_id, outcome="rejected"):
    return ("train2017", image_id, annotation_id, "a.jpg", step, outcome, reason, "")


def issues(*rows):
    return pd.DataFrame(rows, columns=list(Issues.to_schema().columns))


def read(*image_ids):
    return pd.DataFrame({"source_split": "train2017", "image_id": list(image_ids)})


def distribution(images, persons):
    return pd.DataFrame({"split": ["train", "all"], "images": [0, images], "persons": [0, persons]})


def test_reasons_are_in_step_order_and_sum_to_all_records():
    # Images 1..3 have seven persons; 8 and 9 have none. One annotation of image 3 is malformed.
    table = count_rejected(
        read(1, 1, 1, 2, 2, 3, 3),
        issues(
            issue("crop", "cut short", 2, 5),
            issue("read", "image without persons", 8, -1),
            issue("read", "image without persons", 9, -1),
            issue("read", "no box", 3, 99),
            issue("read", "area is missing", 3, 7, "repaired"),  # accepted, hence not counted
            issue("read", "keypoints lie between 0 and 1", 3, 7, "warned"),
            issue("box", "does not fit", 1, 1),
            issue("filter", "crowd", 1, 2),
            issue("filter", "no labelled joints", 1, 3),
            issue("filter", "no labelled joints", 2, 4),
        ),
        distribution(images=1, persons=2),
    )
    assert table.to_numpy().tolist() == [
        ["read", "person", "no box", 1, 1 / 8],
        ["read", "image", "image without persons", 2, 2 / 5],
        ["filter", "person", "no labelled joints", 2, 2 / 8],
        ["filter", "person", "crowd", 1, 1 / 8],
        ["box", "person", "does not fit", 1, 1 / 8],
        ["crop", "person", "cut short", 1, 1 / 8],
        ["accepted", "person", "persons with a crop", 2, 2 / 8],
        ["accepted", "image", "images of these persons", 1, 1 / 5],
    ]
    assert table.loc[table["record"] == "person", "fraction"].sum() == pytest.approx(1)


def test_same_id_in_two_splits_counts_as_two_images():
    persons = pd.DataFrame({"source_split": ["train2017", "val2017"], "image_id": [1, 1]})
    table = count_rejected(persons, Issues.empty(), distribution(images=2, persons=2))
    assert table["fraction"].tolist() == [1.0, 1.0]


def test_summary_without_rejections_has_accepted_records_only():
    table = count_rejected(read(1, 2), Issues.empty(), distribution(images=2, persons=2))
    assert table["step"].tolist() == ["accepted", "accepted"]
    assert table["records"].tolist() == [2, 2]


def test_joints_are_counted_over_the_persons_of_the_table():
    visibility = np.array([[2, 1], [2, 0], [1, 0], [2, 2]], np.uint8)
    targets = PoseTargets(np.array([4, 5, 6, 7]), np.zeros((4, 2, 2), np.float32), visibility)
    table = count_joint_labels(targets, pd.DataFrame({"person_id": [4, 5, 7, 8]}), crops_of(4, 5, 6, 7), PAIR, STATISTICS)
    assert table[["joint", "visible", "occluded", "unlabelled"]].to_numpy().tolist() == [
        ["left_hand", 3, 0, 0],
        ["right_hand", 1, 1, 1],
    ]
    assert table["visible_fraction"].tolist() == pytest.approx([1, 1 / 3])
    assert table["unlabelled_fraction"].tolist() == pytest.approx([0, 1 / 3])
    assert set(table["data"]) == {"d" * 16}


def test_joints_that_a_data_set_does_not_annotate_are_not_counted_as_unlabelled():
    visibility = np.array([[2, 0], [2, 0], [1, 2]], np.uint8)
    weights = np.array([[1, 0], [1, 1], [0.5, 0.5]], np.float32)
    targets = PoseTargets(np.array([4, 5, 6]), np.zeros((3, 2, 2), np.float32), visibility, weights=weights)
    table = count_joint_labels(targets, pd.DataFrame({"person_id": [4, 5, 6]}), crops_of(4, 5, 6), PAIR, STATISTICS)
    counts = table[["visible", "occluded", "unlabelled", "not_annotated"]]
    assert counts.to_numpy().tolist() == [[2, 1, 0, 0], [1, 0, 1, 1]]
    assert table["unlabelled_fraction"].tolist() == pytest.approx([0, 1 / 2])


def test_joint_counts_of_no_persons_are_zero():
    targets = PoseTargets(np.array([4]), np.zeros((1, 2, 2), np.float32), np.ones((1, 2), np.uint8))
    table = count_joint_labels(targets, pd.DataFrame({"person_id": []}), crops_of(4), PAIR, STATISTICS)
    assert table.drop(columns=["joint", "data"]).to_numpy().sum() == 0


def test_only_persons_with_a_crop_are_selected():
    persons = pd.DataFrame({"person_id": [4, 5, 6, 70]})
    assert persons_with_crops(persons, crops_of(6, 4, 5, 9))["person_id"].tolist() == [4, 5, 6]
