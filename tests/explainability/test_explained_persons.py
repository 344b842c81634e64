import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from posescope.core.records import PosePredictions, PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.explainability.errors import ExplainabilityError
from posescope.explainability.explained_persons import (
    choose_persons,
    image_groups_of,
    read_error_types,
    read_predictions,
    score_persons,
)


def persons_with(labelled: list[int], joints: int = 4, split: str = "train", first: int = 1) -> tuple[pd.DataFrame, PoseTargets]:
    """One person in its own image per number of labelled joints."""
    ids = np.arange(first, first + len(labelled))
    visibility = np.array([[2] * count + [0] * (joints - count) for count in labelled], dtype=np.uint8)
    places = np.where(visibility[..., None] > 0, 1.0, np.nan).repeat(2, axis=2).astype(np.float32)
    table = pd.DataFrame({"person_id": ids, "split": split, "source_split": split, "image_id": ids})
    return table, PoseTargets(ids, places, visibility)


def both(labelled: list[int]) -> tuple[pd.DataFrame, PoseTargets]:
    """Training persons from id 1 and as many validation persons from id 1001."""
    train, val = (persons_with(labelled, split=split, first=first) for split, first in (("train", 1), ("val", 1001)))
    joined = (np.concatenate([getattr(one[1], name) for one in (train, val)]) for name in ("person_ids", "joints", "visibility"))
    return pd.concat([train[0], val[0]], ignore_index=True), PoseTargets(*joined)


def choose(persons: pd.DataFrame, targets: PoseTargets, needed=1, *, fit: str = "train", judge: str = "val", most: int = 100):
    return choose_persons(
        persons, targets, fit_split=fit, judge_split=judge, max_persons=most, min_labelled_joints=needed, seed=0
    )  # fmt: skip


@pytest.mark.parametrize(("needed", "expected"), [(1, [1, 2, 3, 4, 5]), (3, [1, 3, 4, 5]), ("all", [3, 4, 5]), (4, [3, 4, 5])])
def test_persons_with_enough_labelled_joints(needed, expected) -> None:
    table = choose(*both([3, 2, 4, 4, 4]), needed)
    assert table["person_id"].tolist() == [*expected, *(1000 + np.array(expected))]
    assert table["role"].tolist() == ["fitted"] * len(expected) + ["judged"] * len(expected)
    assert table["split"].tolist() == ["train"] * len(expected) + ["val"] * len(expected)
    assert table["image_group"].is_unique


def test_at_most_so_many_persons_of_each_role() -> None:
    assert choose(*both([4] * 30), most=10)["role"].value_counts().to_dict() == {"fitted": 10, "judged": 10}


def test_one_split_is_dealt_into_halves_by_image() -> None:
    persons, targets = persons_with([4] * 40, split="val")
    persons["image_id"] = np.arange(40) // 4
    table = choose(persons, targets, fit="val", judge="val")
    assert sorted(table["person_id"]) == persons["person_id"].tolist()
    assert table["role"].value_counts().to_dict() == {"fitted": 20, "judged": 20}
    assert (table.groupby("image_group")["role"].nunique() == 1).all()


@pytest.mark.parametrize("needed", [4, "all"])
def test_fewer_than_three_persons_are_refused(needed) -> None:
    with pytest.raises(ExplainabilityError, match="persons"):
        choose(*both([4, 4, 3]), needed)


@pytest.mark.parametrize(("count", "warned"), [(49, True), (50, False)])
def test_few_persons_are_warned_of(count: int, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="posescope"):
        choose(*both([4] * count))
    assert ("unreliable" in caplog.text) == warned


def test_scores_in_crop_px_by_hand() -> None:
    # The crop of 128 px shows 64 image px, hence two crop px per image px. On its 64 x 64 grid a heatmap px is 2 crop px.
    targets = PoseTargets(np.array([5, 6]), np.full((2, 2, 2), 64, np.float32), np.array([[2, 2], [0, 0]], np.uint8))
    predicted = np.array([[[64 + 6, 64], [64, 64 + 8]], [[0, 0], [0, 0]]], np.float32)
    predictions = PosePredictions(targets.person_ids, predicted, np.ones((2, 2), np.float32))
    persons = pd.DataFrame({"person_id": [6, 5], "source_split": "val", "image_id": 9, "area": 100.0})
    boxes = pd.DataFrame({"person_id": [5, 6], "a": 2.0, "b": 0.0, "c": 0.0, "d": 0.0, "e": 2.0, "f": 0.0})
    found = score_persons(predictions, targets, persons, boxes, (0.1, 0.1), (128, 128))
    assert found["person_id"].tolist() == [5, 6]
    np.testing.assert_array_equal(found["pck_thesis"], [0.5, np.nan])
    # Off by 3 and 4 image px: exp(-d^2 / (2 sigma)^2 / area / 2).
    expected = (np.exp(-9 / 0.04 / 100 / 2) + np.exp(-16 / 0.04 / 100 / 2)) / 2
    np.testing.assert_allclose(found["oks"], [expected, np.nan])


def test_image_ids_of_several_annotation_files_are_different_images() -> None:
    persons = pd.DataFrame({"person_id": [0, 1, 2, 3], "source_split": "train2017", "image_id": [0, 0, 1, 1]})
    assert image_groups_of(persons, np.array([3, 2, 0])).tolist() == [0, 0, 1]
    persons["source_split"] = ["train2017", "val2017"] * 2
    assert len(np.unique(image_groups_of(persons, np.arange(4)))) == 4


SKELETON = Skeleton(joints=("left_dot", "right_dot"), limbs=(), oks_sigmas=(0.1, 0.1))


def test_tables_of_joints_are_read_in_the_order_of_persons_and_model() -> None:
    table = pd.DataFrame(
        {
            "person_id": [4, 4, 9, 9],
            "joint": [0, 1, 0, 1],
            "crop_x": [1.0, 2.0, 3.0, 4.0],
            "crop_y": [10.0, 20.0, 30.0, 40.0],
            "score": [0.1, 0.2, 0.3, 0.4],
            "type": ["good", "miss", "unlabelled", "swap"],
        }
    )
    ids, joints = np.array([9, 4]), ("right_dot", "left_dot")
    found = read_predictions(table, ids, SKELETON, joints)
    assert found.person_ids.tolist() == [9, 4]
    assert found.joints.tolist() == [[[4, 40], [3, 30]], [[2, 20], [1, 10]]]
    np.testing.assert_allclose(found.scores, [[0.4, 0.3], [0.2, 0.1]])
    assert read_error_types(table, ids, SKELETON, joints).tolist() == [[3, -1], [4, 0]]


def test_all_joints_are_those_that_the_data_set_of_the_person_annotates() -> None:
    persons, targets = both([3, 2, 4, 4, 4])
    weights = np.ones((10, 4), np.float32)
    weights[[0, 5], 3] = 0  # the data set of the first person of each split does not annotate the last joint
    table = choose(persons, replace(targets, weights=weights), "all")
    assert table["person_id"].tolist() == [1, 3, 4, 5, 1001, 1003, 1004, 1005]
