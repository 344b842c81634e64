"""Image grids of crops with their annotation and with their target heatmaps."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from posescope.codecs.base import Codec
from posescope.core.plugins import ComponentSpec, build
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import ids_of
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.heatmap_overlays import dim_image, overlay_heatmaps
from posescope.drawing.image_grids import draw_image_grid, resize_to_height
from posescope.drawing.photographs import PhotographMode
from posescope.drawing.rgb_images import PngImage
from posescope.drawing.skeletons import draw_skeleton
from posescope.geometry.affine import apply_affine
from posescope.reporting.result_filter import add_image_origin, origin_of_statistics

__all__ = ["draw_crop_grid", "draw_target_grid"]

_CROPS, _CROP_COLUMNS, _CROP_PX = 40, 8, 160
_MAPS, _MAP_COLUMNS, _MAP_PX, _SEAM_PX = 12, 3, 200, 2
_OPACITY = 0.85


def draw_crop_grid(
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    skeleton: Skeleton,
    statistics: CropStatistics,
    photographs: PhotographMode = "full",
) -> PngImage:
    """Draw annotated crops of the training and validation sets; left is orange, right is blue, occluded joints are rings.

    Args:
        crops: all crops of the data set.
        targets: joints of these crops.
        persons: a `Persons` table with their splits.
        skeleton: joints and limbs.
        statistics: statistics of the data, whose fingerprint is the origin of the image.
        photographs: how photographs are shown.
    """
    chosen = _first_of_each_split(crops, targets, persons, _CROPS)
    captions = [f"person {person}" for person in chosen.targets.person_ids]
    title = "Crops with their annotation (left orange, right blue)"
    annotated = _annotated(chosen, skeleton, _CROP_PX, photographs)
    grid = draw_image_grid(annotated, _CROP_COLUMNS, captions, (_CROP_PX, _CROP_PX), title=title)
    return add_image_origin(grid, origin_of_statistics(statistics), photographs)


def draw_target_grid(
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    skeleton: Skeleton,
    statistics: CropStatistics,
    codec_spec: ComponentSpec,
    photographs: PhotographMode = "full",
) -> PngImage:
    """Draw crops with their annotation and, beside it, with the maximum of their target heatmaps.

    Args:
        crops: all crops of the data set.
        targets: joints of these crops.
        persons: a `Persons` table with their splits.
        skeleton: joints and limbs.
        statistics: statistics of the data, whose fingerprint is the origin of the image.
        codec_spec: codec that encodes the heatmaps.
        photographs: how photographs are shown.
    """
    chosen = _first_of_each_split(crops, targets, persons, _MAPS)
    codec: Codec = build("codecs", codec_spec, crop_size=chosen.crop_size, joint_count=chosen.joint_count)
    encoded = codec.encode(torch.from_numpy(chosen.targets.joints), torch.from_numpy(chosen.targets.visibility))
    images = chosen.read_shown_images(np.arange(len(chosen)), photographs)
    overlaid = [
        overlay_heatmaps(dim_image(resize_to_height(image, _MAP_PX)[0]), maps.numpy(), _OPACITY)
        for image, maps in zip(images, encoded.heatmaps, strict=True)
    ]
    seam = np.full((_MAP_PX, _SEAM_PX, 3), 255, dtype=np.uint8)
    annotated = _annotated(chosen, skeleton, _MAP_PX, photographs)
    pairs = [np.hstack([left, seam, right]) for left, right in zip(annotated, overlaid, strict=True)]
    captions = [f"person {person}" for person in chosen.targets.person_ids]
    title = f"Annotation, and maximum of the target heatmaps (codec '{codec_spec.name}')"
    grid = draw_image_grid(pairs, _MAP_COLUMNS, captions, (_MAP_PX, 2 * _MAP_PX + _SEAM_PX), title=title)
    return add_image_origin(grid, origin_of_statistics(statistics), photographs)


def _annotated(crops: CropSet, skeleton: Skeleton, height_px: int, photographs: PhotographMode) -> list[NDArray[np.uint8]]:
    """Return all crops with their skeletons, resized to a height."""
    drawn = []
    images = crops.read_shown_images(np.arange(len(crops)), photographs)
    for image, joints, visibility in zip(images, crops.targets.joints, crops.targets.visibility, strict=True):
        panel, panel_from_crop = resize_to_height(image, height_px)
        drawn.append(draw_skeleton(panel, apply_affine(panel_from_crop, joints), skeleton, visibility))
    return drawn


def _first_of_each_split(crops: CropStore, targets: PoseTargets, persons: pd.DataFrame, count: int) -> CropSet:
    """Return evenly spaced persons, half of them of the training set, half of the validation set."""
    parts = []
    for split in ("train", "val"):
        ids = ids_of(persons, split)
        parts.append(ids[np.unique(np.linspace(0, len(ids) - 1, min(len(ids), count // 2)).round().astype(int))])
    return crops.select(targets, np.concatenate(parts))
