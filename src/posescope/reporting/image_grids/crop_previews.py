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
    chosen = _select_persons(crops, targets, persons, _CROPS)
    captions = _captions(chosen, persons)
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
    chosen = _select_persons(crops, targets, persons, _MAPS)
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
    captions = _captions(chosen, persons)
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


def _captions(crops: CropSet, persons: pd.DataFrame) -> list[str]:
    """Return the id of each person and, of several data sets, the name of its own."""
    ids = crops.targets.person_ids
    if "source" not in persons:
        return [f"person {person}" for person in ids]
    sources = persons.set_index("person_id")["source"].reindex(ids)
    return [f"person {person}, {source}" for person, source in zip(ids, sources, strict=True)]


def _select_persons(crops: CropStore, targets: PoseTargets, persons: pd.DataFrame, count: int) -> CropSet:
    """Return evenly spaced persons, half of them of the training set, half of the validation set.

    Of several data sets each gets the same number, at least one person in each split.
    """
    of_source = [persons] if "source" not in persons else [rows for _, rows in persons.groupby("source", sort=False)]
    most = max(count // 2 // len(of_source), 1)
    parts = []
    for split in ("train", "val"):
        for members in of_source:
            ids = ids_of(members, split)
            parts.append(ids[np.unique(np.linspace(0, len(ids) - 1, min(len(ids), most)).round().astype(int))])
    return crops.select(targets, np.concatenate(parts))
