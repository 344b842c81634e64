"""Skeletons from categories: names, limbs, flip pairs, sigmas."""

import json

import pytest
from pycocotools.cocoeval import Params

from posescope.errors import DataError
from posescope.skeleton import COCO_PERSON, DEFAULT_OKS_SIGMA, Skeleton, skeleton_from_category

CATEGORY = {"id": 4, "keypoints": ["nose", "left_paw", "right_paw", "left_fin"], "skeleton": [[1, 2], [3, 1]]}


def test_flip_pairs_follow_from_the_names():
    # left_paw (1) and right_paw (2) change places; the nose and a left fin without a right one stay.
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


def test_sigmas_are_known_given_or_guessed():
    found = skeleton_from_category(CATEGORY, {"left_paw": 0.05})
    assert found.oks_sigmas == (0.026, 0.05, DEFAULT_OKS_SIGMA, DEFAULT_OKS_SIGMA)
    assert found.guessed_sigmas == ("right_paw", "left_fin")


def test_given_sigmas_win_over_the_published_ones():
    assert skeleton_from_category({"keypoints": ["nose"]}, {"nose": 0.5}).oks_sigmas == (0.5,)


def test_coco_is_cocos_own():
    assert COCO_PERSON.oks_sigmas == pytest.approx(Params(iouType="keypoints").kpt_oks_sigmas, rel=1e-12)
    assert (len(COCO_PERSON), len(COCO_PERSON.limbs), COCO_PERSON.guessed_sigmas) == (17, 19, ())


def test_category_id_is_kept():
    assert skeleton_from_category(CATEGORY).category_id == 4
    assert skeleton_from_category({"keypoints": ["nose"]}).category_id == 1


def test_dict_round_trip_through_json():
    found = skeleton_from_category(CATEGORY)
    assert Skeleton.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_an_unknown_joint_is_named_with_those_that_there_are():
    with pytest.raises(DataError, match=r"no joint 'tail'; it has: nose, left_paw"):
        skeleton_from_category(CATEGORY).index("tail")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints": None}, r"a\.json: categories\[0\]\.keypoints: expected a list of joint names, found None"),
        ({"keypoints": []}, r"expected a list of joint names, found \[\]"),
        ({"keypoints": "nose"}, "expected a list of joint names, found 'nose'"),
        ({"keypoints": ["nose", "nose"]}, "names a joint twice: nose"),
        ({"skeleton": [[0, 1]]}, r"a\.json: categories\[0\]\.skeleton: expected two joint numbers in 1\.\.4, found \[0, 1\]"),
        ({"skeleton": [[4, 5]]}, r"found \[4, 5\]"),
        ({"skeleton": [[1]]}, r"found \[1\]"),
        ({"skeleton": ["12"]}, "found '12'"),
        ({"skeleton": 5}, "expected a list of pairs, found 5"),
        ({"id": "person"}, r"categories\[0\]\.id: expected a whole number, found 'person'"),
    ],
)
def test_a_malformed_category_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        skeleton_from_category({**CATEGORY, **changes}, source="a.json")


def test_a_sigma_for_an_unknown_joint_is_refused():
    with pytest.raises(DataError, match=r"a\.json does not have: tail"):
        skeleton_from_category(CATEGORY, {"tail": 0.1}, source="a.json")
