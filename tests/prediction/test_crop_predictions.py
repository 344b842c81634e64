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
    """Return black 64 x 64 crops with a red left hand and a green right hand, in one shard."""
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


def gaussian_energy(x: float, y: float) -> float:
    """Return the sum over 64 x 64 px of the squared difference of a Gaussian of sigma 1 and its centre pixel."""
    positions = np.arange(64)
    gaussian = np.exp(-0.5 * (positions - x) ** 2)[None] * np.exp(-0.5 * (positions - y) ** 2)[:, None]
    return float((gaussian**2).sum() - 1.0)  # both are 1 at the centre, where the difference is 0


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_spots_are_found_and_the_mse_is_that_of_the_gaussian_without_its_centre(spots: PoseModel, batch_size: int) -> None:
    result = predict_crops(spots, make_crops(SPOTS), PredictionOptions(batch_size=batch_size, device="cpu"))
    np.testing.assert_array_equal(result.predictions.person_ids, [100, 101, 102])
    np.testing.assert_allclose(result.predictions.joints, SPOTS)
    np.testing.assert_allclose(result.predictions.scores, 1.0)
    expected = sum(gaussian_energy(x, y) for person in SPOTS for x, y in person) / (3 * 2 * 64 * 64)
    assert mean_error(result) == pytest.approx(expected, rel=1e-5)


class WeightedCodec:
    """Codec whose heatmap weights depend on visibility: unlabelled, occluded, visible."""

    def __init__(self, codec: Codec, weights: tuple[float, float, float]) -> None:
        self.weights, self.codec, self.crop_size, self.map_size = torch.tensor(weights), codec, codec.crop_size, codec.map_size

    def encode(self, joints: Tensor, visibility: Tensor) -> EncodedTargets:
        return replace(self.codec.encode(joints, visibility), weights=self.weights[visibility.long()])

    def decode(self, heatmaps: Tensor) -> DecodedJoints:
        return self.codec.decode(heatmaps)


def test_unlabelled_joint_with_weight_one_has_an_empty_target(spots: PoseModel) -> None:
    crops = make_crops(SPOTS[:1], np.array([[2, 0]], dtype=np.uint8))
    model = replace(spots, codec=WeightedCodec(spots.codec, (1, 1, 1)))
    # The target of the right hand is empty; its heatmap has one pixel of value 1.
    expected = (gaussian_energy(10, 20) + 1.0) / (2 * 64 * 64)
    assert mean_error(predict_crops(model, crops, PredictionOptions(device="cpu"))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("batch_size", [1, 64])
def test_mse_is_weighted_per_heatmap(spots: PoseModel, batch_size: int) -> None:
    model = replace(spots, codec=WeightedCodec(spots.codec, (0, 1, 3)))
    crops = make_crops(SPOTS, np.array([[2, 0], [1, 2], [0, 0]], dtype=np.uint8))
    result = predict_crops(model, crops, PredictionOptions(device="cpu", batch_size=batch_size))
    energies = 3 * gaussian_energy(10, 20) + gaussian_energy(30, 31) + 3 * gaussian_energy(5, 6)
    assert mean_error(result) == pytest.approx(energies / 7 / (64 * 64), rel=1e-5)
    # Person 1 has one heatmap of weight 3, person 2 heatmaps of weights 1 and 3, person 3 none with a weight.
    second = (gaussian_energy(30, 31) + 3 * gaussian_energy(5, 6)) / 4
    np.testing.assert_allclose(result.person_mse * 64 * 64, [gaussian_energy(10, 20), second, np.nan], rtol=1e-5)
    np.testing.assert_array_equal(result.person_weights, [3, 4, 0])
    unweighted = predict_crops(model, crops.subset(np.array([2])), PredictionOptions(device="cpu"))
    assert math.isnan(mean_error(unweighted))


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
    without_names = replace(crops, targets=replace(crops.targets, joint_names=()))
    with pytest.raises(JointMismatchError):
        predict_crops(spots, without_names, PredictionOptions(device="cpu"))


def test_joints_of_another_order_are_returned_in_the_order_of_the_crops(spots: PoseModel) -> None:
    """The right hand is the first joint of the data; positions follow the names, and the errors are equal."""
    visibility = np.array([[2, 1], [2, 0], [1, 2]], np.uint8)
    own = make_crops(SPOTS, visibility)
    reordered = own.with_joint_order(HANDS[::-1])
    one, two = (predict_crops(spots, crops, PredictionOptions(device="cpu", flip_test=True)) for crops in (own, reordered))
    np.testing.assert_array_equal(two.predictions.joints, one.predictions.joints[:, ::-1])
    np.testing.assert_array_equal(two.predictions.scores, one.predictions.scores[:, ::-1])
    np.testing.assert_array_equal(two.person_mse, one.person_mse)
    plain = predict_crops(spots, reordered, PredictionOptions(device="cpu"))
    np.testing.assert_array_equal(plain.predictions.joints, SPOTS[:, ::-1])


def test_flip_test_is_the_mean_of_both_passes(spots: PoseModel) -> None:
    result = predict_crops(spots, make_crops(SPOTS[:1]), PredictionOptions(device="cpu", flip_test=True))
    # Both heatmaps are (red + green) / 2; the upper one of two equal maxima is selected.
    np.testing.assert_allclose(result.predictions.joints, [[[10, 20], [10, 20]]])
    np.testing.assert_allclose(result.predictions.scores, 0.5)
    # Differences from the target: 0.5 - 1 at the own spot and 0.5 at the other spot, 42 px away, where the target is 0.
    expected = sum(gaussian_energy(x, y) + 0.25 + 0.25 for x, y in SPOTS[0]) / (2 * 64 * 64)
    assert mean_error(result) == pytest.approx(expected, rel=1e-5)


def test_no_persons_have_no_predictions_and_no_mse(spots: PoseModel) -> None:
    result = predict_crops(spots, make_crops(SPOTS).subset(np.empty(0, np.int64)), PredictionOptions(device="cpu"))
    assert result.predictions.joints.shape == (0, 2, 2)
    assert result.predictions.scores.shape == (0, 2)
    assert len(result.predictions) == 0
    assert math.isnan(mean_error(result))


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"device": "tpu"}, {"flip": True}])
def test_invalid_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PredictionOptions(**options)  # type: ignore[arg-type]


