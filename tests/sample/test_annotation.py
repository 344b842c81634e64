from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from posescope.sample.annotation import annotate_scene, label_joints, outline, run_lengths
from posescope.sample.scene_layout import Role
from posescope.sample.scene_rendering import Scene, ScenePerson


def _person(joints: np.ndarray | None = None, role: Role = "person", occluded: tuple[int, ...] = ()) -> ScenePerson:
    mask = np.zeros((20, 30), np.bool_)
    mask[5:15, 10:16] = True
    covered = np.zeros(17, np.bool_)
    covered[list(occluded)] = True
    return ScenePerson(mask, np.full((17, 2), 10.0) if joints is None else joints, covered, role, "standing", "front", ())


def _scene(*persons: ScenePerson) -> Scene:
    return Scene(np.zeros((20, 30, 3), np.uint8), persons, "studio")


def test_run_lengths_by_hand() -> None:
    # Down the columns: 0 1 | 1 1 | 0 0
    mask = np.array([[False, True, False], [True, True, False]])
    assert run_lengths(mask) == [1, 3, 2]
    assert run_lengths(~mask) == [0, 1, 3, 2]  # the first run is of zeros, also if it is empty
    assert run_lengths(np.zeros((2, 3), np.bool_)) == [6]


def test_run_lengths_equal_pycocotools() -> None:
    mask = np.random.default_rng(0).random((13, 9)) < 0.4
    counts: Any = {"size": [13, 9], "counts": run_lengths(mask)}
    decoded = coco_mask.decode(coco_mask.frPyObjects(counts, 13, 9))
    np.testing.assert_array_equal(decoded.astype(bool), mask)


def test_outline_covers_the_mask() -> None:
    mask = _person().mask
    polygons: Any = outline(mask)
    (polygon,) = polygons
    xs, ys = polygon[0::2], polygon[1::2]
    assert (min(xs), max(xs)) == pytest.approx((10, 16))  # pixel i spans [i, i + 1]
    assert (min(ys), max(ys)) == pytest.approx((5, 15))
    runs = coco_mask.merge(coco_mask.frPyObjects(polygons, 20, 30))
    np.testing.assert_array_equal(coco_mask.decode(runs).astype(bool), mask)


def test_record_by_hand() -> None:
    (record,) = annotate_scene(_scene(_person()), seed=0)
    assert record["bbox"] == [10.0, 5.0, 6.0, 10.0]
    assert record["area"] == 60.0
    assert (record["iscrowd"], record["category_id"]) == (0, 1)
    assert len(record["keypoints"]) == 51
    assert record["posescope"] == {"view": "front", "pose": "standing", "things": []}


def test_occluded_joints_have_visibility_1() -> None:
    keypoints = label_joints(_person(occluded=(9,)), seed=1)
    assert keypoints[9].tolist() in ([10, 10, 1], [0, 0, 0])
    seen = keypoints[:, 2] == 2
    assert seen.sum() >= 8
    assert not seen[9]


def test_joints_round_to_pixels_and_those_outside_are_zero() -> None:
    joints = np.full((17, 2), 10.0)
    joints[5], joints[6], joints[7], joints[8] = (-0.4, 3.4), (-0.6, 3.0), (29.4, 19.4), (29.6, 0.0)
    by_seed = np.stack([label_joints(_person(joints), seed) for seed in range(20)])
    assert (by_seed[:, 6] == 0).all()  # rounds to column -1
    assert (by_seed[:, 8] == 0).all()  # rounds to column 30 of 30
    assert by_seed[:, 5].max(axis=0).tolist() == [0, 3, 2]
    assert by_seed[:, 7].max(axis=0).tolist() == [29, 19, 2]


def test_some_joints_are_unlabelled_at_random() -> None:
    by_seed = np.stack([label_joints(_person(), seed) for seed in range(300)])
    share = float((by_seed[:, :, 2] == 0).mean())
    assert 0.02 < share < 0.08
    assert (by_seed[:, :, 2] > 0).any(axis=1).all()


def test_small_persons_have_no_keypoints() -> None:
    (record,) = annotate_scene(_scene(_person(role="unlabelled")), seed=0)
    assert record["num_keypoints"] == 0
    assert record["keypoints"] == [0] * 51
    assert record["area"] == 60.0


def test_crowd_is_one_record() -> None:
    (record,) = annotate_scene(_scene(_person(role="crowd"), _person(role="crowd")), seed=0)
    assert record["iscrowd"] == 1
    assert record["segmentation"]["size"] == [20, 30]
    assert sum(record["segmentation"]["counts"]) == 600
    assert record["area"] == 60.0


def test_invisible_person_has_no_record() -> None:
    person = _person()
    empty = ScenePerson(np.zeros_like(person.mask), person.joints, person.occluded, "person", "standing", "front", ())
    assert annotate_scene(_scene(empty), seed=0) == []
    assert annotate_scene(_scene(), seed=0) == []
