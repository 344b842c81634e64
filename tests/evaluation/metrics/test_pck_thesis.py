import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from posescope.core.plugins import ComponentSpec, Options, build
from posescope.evaluation.metrics.pck_thesis import PckThesis, _cells, joint_hits, pck_thesis, pck_thesis_hits

SIZE = (256, 256)  # a cell is 4 px


@pytest.mark.parametrize(
    ("predicted", "target", "correct"),
    [
        ((40.0, 40.0), (52.0, 40.0), True),  # cells 10 and 13: 3 apart
        ((40.0, 40.0), (56.0, 40.0), False),  # cells 10 and 14: 4 apart
        ((40.0, 40.0), (48.0, 48.0), True),  # sqrt(2^2 + 2^2) = 2.83 < 3.2
        ((40.0, 40.0), (52.0, 44.0), True),  # sqrt(3^2 + 1^2) = 3.16 < 3.2
        ((40.0, 40.0), (52.0, 48.0), False),  # sqrt(3^2 + 2^2) = 3.61
        ((42.0, 0.0), (30.0, 0.0), True),  # 10.5 -> 10 and 7.5 -> 8 (ties to the even cell): 2 apart
        ((255.0, 0.0), (240.0, 0.0), True),  # 63.75 -> 64 -> clipped to 63; 60: 3 apart
        ((-90.0, 0.0), (12.0, 0.0), True),  # clipped to 0; 3
    ],
)
def test_cells_by_hand(predicted, target, correct) -> None:
    hits = pck_thesis_hits(np.array([[predicted]]), np.array([[target]]), np.array([[2]], np.uint8), SIZE)
    assert hits.tolist() == [[correct]]


def test_cells_of_a_crop_that_is_not_square_are_squares() -> None:
    # A 128 x 64 px crop (64 px wide): 64 x 32 cells of 2 x 2 px. 6 px are 3 cells, 8 px are 4, in x and in y.
    visibility = np.array([[2, 2, 2, 2]], np.uint8)
    target = np.full((1, 4, 2), 10.0)
    predicted = np.array([[[16.0, 10.0], [18.0, 10.0], [10.0, 16.0], [10.0, 18.0]]])
    assert pck_thesis_hits(predicted, target, visibility, (128, 64)).tolist() == [[True, False, True, False]]
    # Columns are clipped to 31, as by the codec `thesis`: 90 px is cell 31, as 62 px is.
    beyond, edge = np.array([[[90.0, 10.0]]]), np.array([[[62.0, 10.0]]])
    assert pck_thesis_hits(beyond, edge, visibility[:, :1], (128, 64)).all()


def test_metric_compares_the_cells_of_the_codec_thesis() -> None:
    codec = build("codecs", ComponentSpec(name="thesis"), crop_size=(256, 192), joint_count=1)
    rng = np.random.default_rng(0)
    joints = torch.from_numpy(rng.uniform(-3, (195, 259), (200, 1, 2)).astype(np.float32))
    decoded = codec.decode(codec.encode(joints, torch.full((200, 1), 2)).heatmaps).joints
    np.testing.assert_array_equal(_cells(joints.numpy(), (256, 192)), _cells(decoded.numpy(), (256, 192)))
    np.testing.assert_array_equal(_cells(decoded.numpy(), (256, 192)), decoded.numpy() / 4)


def test_unlabelled_joints_do_not_count() -> None:
    target = np.array([[[0.0, 0.0], [100.0, 100.0], [np.nan, np.nan]], [[np.nan, np.nan]] * 3])
    visibility = np.array([[2, 1, 0], [0, 0, 0]], np.uint8)
    fractions = pck_thesis(np.zeros((2, 3, 2)), target, visibility, SIZE)
    np.testing.assert_array_equal(fractions, [0.5, np.nan])  # one of two labelled joints; none labelled


def test_missing_prediction_is_wrong() -> None:
    fractions = pck_thesis(np.full((1, 1, 2), np.nan), np.zeros((1, 1, 2)), np.array([[2]], np.uint8), SIZE)
    assert fractions.tolist() == [0.0]