def crop_boxes(person_ids: list[int], squares_px: list[tuple[int, int, int]]) -> pd.DataFrame:
    left, top, side = (np.array(values) for values in zip(*squares_px, strict=True))
    matrices = crop_from_image(left, top, side, (64, 64)).reshape(-1, 6)
    frame = pd.DataFrame({"person_id": person_ids, "left": left, "top": top, "side": side})
    return frame.assign(**dict(zip("abcdef", matrices.T, strict=True)))


def test_predictions_are_mapped_to_the_image_by_the_crop_box_of_each_person() -> None:
    boxes = crop_boxes([3, 1, 2], [(100, 50, 128), (0, 0, 64), (-10, 5, 32)])
    predictions = PosePredictions(
        np.array([1, 2, 3], dtype=np.int64),
        np.array([[[5, 6]], [[0, 63]], [[-0.5, 31.5]]], dtype=np.float32),
        np.array([[0.1], [0.2], [0.3]], dtype=np.float32),
    )
    table = predictions_table(predictions, boxes)
    # Person 1: scale 1. Person 2: 1/2, 0 -> -10 - 0.5 + 0.25, 63 -> 5 - 0.5 + 31.75. Person 3: 2, 31.5 -> 49.5 + 64.
    np.testing.assert_allclose(table["x"], [5, -10.25, 99.5], atol=1e-5)
    np.testing.assert_allclose(table["y"], [6, 36.25, 113.5], atol=1e-5)
    assert table["person_id"].tolist() == [1, 2, 3]
    assert table["joint"].tolist() == [0, 0, 0]
    np.testing.assert_allclose(table["score"], [0.1, 0.2, 0.3])


def test_no_persons_have_an_empty_table() -> None:
    no_persons = PosePredictions(np.empty(0, np.int64), np.empty((0, 2, 2), np.float32), np.empty((0, 2), np.float32))
    assert len(predictions_table(no_persons, crop_boxes([1], [(0, 0, 64)]))) == 0
