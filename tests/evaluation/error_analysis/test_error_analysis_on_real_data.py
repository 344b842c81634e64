"""Error analysis of real annotations with inserted errors."""

import numpy as np
import pytest

from posescope.core.tables import join_joints, joints_of
from posescope.data.coco.annotation_stream import load_annotation_file
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons
from posescope.data.crops.options import CropOptions
from posescope.evaluation.bootstrap import resample_images
from posescope.evaluation.error_analysis.error_costs import error_cost_table
from posescope.evaluation.error_analysis.error_types import ERROR_TYPES, joint_error_types
from posescope.evaluation.error_analysis.strata import stratum_table
from posescope.evaluation.scored_persons import gather_cases

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def annotated(real_data):
    """Return the annotations of the validation images, and the ids of all labelled persons."""
    folder, source = CocoFolder(real_data / "coco_subset"), SourceOptions()
    found = read_annotations(folder, source)
    labelled = found.keypoints[found.keypoints["visibility"] > 0]["person_id"].unique()
    persons = found.persons[found.persons["person_id"].isin(labelled) & (found.persons["split"] == "val")]
    boxes = box_persons(persons, found.keypoints, CropOptions(rule="padded_square", size_px=96)).crop_boxes
    truth = load_annotation_file(folder.annotation_file(source, source.val_split))
    return found, persons["person_id"].to_numpy(), boxes, truth


def cases_of(annotated, joints):
    found, ids, boxes, _ = annotated
    table = join_joints(ids, np.nan_to_num(joints), np.ones(joints.shape[:2], np.float32), "score")
    return gather_cases(table, found.persons, found.keypoints, boxes, found.skeleton, (96, 96))


def truth_of(annotated) -> np.ndarray:
    return joints_of(annotated[0].keypoints, annotated[1])[..., :2]


def test_truth_has_good_joints_only_and_no_cost(annotated) -> None:
    found, ids, _, truth = annotated
    cases = cases_of(annotated, truth_of(annotated))
    types = joint_error_types(cases)
    assert len(ids) > 300
    assert set(np.unique(types)) == {-1, 0}
    table = stratum_table(cases, resample_images(cases.scored.image_ids, 0, 10))
    assert table["oks"].to_numpy() == pytest.approx(1)
    costs = error_cost_table(cases.scored, types, truth, found.persons, resample_images(cases.scored.image_ids, 0, 10))
    assert costs["oks_ap"].to_numpy() == pytest.approx(1)
    assert costs["ap_gain"].to_numpy() == pytest.approx(0)


def test_exchanged_left_and_right_are_inversions_that_cost_all(annotated) -> None:
    found, _, _, truth = annotated
    flip = list(found.skeleton.flip_indices)
    joints = truth_of(annotated)
    mirrored = np.where(np.isnan(joints[:, flip]), joints, joints[:, flip])
    cases = cases_of(annotated, mirrored)
    types = joint_error_types(cases)
    paired = cases.scored.labelled & cases.scored.labelled[:, flip] & (np.array(flip) != np.arange(len(flip)))
    # Where left and right are in one place, the joint is good.
    assert set(np.unique(types[paired])) <= {0, ERROR_TYPES.index("inversion")}
    assert (types[paired] == ERROR_TYPES.index("inversion")).mean() > 0.9
    assert not (types[~paired] > 0).any()
    draws = resample_images(cases.scored.image_ids, 0, 10)
    costs = error_cost_table(cases.scored, types, truth, found.persons, draws).set_index("type")
    assert costs.loc["inversion", "oks_ap_corrected"] > costs.loc["jitter", "oks_ap_corrected"]
    assert costs.loc["all", "oks_ap_corrected"] == pytest.approx(1)


def test_joints_of_the_next_person_are_swapped(annotated) -> None:
    """Every person with another person in the image gets that person's joints."""
    joints = truth_of(annotated)
    neighbours = cases_of(annotated, joints).neighbours
    joints[neighbours.rows] = np.where(np.isnan(neighbours.joints), joints[neighbours.rows], neighbours.joints)
    cases = cases_of(annotated, joints)
    types = joint_error_types(cases)
    moved = np.isin(np.arange(len(joints)), neighbours.rows)
    assert (types[moved] == ERROR_TYPES.index("swap")).sum() > 500
    assert ERROR_TYPES.index("miss") not in types
    assert not (types[~moved] > 0).any()
