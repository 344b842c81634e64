"""Tests of posescope.data.coco.data_quality: findings on skeleton, images and categories."""

import pandas as pd
import pytest

from posescope.core.skeleton import COCO_PERSON, skeleton_from_category
from posescope.data.coco.data_quality import duplicate_image_finding, missing_category_finding, skeleton_findings

MOUSE = skeleton_from_category({"keypoints": ["nose", "left_ear", "right_ear", "tail_base"]})


def checks(skeleton, category, given=()):
    return [finding.check for finding in skeleton_findings(skeleton, category, dict.fromkeys(given, 0.1))]


def test_coco_persons_have_no_finding():
    assert checks(COCO_PERSON, "person") == []
    assert checks(COCO_PERSON, "Person") == []


def test_another_category_with_coco_sigmas_is_reported():
    (finding, guessed) = skeleton_findings(MOUSE, "mouse", {})
    assert (finding.check, finding.records, finding.total) == ("foreign_oks_sigmas", 3, 4)
    assert "nose 0.026, left_ear 0.035, right_ear 0.035" in finding.detail
    assert (guessed.check, guessed.records) == ("guessed_oks_sigmas", 1)


def test_stated_sigmas_are_not_reported():
    joints = ["nose", "left_ear", "right_ear", "tail_base"]
    own = skeleton_from_category({"keypoints": joints}, dict.fromkeys(joints, 0.1))
    assert checks(own, "mouse", joints) == []


@pytest.mark.parametrize(("more", "foreign"), [(2, False), (20, True)])
def test_person_with_few_coco_joints_is_reported(more, foreign):
    joints = ["nose", "left_eye", "right_eye", *(f"mouth_{number}" for number in range(more))]
    assert ("foreign_oks_sigmas" in checks(skeleton_from_category({"keypoints": joints}), "person")) == foreign


def test_unpaired_joints_and_shifted_limbs_are_findings():
    joints = [name.replace("right_wrist", "rigth_wrist") for name in COCO_PERSON.joints]
    limbs = [[a, b] for a, b in COCO_PERSON.limbs if min(a, b) > 0]
    found = skeleton_findings(skeleton_from_category({"keypoints": joints, "skeleton": limbs}), "person", {})
    assert [finding.check for finding in found] == ["unpaired_joints", "limbs_from_zero", "guessed_oks_sigmas"]
    assert "rigth_wrist: call it right_wrist" in found[0].detail


def test_missing_category_is_repaired_if_there_is_only_one():
    assert missing_category_finding("train", 0, 9, 1) == []
    assert [missing_category_finding("train", 3, 9, count)[0].severity for count in (1, 2)] == ["repaired", "warned"]


def test_image_of_two_records_is_reported():
    images = pd.DataFrame({"file_name": ["a.png", "b.png", "a.png"]}, index=[4, 5, 6])
    (finding,) = duplicate_image_finding("train", images)
    assert (finding.records, finding.total) == (2, 3)
    assert "'a.png', images 4, 6" in finding.detail
    assert duplicate_image_finding("train", images[:2]) == []
