import numpy as np
import pandas as pd
import pytest

from posescope.core.skeleton import Skeleton
from posescope.core.tables import join_joints
from posescope.evaluation.metrics.pck_thesis import PckThesis
from posescope.evaluation.scored_persons import find_neighbours, gather_cases, thesis_hits


def people(rows) -> pd.DataFrame:
    columns = ["person_id", "source_split", "image_id", "is_crowd", "area"]
    return pd.DataFrame(rows, columns=columns).assign(bbox_x=0.0, bbox_y=0.0, bbox_w=10.0, bbox_h=10.0)


def joints_for(ids) -> pd.DataFrame:
    points = np.repeat(np.asarray(ids, dtype=np.float64)[:, None, None], 2, axis=1).repeat(2, axis=2)
    return join_joints(np.asarray(ids), points, np.full((len(ids), 2), 2, np.uint8), "visibility")


def test_the_others_of_the_same_image_and_split_but_no_crowd() -> None:
    # Image 1 of val holds 10, 11 and a crowd; image 1 of train is another image.
    persons = people(
        [(5, "train", 1, False, 1.0), (10, "val", 1, False, 2.0), (11, "val", 1, False, 3.0), (12, "val", 1, True, 4.0),
         (13, "val", 2, False, 5.0)]
    )  # fmt: skip
    found = find_neighbours(np.array([10, 13]), persons, joints_for([5, 10, 11, 12, 13]))
    assert found.rows.tolist() == [0]
    assert found.areas.tolist() == [3.0]
    np.testing.assert_array_equal(found.joints, [[[11, 11], [11, 11]]])
    assert found.boxes.tolist() == [[0, 0, 10, 10]]


def test_everybody_sees_everybody_else() -> None:
    persons = people([(n, "val", 1, False, float(n)) for n in range(4)])
    found = find_neighbours(np.arange(4), persons, joints_for(range(4)))
    assert sorted(zip(found.rows.tolist(), found.areas.astype(int).tolist(), strict=True)) == [
        (a, b) for a in range(4) for b in range(4) if a != b
    ]


def test_hits_are_those_of_the_metric(make_scored) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 255, (30, 3, 2))
    scored = make_scored(truth + rng.normal(0, 9, truth.shape), truth, rng.integers(0, 3, (30, 3)))
    expected = PckThesis(PckThesis.Options())(scored).per_person["pck_thesis"]
    hits = thesis_hits(scored)
    np.testing.assert_array_equal(np.isnan(hits), ~scored.labelled)
    known = scored.labelled.any(axis=1)
    assert np.nanmean(hits[known], axis=1) == pytest.approx(expected[known])


def test_without_a_crop_there_is_nothing_to_hit(make_scored) -> None:
    maps = np.tile(np.eye(2, 3), (2, 1, 1))
    maps[1] = np.nan
    scored = make_scored(np.zeros((2, 1, 2)), np.zeros((2, 1, 2)), [[2], [2]], crop_from_image=maps)
    np.testing.assert_array_equal(thesis_hits(scored), [[1], [np.nan]])


def test_who_was_missed_is_a_case_too() -> None:
    persons = people([(n, "val", n, False, 1.0) for n in range(3)]).assign(image_h=20, image_w=30)
    keypoints = joints_for(range(3))
    predictions = join_joints(np.array([1]), np.zeros((1, 2, 2)), np.ones((1, 2), np.float32), "score")
    boxes = pd.DataFrame({"person_id": [0, 1], **dict.fromkeys("abcdef", 1.0)})
    cases = gather_cases(predictions, persons, keypoints, boxes, Skeleton(("a", "b"), (), (0.1, 0.1)), (8, 8), np.array([1, 2]))
    assert (cases.scored.person_ids.tolist(), cases.scored.found.tolist()) == ([1, 2], [True, False])
    assert cases.image_sizes.tolist() == [[20, 30]] * 2
    # Person 2 has no crop; who was missed has hit nothing all the same.
    assert thesis_hits(cases.scored)[1].tolist() == [0, 0]