def test_without_persons_the_result_is_empty() -> None:
    assert pck_thesis(np.empty((0, 3, 2)), np.empty((0, 3, 2)), np.empty((0, 3), np.uint8), SIZE).shape == (0,)


def test_component_averages_over_persons_not_joints(make_scored) -> None:
    truth = [[[0, 0], [0, 0], [0, 0], [0, 0]], [[0, 0], [np.nan] * 2, [np.nan] * 2, [np.nan] * 2]]
    predicted = [[[0, 0], [99, 0], [99, 0], [99, 0]], [[0, 0]] * 4]
    scored = make_scored(predicted, truth, [[2, 1, 1, 1], [2, 0, 0, 0]])
    found = PckThesis(Options())(scored)
    assert found.metric_values["pck_thesis"] == pytest.approx((0.25 + 1.0) / 2)  # over joints it would be 2 / 5
    assert found.metric_values["pck_thesis_visible"] == 1.0
    np.testing.assert_array_equal(found.per_person["pck_thesis"], [0.25, 1.0])
    np.testing.assert_array_equal(found.per_joint["pck_thesis"], [1.0, 0.0, 0.0, 0.0])


def test_component_measures_in_the_crop(make_scored) -> None:
    # The crop shows the image at double size: 8 image px are 16 crop px are 4 cells, too far.
    double = np.array([[[2.0, 0.0, 0.5], [0.0, 2.0, 0.5]]])
    scored = make_scored([[[18, 10]]], [[[10, 10]]], [[2]], crop_from_image=double)
    assert PckThesis(Options())(scored).metric_values["pck_thesis"] == 0.0


def test_missed_person_is_wrong_and_a_person_without_crop_does_not_count(make_scored) -> None:
    missing, no_crop = [[np.nan, np.nan]], np.full((2, 3), np.nan)
    crops = np.stack([np.eye(2, 3), no_crop, no_crop])
    scored = make_scored([[[0, 0]], missing, [[0, 0]]], [[[0, 0]]] * 3, [[2]] * 3, crop_from_image=crops)
    found = PckThesis(Options())(scored)
    np.testing.assert_array_equal(found.per_person["pck_thesis"], [1, 0, np.nan])
    assert (found.metric_values["pck_thesis"], found.metric_values["pck_thesis_visible"]) == (0.5, 0.5)


def test_joint_hits_are_those_of_the_component(make_scored) -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 255, (30, 3, 2))
    scored = make_scored(truth + rng.normal(0, 9, truth.shape), truth, rng.integers(0, 3, (30, 3)))
    expected = PckThesis(Options())(scored).per_person["pck_thesis"]
    hits = joint_hits(scored)
    np.testing.assert_array_equal(np.isnan(hits), ~scored.labelled)
    known = scored.labelled.any(axis=1)
    assert np.nanmean(hits[known], axis=1) == pytest.approx(expected[known])


def test_joint_hits_are_unknown_without_a_crop(make_scored) -> None:
    maps = np.tile(np.eye(2, 3), (2, 1, 1))
    maps[1] = np.nan
    scored = make_scored(np.zeros((2, 1, 2)), np.zeros((2, 1, 2)), [[2], [2]], crop_from_image=maps)
    np.testing.assert_array_equal(joint_hits(scored), [[1], [np.nan]])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_persons_does_not_matter(seed) -> None:
    rng = np.random.default_rng(seed)
    predicted, target = rng.uniform(0, 256, (2, 6, 4, 2))
    target = predicted + rng.normal(0, 10, target.shape)
    visibility = rng.integers(0, 3, (6, 4)).astype(np.uint8)
    order = rng.permutation(6)
    whole = pck_thesis(predicted, target, visibility, SIZE)
    np.testing.assert_array_equal(pck_thesis(predicted[order], target[order], visibility[order], SIZE), whole[order])
