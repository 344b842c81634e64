"""Contact sheets for a first look: crops with their skeletons, and the heatmaps that a network is to learn."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from posescope.codecs.base import Codec
from posescope.crops.crop_set import CropSet
from posescope.crops.store import CropStore
from posescope.drawing.heatmaps import overlay_heatmaps
from posescope.drawing.sheets import contact_sheet
from posescope.drawing.skeletons import draw_skeleton
from posescope.plugins import ComponentSpec, build
from posescope.records import PoseTargets
from posescope.skeleton import Skeleton
from posescope.tables import ids_of

__all__ = ["picture_crops", "picture_targets"]

_COLUMNS = 8
_CROPS, _MAPS = 40, 16


def picture_crops(crops: CropStore, targets: PoseTargets, persons: pd.DataFrame, skeleton: Skeleton) -> NDArray[np.uint8]:
    """Training and validation crops in turn with their annotation; left orange, right blue, hidden joints hollow.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    chosen = _first_of_each_split(crops, targets, persons, _CROPS)
    images = chosen.read_images(np.arange(len(chosen)))
    drawn = [
        draw_skeleton(image, joints, skeleton, visibility)
        for image, joints, visibility in zip(images, chosen.targets.joints, chosen.targets.visibility, strict=True)
    ]
    captions = [f"person {person}" for person in chosen.targets.person_ids]
    return contact_sheet(drawn, _COLUMNS, captions, title="Crops with their annotation (left orange, right blue)")


def picture_targets(
    crops: CropStore, targets: PoseTargets, persons: pd.DataFrame, codec_spec: ComponentSpec
) -> NDArray[np.uint8]:
    """All target heatmaps of a person fused over the crop, for some persons.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    chosen = _first_of_each_split(crops, targets, persons, _MAPS)
    codec: Codec = build("codecs", codec_spec, crop_size=chosen.crop_size, joint_count=chosen.joint_count)
    encoded = codec.encode(torch.from_numpy(chosen.targets.joints), torch.from_numpy(chosen.targets.visibility))
    images = chosen.read_images(np.arange(len(chosen)))
    drawn = [overlay_heatmaps(image, maps.numpy(), 0.75) for image, maps in zip(images, encoded.heatmaps, strict=True)]
    captions = [f"person {person}" for person in chosen.targets.person_ids]
    return contact_sheet(drawn, _COLUMNS, captions, title=f"Target heatmaps of the codec '{codec_spec.name}'")


def _first_of_each_split(crops: CropStore, targets: PoseTargets, persons: pd.DataFrame, count: int) -> CropSet:
    """Evenly spread persons, half of them of the training, half of the validation set."""
    parts = []
    for split in ("train", "val"):
        ids = ids_of(persons, split)
        parts.append(ids[np.unique(np.linspace(0, len(ids) - 1, min(len(ids), count // 2)).round().astype(int))])
    return crops.select(targets, np.concatenate(parts))
