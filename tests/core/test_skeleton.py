"""Tests of posescope.core.skeleton: names, limbs, flip pairs and sigmas of COCO categories."""

import json

import pytest
from pycocotools.cocoeval import Params

from posescope.core.errors import DataError
from posescope.core.skeleton import (
    COCO_PERSON,
    DEFAULT_OKS_SIGMA,
    KNOWN_OKS_SIGMAS,
    Skeleton,
    has_zero_based_limbs,
    skeleton_from_category,
    unpaired_joints,
    warn_about_unpaired_joints,
)

CATEGORY = {"id": 4, "keypoints": ["nose", "left_paw", "right_paw", "left_fin"], "skeleton": [[1, 2], [3, 1]]}


def test_flip_pairs_follow_from_the_names():
    # left_paw (1) and right_paw (2) are exchanged; the nose and a left fin without a right one are not.
    assert skeleton_from_category(CATEGORY).flip_indices == (0, 2, 1, 3)


def test_flipping_twice_is_the_identity():
    flips = COCO_PERSON.flip_indices
    assert [flips[index] for index in flips] == list(range(17))
    assert flips == (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


def test_sides_follow_from_the_names():
    assert [skeleton_from_category(CATEGORY).side_of(joint) for joint in range(4)] == ["centre", "left", "right", "left"]
    assert Skeleton(("leftover",), (), (0.1,)).side_of(0) == "centre"


def test_limbs_become_zero_based():
    assert skeleton_from_category(CATEGORY).limbs == ((0, 1), (2, 0))
    # COCO's first limb, [16, 14], joins the left ankle (15) and the left knee (13).
    assert COCO_PERSON.limbs[0] == (COCO_PERSON.index("left_ankle"), COCO_PERSON.index("left_knee")) == (15, 13)


@pytest.mark.parametrize("limbs", [None, []])
def test_limbs_may_be_absent(limbs):
    assert skeleton_from_category({"keypoints": ["nose"], "skeleton": limbs}).limbs == ()
    assert skeleton_from_category({"keypoints": ["nose"]}).limbs == ()


def test_sigmas_are_published_given_or_default():
    found = skeleton_from_category(CATEGORY, {"left_paw": 0.05})
    assert found.oks_sigmas == (0.026, 0.05, DEFAULT_OKS_SIGMA, DEFAULT_OKS_SIGMA)
    assert found.guessed_sigmas == ("right_paw", "left_fin")


def test_given_sigmas_have_priority_over_the_published_ones():
    assert skeleton_from_category({"keypoints": ["nose"]}, {"nose": 0.5}).oks_sigmas == (0.5,)


def test_coco_skeleton_equals_the_published_one():
    assert COCO_PERSON.oks_sigmas == pytest.approx(Params(iouType="keypoints").kpt_oks_sigmas, rel=1e-12)
    assert (len(COCO_PERSON), len(COCO_PERSON.limbs), COCO_PERSON.guessed_sigmas) == (17, 19, ())


def test_category_id_is_kept():
    assert skeleton_from_category(CATEGORY).category_id == 4
    assert skeleton_from_category({"keypoints": ["nose"]}).category_id == 1


def test_dict_round_trip_through_json():
    found = skeleton_from_category(CATEGORY)
    assert Skeleton.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_unknown_joint_lists_the_known_ones():
    with pytest.raises(DataError, match=r"no joint 'tail'; it has: nose, left_paw"):
        skeleton_from_category(CATEGORY).index("tail")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints": None}, r"a\.json: categories\[0\]\.keypoints: expected a list of joint names, found None"),
        ({"keypoints": []}, r"expected a list of joint names, found \[\]"),
        ({"keypoints": "nose"}, "expected a list of joint names, found 'nose'"),
        ({"keypoints": ["nose", "nose"]}, "nose"),
        ({"skeleton": [[0, 1]]}, r"a\.json: categories\[0\]\.skeleton: expected two joint numbers in 1\.\.4, found \[0, 1\]"),
        ({"skeleton": [[4, 5]]}, r"found \[4, 5\]"),
        ({"skeleton": [[1]]}, r"found \[1\]"),
        ({"skeleton": ["12"]}, "found '12'"),
        ({"skeleton": 5}, "expected a list of pairs, found 5"),
        ({"id": "person"}, r"categories\[0\]\.id: expected a whole number, found 'person'"),
    ],
)
def test_malformed_category_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        skeleton_from_category({**CATEGORY, **changes}, source="a.json")


