"""What sub-pixel decoding and the flip test are worth on this run: the same network, read in four ways.

                     plain arg-max          the codec's own decoder
    no flip test          a                        b               effects, person by person: b - a, d - c (decoding)
    flip test             c                        d                                          c - a, d - b (flip test)

Plain is the place that the codec itself gives the highest cell, without what its neighbours say. Where the codec is plain
(the study's are), the two columns are equal.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from posescope.artifacts.crop_matching import match_crops
from posescope.artifacts.devices import resolve_device
from posescope.artifacts.pose_model import PoseModel
from posescope.codecs.base import Codec, find_peaks
from posescope.core.joint_matching import reorder_skeleton
from posescope.core.records import PosePredictions, ScoredPersons
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.bootstrap import ImageDraws, Interval, draw_images
from posescope.evaluation.metrics.base import mean_over_labelled
from posescope.evaluation.metrics.oks import person_oks
from posescope.evaluation.scored_persons import gather_cases, thesis_hits
from posescope.geometry.affine import apply_affine, invert_affine
from posescope.prediction.crop_predictions import PredictionOptions, predictions_table

__all__ = ["decode_argmax", "decoding_effect_table", "measure_decoding_effects", "decode_in_four_variants"]

PLAIN, OWN, FLIPPED_PLAIN, FLIPPED_OWN = (
    "plain arg-max",
    "own decoder",
    "plain arg-max, flip test",
    "own decoder, flip test",
)
_FLIPPED = (FLIPPED_PLAIN, FLIPPED_OWN)
_EFFECTS = {
    "own decoder instead of plain arg-max": (OWN, PLAIN),
    "own decoder instead of plain arg-max, with flip test": (FLIPPED_OWN, FLIPPED_PLAIN),
    "flip test, with plain arg-max": (FLIPPED_PLAIN, PLAIN),
    "flip test, with own decoder": (FLIPPED_OWN, OWN),
}


def decode_argmax(codec: Codec, heatmaps: Tensor) -> Tensor:
    """(N, K, H, W) -> (N, K, 2) crop px: where the codec puts the highest cell of each map, taken alone.

    The codec is asked for two cells within the border (on the border some decoders move even a lone peak); cells are evenly
    spaced, so these give the place of all others. Maps have at least 4 x 4 cells.
    """
    height, width = heatmaps.shape[-2:]
    alone = heatmaps.new_zeros(2, heatmaps.shape[1], height, width)
    alone[0, :, 1, 1] = alone[1, :, height - 2, width - 2] = 1.0
    first, last = codec.decode(alone).joints[:, 0]
    step = (last - first) / torch.tensor([width - 3, height - 3], device=heatmaps.device)
    peaks = find_peaks(heatmaps)
    places: Tensor = first + (torch.stack([peaks.x, peaks.y], dim=-1) - 1) * step
    return places


def decode_in_four_variants(model: PoseModel, crops: CropSet, options: PredictionOptions) -> dict[str, NDArray[np.float32]]:
    """Run the model over all crops with and without the flip test, and decode plainly and by its codec.

    Args:
        model: the trained model.
        crops: of N persons.
        options: device and batch size; its `flip_test` does not matter.

    Returns:
        (N, K, 2) crop px in the order of the crops' own joints, by the name of the way.
    """
    matched = match_crops(model, crops)
    crops = matched.crops
    model = model.to(resolve_device(options.device))
    shape = (len(crops), crops.joint_count, 2)
    # Filled in place, as in `predict_crops`.
    found = {way: np.empty(shape, dtype=np.float32) for way in (PLAIN, OWN, FLIPPED_PLAIN, FLIPPED_OWN)}
    starts = range(0, len(crops), options.batch_size)
    for start in tqdm(starts, desc="reading in four ways", unit="batch", disable=len(starts) < 2):
        rows = np.arange(start, min(start + options.batch_size, len(crops)))
        images = torch.from_numpy(crops.read_images(rows))
        maps = model.heatmaps(images)
        mirrored = model.mirrored_heatmaps(images)  # with `flip_test=True` the unmirrored crops would be run once more
        for heatmaps, plain, own in ((maps, PLAIN, OWN), ((maps + mirrored) / 2, FLIPPED_PLAIN, FLIPPED_OWN)):
            found[plain][rows] = decode_argmax(model.codec, heatmaps).cpu().numpy()
            found[own][rows] = model.codec.decode(heatmaps).joints.cpu().numpy()
    return {way: matched.joints.to_data_order(joints) for way, joints in found.items()}


def decoding_effect_table(scored: ScoredPersons, readings: Mapping[str, NDArray[np.float32]], draws: ImageDraws) -> pd.DataFrame:
    """Figures of the four ways, and their differences person by person.

    Args:
        scored: the same N persons, in the same order.
        readings: as from `decode_in_four_variants`.
        draws: of the images.

    Returns:
        A row a way (`row` is "way") and a row an effect ("effect": pck_thesis and oks are differences then).
        Columns: row, what, persons, flip_test (missing where the effect is its own), pck_thesis and oks, each with its low and
        high.
    """
    persons = int(scored.labelled.any(axis=1).sum())
    values = {way: _person_values(scored, joints) for way, joints in readings.items()}
    rows = [("way", way, persons, way in _FLIPPED, *_ends(draws, scored, both)) for way, both in values.items()]
    for what, (with_it, without) in _EFFECTS.items():
        flipped = {way in _FLIPPED for way in (with_it, without)}
        difference = _ends(draws, scored, values[with_it] - values[without])
        rows.append(("effect", what, persons, flipped.pop() if len(flipped) == 1 else None, *difference))
    figures = ["pck_thesis", "pck_thesis_low", "pck_thesis_high", "oks", "oks_low", "oks_high"]
    return pd.DataFrame(rows, columns=["row", "what", "persons", "flip_test", *figures]).astype({"flip_test": "boolean"})


def measure_decoding_effects(
    model: PoseModel,
    crops: CropSet,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    options: PredictionOptions,
    seed: int,
    resamples: int,
) -> pd.DataFrame:
    """Read N persons in four ways and compare.

    Args:
        model: the trained model.
        crops: of the N persons, by ascending id.
        persons, keypoints, crop_boxes: tables that have them.
        options: device and batch size.
        seed, resamples: of the draws of images.

    Returns:
        As `decoding_effect_table`.
    """
    readings = decode_in_four_variants(model, crops, options)
    skeleton = reorder_skeleton(model.skeleton, crops.targets.joint_names or model.skeleton.joints)
    scored = _beside_the_truth(readings[OWN], crops, persons, keypoints, crop_boxes, skeleton)
    return decoding_effect_table(scored, readings, draw_images(scored.image_ids, seed, resamples))


def _beside_the_truth(
    joints: NDArray[np.float32],
    crops: CropSet,
    persons: pd.DataFrame,
    keypoints: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
) -> ScoredPersons:
    ids = crops.targets.person_ids
    found = PosePredictions(ids, joints, np.ones(joints.shape[:2], np.float32))
    table = predictions_table(found, crop_boxes)
    size = crops.crop_size if len(crops) else (1, 1)
    return gather_cases(table, persons, keypoints, crop_boxes, skeleton, size).scored


def _person_values(scored: ScoredPersons, joints: NDArray[np.float32]) -> NDArray[np.float64]:
    """(2, N): PCK and OKS of joints in crop px."""
    read = replace(scored, predicted=apply_affine(invert_affine(scored.crop_from_image), joints.astype(np.float64)))
    hits = thesis_hits(read)
    oks = person_oks(read.predicted, read.truth, read.visibility, read.areas, read.oks_sigmas)
    return np.stack([mean_over_labelled(hits, ~np.isnan(hits), axis=1), oks])


def _ends(draws: ImageDraws, scored: ScoredPersons, values: NDArray[np.float64]) -> tuple[float, ...]:
    intervals: list[Interval] = [draws.mean_interval(one, scored.image_ids) for one in values]
    return tuple(x for one in intervals for x in (one.estimate, one.low, one.high))
