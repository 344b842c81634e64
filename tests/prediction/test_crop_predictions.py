"""Tests of posescope.prediction.crop_predictions."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from posescope.artifacts.crop_matching import CropMismatchError
from posescope.artifacts.pose_model import PoseModel
from posescope.codecs.base import Codec, DecodedJoints, EncodedTargets
from posescope.core.joint_matching import JointMismatchError
from posescope.core.records import PosePredictions, PoseTargets
from posescope.data.crops.crop_set import CropSet
from posescope.geometry.affine import crop_from_image
from posescope.prediction.crop_predictions import CropPredictions, predict_crops, predictions_table
from posescope.prediction.options import PredictionOptions

HANDS = ("left_hand", "right_hand")
SPOTS = np.array([[[10, 20], [40, 50]], [[30, 31], [5, 6]], [[60, 2], [3, 61]]], dtype=np.float32)


def make_crops(joints: np.ndarray, visibility: np.ndarray | None = None) -> CropSet:
    """Black 64 x 64 crops with the left hand red and the right hand green, in one shard."""
    count = len(joints)
    images = np.zeros((count, 64, 64, 3), dtype=np.uint8)
    for person in range(count):
        for hand, (x, y) in enumerate(joints[person].astype(int)):
            images[person, y, x, hand] = 255
    visibility = np.full((count, 2), 2, dtype=np.uint8) if visibility is None else visibility
    labelled = np.where(visibility[..., None] > 0, joints, np.nan).astype(np.float32)
    targets = PoseTargets(np.arange(count, dtype=np.int64) + 100, labelled, visibility, joint_names=HANDS)
    return CropSet(targets, (images,), np.stack([np.zeros(count, np.int64), np.arange(count)], axis=1))


def mean_error(found: CropPredictions) -> float:
    """Return the mean over all heatmaps with a weight."""
    known = found.person_weights > 0
    return float(np.average(found.person_mse[known], weights=found.person_weights[known])) if known.any() else math.nan


def bell_energy(x: float, y: float) -> float:
    """Sum over 64 x 64 cells of the squared Gaussian of sigma 1 at a cell, less what the bright pixel there takes away."""
    cells = np.arange(64)
    bell = np.exp(-0.5 * (cells - x) ** 2)[None] * np.exp(-0.5 * (cells - y) ** 2)[:, None]
    return float((bell**2).sum() - 1.0)  # at the centre the bell is 1 and so is the pixel: nothing is left there


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_spots_are_found_and_the_mse_is_that_of_the_rest_of_the_bell(spots: PoseModel, batch_size: int) -> None:
    result = predict_crops(spots, make_crops(SPOTS), PredictionOptions(batch_size=batch_size, device="cpu"))
    np.testing.assert_array_equal(result.predictions.person_ids, [100, 101, 102])
    np.testing.assert_allclose(result.predictions.joints, SPOTS)
    np.testing.assert_allclose(result.predictions.scores, 1.0)
    expected = sum(bell_energy(x, y) for person in SPOTS for x, y in person) / (3 * 2 * 64 * 64)
    assert mean_error(result) == pytest.approx(expected, rel=1e-5)


class WeightedCodec:
    """A codec whose maps count by the joint's visibility: unlabelled, hidden, visible."""

    def __init__(self, codec: Codec, weights: tuple[float, float, float]) -> None:
        self.weights, self.codec, self.crop_size, self.map_size = torch.tensor(weights), codec, codec.crop_size, codec.map_size

    def encode(self, joints: Tensor, visibility: Tensor) -> EncodedTargets:
        return replace(self.codec.encode(joints, visibility), weights=self.weights[visibility.long()])

    def decode(self, heatmaps: Tensor) -> DecodedJoints:
        return self.codec.decode(heatmaps)