def test_sigma_for_an_unknown_joint_is_refused():
    with pytest.raises(DataError, match=r"a\.json does not have: tail"):
        skeleton_from_category(CATEGORY, {"tail": 0.1}, source="a.json")


BODY = list(KNOWN_OKS_SIGMAS)


@pytest.mark.parametrize(
    ("joints", "advice"),
    [
        (BODY, {}),
        (["p0", "p1", "light", "tail", "left", "l"], {}),
        (
            [name.replace("right_wrist", "rigth_wrist") for name in BODY],
            {"left_wrist": "there is no right_wrist", "rigth_wrist": "call it right_wrist"},
        ),
        (
            [name.replace("left_knee", "Left_knee") for name in BODY],
            {"Left_knee": "call it left_knee", "right_knee": "there is no left_knee"},
        ),
        (
            ["left_eye", "right_eye", "shoulder_left", "shoulder_right"],
            {"shoulder_left": "call it left_shoulder", "shoulder_right": "call it right_shoulder"},
        ),
        (
            ["left_eye", "right_eye", "LShoulder", "RShoulder"],
            {"LShoulder": "call it left_shoulder", "RShoulder": "call it right_shoulder"},
        ),
        (["L_Eye", "R_Eye", "rightHip", "tail"], {"L_Eye": "call it left_eye", "R_Eye": "call it right_eye",
                                                  "rightHip": "call it right_hip"}),
        (["lear", "rear", "nose"], {"lear": "call it left_ear", "rear": "call it right_ear"}),
        (
            ["left_wrist", "right_wirst"],
            {
                "left_wrist": "there is no right_wrist, or call it left_wirst",
                "right_wirst": "there is no left_wirst, or call it right_wrist",
            },
        ),
    ],
)  # fmt: skip
def test_unpaired_joints_are_reported_with_a_proposed_name(joints, advice):
    assert unpaired_joints(joints) == advice


@pytest.mark.parametrize(
    ("joints", "words"),
    [
        ([name.replace("right_wrist", "rigth_wrist") for name in BODY], "rigth_wrist: call it right_wrist"),
        (["nose", "shoulder_left", "shoulder_right"], "no joint of the skeleton has a partner"),
        (BODY, ""),
    ],
)
def test_flip_with_unpaired_joints_gives_a_warning(joints, words, caplog):
    warn_about_unpaired_joints(skeleton_from_category({"keypoints": joints}), "flip")
    assert words in caplog.text
    assert bool(words) == bool(caplog.records)


@pytest.mark.parametrize(
    ("limbs", "hint"), [([[1, 2], [32, 33]], False), ([[0, 1], [2, 3]], True), ([[1, True]], False), (["12"], False)]
)
def test_invalid_limbs_are_refused_with_a_hint_on_zero_based_numbers(limbs, hint):
    with pytest.raises(DataError, match=r"expected two joint numbers in 1\.\.17, found") as caught:
        skeleton_from_category({"keypoints": BODY, "skeleton": limbs})
    assert ("count from 0" in str(caught.value)) == hint


def test_zero_based_limbs_without_a_0_are_detected():
    right = [[a + 1, b + 1] for a, b in COCO_PERSON.limbs]
    shifted = [[a - 1, b - 1] for a, b in right if min(a, b) > 1]
    assert has_zero_based_limbs(skeleton_from_category({"keypoints": BODY, "skeleton": shifted}))
    assert not has_zero_based_limbs(COCO_PERSON)
    assert not has_zero_based_limbs(skeleton_from_category({"keypoints": ["a", "b", "c"], "skeleton": [[1, 2]]}))
    assert not has_zero_based_limbs(skeleton_from_category({"keypoints": BODY}))
