import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.cocoeval import COCOeval, Params
from pydantic import ValidationError

from posescope.core.skeleton import COCO_PERSON, Skeleton
from posescope.evaluation.metrics.base import MetricError
from posescope.evaluation.metrics.oks import Oks, OksOptions, person_oks

SIGMAS = COCO_PERSON.oks_sigmas


def random_persons(seed, count=8):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 200, (count, 17, 2))
    predicted = truth + rng.normal(0, 8, truth.shape)
    visibility = rng.integers(0, 3, (count, 17)).astype(np.uint8)
    visibility[:, 0] = 2
    truth[visibility == 0] = np.nan
    return predicted, truth, visibility, rng.uniform(500, 20_000, count)


def test_oks_by_hand() -> None:
    # Two labelled joints, sigma 0.1 and 0.05, area 100: (2 * 0.1)^2 * 100 * 2 = 8, (2 * 0.05)^2 * 100 * 2 = 2.
    predicted = np.array([[[2.0, 0.0], [0.0, 1.0], [50.0, 50.0]]])
    truth = np.array([[[0.0, 0.0], [0.0, 0.0], [np.nan, np.nan]]])
    found = person_oks(predicted, truth, np.array([[2, 1, 0]], np.uint8), np.array([100.0]), (0.1, 0.05, 0.1))
    assert found[0] == pytest.approx((np.exp(-4 / 8) + np.exp(-1 / 2)) / 2)


def test_equals_pycocotools() -> None:
    predicted, truth, visibility, areas = random_persons(0)
    ours = person_oks(predicted, truth, visibility, areas, SIGMAS)
    for row, own in enumerate(ours):
        known = np.nan_to_num(truth[row])
        gt = {"keypoints": np.c_[known, visibility[row]].ravel(), "bbox": [0, 0, 9, 9], "area": areas[row]}
        dt = {"keypoints": np.c_[predicted[row], np.ones(17)].ravel(), "score": 1.0}
        state = SimpleNamespace(params=Params("keypoints"), _gts={(1, 1): [gt]}, _dts={(1, 1): [dt]})
        assert own == pytest.approx(COCOeval.computeOks(state, 1, 1)[0, 0], abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_persons_does_not_matter_and_range(seed) -> None:
    persons = random_persons(seed)
    order = np.random.default_rng(seed).permutation(8)
    whole = person_oks(*persons, SIGMAS)
    np.testing.assert_array_equal(person_oks(*(part[order] for part in persons), SIGMAS), whole[order])
    assert ((whole >= 0) & (whole <= 1)).all()


def test_component_averages_over_persons(make_scored) -> None:
    predicted, truth, visibility, areas = random_persons(1, count=3)
    visibility[2], truth[2] = 0, np.nan
    found = Oks(OksOptions())(make_scored(predicted, truth, visibility, areas=areas))
    per_person = found.per_person["oks"]
    assert np.isnan(per_person[2])
    assert found.metric_values["oks"] == pytest.approx(per_person[:2].mean())
    assert found.per_joint["oks"].shape == (17,)


def test_perfect_prediction_is_one(make_scored) -> None:
    found = Oks(OksOptions(sigmas=(0.1, 0.1)))(make_scored([[[1, 2], [3, 4]]], [[[1, 2], [3, 4]]], [[1, 2]]))
    assert found.metric_values["oks"] == 1.0


def test_number_of_sigmas_must_be_that_of_the_joints(make_scored) -> None:
    with pytest.raises(MetricError, match="sigma"):
        Oks(OksOptions(sigmas=(0.1, 0.1, 0.1)))(make_scored([[[0, 0], [0, 0]]], [[[0, 0], [0, 0]]], [[2, 2]]))


@pytest.mark.parametrize("sigma", [0, -0.1, float("nan"), float("inf")])
def test_sigmas_are_above_zero(sigma) -> None:
    with pytest.raises(ValidationError, match="sigmas"):
        OksOptions(sigmas=(0.1, sigma))


def test_skeletons_own_sigmas_are_the_default(make_scored) -> None:
    scored = make_scored(
        [[[3, 0], [0, 0]]], [[[0, 0], [0, 0]]], [[2, 2]], skeleton=Skeleton(("nose", "left_hand"), (), (0.05, 0.1))
    )
    # d = 3, area 2,500: e = 9 / (2 * 0.05)^2 / 2500 / 2 = 0.18; the other joint is perfect.
    assert Oks(OksOptions())(scored).metric_values["oks"] == pytest.approx((np.exp(-0.18) + 1) / 2)


def test_other_sigmas_give_another_name(make_scored) -> None:
    scored = make_scored(
        [[[3, 0], [0, 0]]], [[[0, 0], [0, 0]]], [[2, 2]], skeleton=Skeleton(("nose", "left_hand"), (), (0.05, 0.1))
    )
    names = [
        next(iter(Oks(OksOptions(sigmas=sigmas))(scored).metric_values)) for sigmas in ((0.05, 0.1), (0.1, 0.1), (0.1, 0.05))
    ]
    assert names[0] == "oks", "the skeleton's own, given explicitly"
    assert all(re.fullmatch("oks_sigmas_[0-9a-f]{6}", name) for name in names[1:])
    assert len(set(names)) == 3
    found = Oks(OksOptions(sigmas=(0.1, 0.1)))(scored)
    assert set(found.metric_values) == set(found.per_person) == set(found.per_joint) == {names[1]}


def test_person_without_prediction_has_oks_0(make_scored) -> None:
    missing = [[np.nan, np.nan]] * 2
    scored = make_scored([missing, [[0, 0]] * 2], [[[0, 0], [0, 0]], [[0, 0], [np.nan] * 2]], [[2, 1], [2, 0]])
    found = Oks(OksOptions())(scored)
    np.testing.assert_array_equal(found.per_person["oks"], [0, 1])
    assert found.metric_values["oks"] == 0.5
