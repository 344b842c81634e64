"""Run a model over crops once and decode it in four variants: with and without flip test, by arg-max and by its own decoder."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.codecs.base import Codec, find_peaks
from posescope.core.joint_matching import match_joints, reorder_skeleton
from posescope.core.records import PosePredictions
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.bootstrap import ImageResamples
from posescope.evaluation.error_analysis.decoding_effects import FLIPPED_OWN, FLIPPED_PLAIN, OWN, PLAIN, decoding_effect_table
from posescope.evaluation.scored_persons import gather_scored
from posescope.prediction.backends.torch_backend import TorchBackend
from posescope.prediction.crop_predictions import predictions_table
from posescope.prediction.options import PredictionOptions
from posescope.prediction.predictor import Predictor

__all__ = ["decode_argmax", "decode_in_four_variants", "measure_decoding_effects"]

# Far above the background for the softmax of an integral decoder; the places of other decoders do not depend on the height.
_HIGH_PEAK = 1e4


def decode_argmax(codec: Codec, heatmaps: Tensor) -> Tensor:
    """Return the place that the codec assigns to the highest px of each heatmap, without its neighbours.

    The codec decodes two single peaks inside the border, since some decoders move even a single peak at the border. Heatmap px
    are evenly spaced, so these two give the places of all others.

    Args:
        codec: codec of the model.
        heatmaps: (N, K, H, W), H and W at least 4.

    Returns:
        (N, K, 2) crop px.
    """
    height, width = heatmaps.shape[-2:]
    single = heatmaps.new_zeros(2, heatmaps.shape[1], height, width)
    single[0, :, 1, 1] = single[1, :, height - 2, width - 2] = _HIGH_PEAK
    first, last = codec.decode(single).joints[:, 0]
    step = (last - first) / torch.tensor([width - 3, height - 3], device=heatmaps.device)
    peaks = find_peaks(heatmaps)
    places: Tensor = first + (torch.stack([peaks.x, peaks.y], dim=-1) - 1) * step
    return places


def decode_in_four_variants(model: PoseModel, crops: CropSet, options: PredictionOptions) -> dict[str, NDArray[np.float32]]:
    """Run the model over all crops with and without flip test, and decode by arg-max and by its codec.

    Args:
        model: the trained model.
        crops: crops of N persons.
        options: device and batch size; `flip_test` is ignored.

    Returns:
        (N, K, 2) crop px by variant, joints in the order of the crops' targets.
    """
    order = match_joints(model.skeleton.joints, crops.targets.joint_names or model.skeleton.joints)
    crops = match_crops(model, crops)
    model = model.to(resolve_device(options.device))
    shape = (len(crops), crops.joint_count, 2)
    found = {variant: np.empty(shape, dtype=np.float32) for variant in (PLAIN, OWN, FLIPPED_PLAIN, FLIPPED_OWN)}
    predictor = Predictor(model, TorchBackend(model), options.batch_size)
    for rows, images in predictor.read_batches(crops, "decoding in four variants"):
        maps, mirrored = model.heatmap_pair(torch.from_numpy(images))
        for heatmaps, plain, own in ((maps, PLAIN, OWN), ((maps + mirrored) / 2, FLIPPED_PLAIN, FLIPPED_OWN)):
            found[plain][rows] = decode_argmax(model.codec, heatmaps).cpu().numpy()
            found[own][rows] = model.codec.decode(heatmaps).joints.cpu().numpy()
    return {variant: order.to_data_order(joints) for variant, joints in found.items()}


def measure_decoding_effects(
    model: PoseModel,
    crops: CropSet,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    options: PredictionOptions,
    draws: ImageResamples,
) -> pd.DataFrame:
    """Decode N persons in four variants and compare the variants.

    Args:
        model: the trained model.
        crops: crops of the N persons, ascending by person_id.
        persons, keypoints, crop_boxes: tables that hold these persons.
        options: device and batch size.
        draws: bootstrap draws of the images.

    Returns:
        As `decoding_effect_table`.
    """
    decoded = decode_in_four_variants(model, crops, options)
    skeleton = reorder_skeleton(model.skeleton, crops.targets.joint_names or model.skeleton.joints)
    joints = decoded[OWN]
    found = PosePredictions(crops.targets.person_ids, joints, np.ones(joints.shape[:2], np.float32))
    crop_size = crops.crop_size if len(crops) else (1, 1)
    scored = gather_scored(predictions_table(found, crop_boxes), persons, keypoints, crop_boxes, skeleton, crop_size)
    return decoding_effect_table(scored, decoded, draws)