def test_where_all_weights_are_one_an_unlabelled_joint_counts_as_an_empty_map(spots: PoseModel) -> None:
    crops = make_crops(SPOTS[:1], np.array([[2, 0]], dtype=np.uint8))
    model = replace(spots, codec=WeightedCodec(spots.codec, (1, 1, 1)))
    # The right hand's map should be empty and has one pixel of height 1.
    expected = (bell_energy(10, 20) + 1.0) / (2 * 64 * 64)
    assert mean_error(predict_crops(model, crops, PredictionOptions(device="cpu"))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("batch_size", [1, 64])
def test_the_mse_counts_each_map_with_its_weight(spots: PoseModel, batch_size: int) -> None:
    model = replace(spots, codec=WeightedCodec(spots.codec, (0, 1, 3)))
    crops = make_crops(SPOTS, np.array([[2, 0], [1, 2], [0, 0]], dtype=np.uint8))
    result = predict_crops(model, crops, PredictionOptions(device="cpu", batch_size=batch_size))
    energies = 3 * bell_energy(10, 20) + bell_energy(30, 31) + 3 * bell_energy(5, 6)
    assert mean_error(result) == pytest.approx(energies / 7 / (64 * 64), rel=1e-5)
    # Person by person: the first has one map of weight 3, the second maps of weights 1 and 3, the third none that counts.
    second = (bell_energy(30, 31) + 3 * bell_energy(5, 6)) / 4
    np.testing.assert_allclose(result.person_mse * 64 * 64, [bell_energy(10, 20), second, np.nan], rtol=1e-5)
    np.testing.assert_array_equal(result.person_weights, [3, 4, 0])
    nothing = predict_crops(model, crops.subset(np.array([2])), PredictionOptions(device="cpu"))
    assert math.isnan(mean_error(nothing))


def test_crops_of_another_size_are_refused(spots: PoseModel) -> None:
    crops = replace(make_crops(SPOTS), shards=(np.zeros((3, 32, 32, 3), dtype=np.uint8),))
    with pytest.raises(CropMismatchError) as caught:
        predict_crops(spots, crops, PredictionOptions(device="cpu"))
    assert caught.value.differences == ("size: 64 x 64 px for the model, 32 x 32 px here",)


def test_crops_with_other_joints_are_refused(spots: PoseModel) -> None:
    crops = make_crops(SPOTS)
    other = replace(crops, targets=replace(crops.targets, joint_names=("left_hand", "tail")))
    with pytest.raises(JointMismatchError) as caught:
        predict_crops(spots, other, PredictionOptions(device="cpu"))
    assert (caught.value.only_in_model, caught.value.only_in_data) == (("right_hand",), ("tail",))
    nameless = replace(crops, targets=replace(crops.targets, joint_names=()))
    with pytest.raises(JointMismatchError):
        predict_crops(spots, nameless, PredictionOptions(device="cpu"))


def test_joints_of_another_order_come_out_in_the_order_of_the_crops(spots: PoseModel) -> None:
    """The data names the right hand first: the places follow the names, the errors are the same."""
    visibility = np.array([[2, 1], [2, 0], [1, 2]], np.uint8)
    own = make_crops(SPOTS, visibility)
    turned = own.with_joint_order(HANDS[::-1])
    one, two = (predict_crops(spots, crops, PredictionOptions(device="cpu", flip_test=True)) for crops in (own, turned))
    np.testing.assert_array_equal(two.predictions.joints, one.predictions.joints[:, ::-1])
    np.testing.assert_array_equal(two.predictions.scores, one.predictions.scores[:, ::-1])
    np.testing.assert_array_equal(two.person_mse, one.person_mse)
    plain = predict_crops(spots, turned, PredictionOptions(device="cpu"))
    np.testing.assert_array_equal(plain.predictions.joints, SPOTS[:, ::-1])


def test_flip_test_is_the_mean_of_both_passes(spots: PoseModel) -> None:
    result = predict_crops(spots, make_crops(SPOTS[:1]), PredictionOptions(device="cpu", flip_test=True))
    # Both maps are (red + green) / 2; the upper spot is taken of two equal ones.
    np.testing.assert_allclose(result.predictions.joints, [[[10, 20], [10, 20]]])
    np.testing.assert_allclose(result.predictions.scores, 0.5)
    # A map against its bell: at its own spot 0.5 - 1, at the other 0.5 (the bell is 0 there, 42 cells away).
    expected = sum(bell_energy(x, y) + 0.25 + 0.25 for x, y in SPOTS[0]) / (2 * 64 * 64)
    assert mean_error(result) == pytest.approx(expected, rel=1e-5)


def test_no_persons_have_no_predictions_and_no_mse(spots: PoseModel) -> None:
    result = predict_crops(spots, make_crops(SPOTS).subset(np.empty(0, np.int64)), PredictionOptions(device="cpu"))
    assert result.predictions.joints.shape == (0, 2, 2)
    assert result.predictions.scores.shape == (0, 2)
    assert len(result.predictions) == 0
    assert math.isnan(mean_error(result))


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"device": "tpu"}, {"flip": True}])
def test_wrong_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PredictionOptions(**wrong)  # type: ignore[arg-type]


def crop_boxes(person_ids: list[int], squares: list[tuple[int, int, int]]) -> pd.DataFrame:
    left, top, side = (np.array(values) for values in zip(*squares, strict=True))
    matrices = crop_from_image(left, top, side, (64, 64)).reshape(-1, 6)
    frame = pd.DataFrame({"person_id": person_ids, "left": left, "top": top, "side": side})
    return frame.assign(**dict(zip("abcdef", matrices.T, strict=True)))


def test_predictions_are_mapped_to_the_image_by_the_square_of_each_person() -> None:
    boxes = crop_boxes([3, 1, 2], [(100, 50, 128), (0, 0, 64), (-10, 5, 32)])
    predictions = PosePredictions(
        np.array([1, 2, 3], dtype=np.int64),
        np.array([[[5, 6]], [[0, 63]], [[-0.5, 31.5]]], dtype=np.float32),
        np.array([[0.1], [0.2], [0.3]], dtype=np.float32),
    )
    table = predictions_table(predictions, boxes)
    # 1: same scale. 2: half as large: 0 -> -10 - 0.5 + 0.25, 63 -> 5 - 0.5 + 31.75. 3: twice: the edge stays, 31.5 -> 49.5 + 64.
    np.testing.assert_allclose(table["x"], [5, -10.25, 99.5], atol=1e-5)
    np.testing.assert_allclose(table["y"], [6, 36.25, 113.5], atol=1e-5)
    assert table["person_id"].tolist() == [1, 2, 3]
    assert table["joint"].tolist() == [0, 0, 0]
    np.testing.assert_allclose(table["score"], [0.1, 0.2, 0.3])


def test_no_persons_give_an_empty_table() -> None:
    nobody = PosePredictions(np.empty(0, np.int64), np.empty((0, 2, 2), np.float32), np.empty((0, 2), np.float32))
    assert len(predictions_table(nobody, crop_boxes([1], [(0, 0, 64)]))) == 0
