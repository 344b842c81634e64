"""Average crop of each split: the mean over the valid pixels of all crops, and the mean of the labelled joints.

The mean joints of persons seen from the front and from behind would be a stick, since left and right change sides. So they are
means of the persons with the left joints on the right of the crop, and of those with the left joints on the left.

Crops are read shard by shard, so neither a split nor the data set is in memory.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from tqdm import tqdm

from posescope.core.plugins import Options
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.core.tables import SPLITS, box_sizes_of, ids_of
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.image_grids import draw_image_grid, resize_to_height
from posescope.drawing.photographs import PhotographMode, hide_photographs
from posescope.drawing.rgb_images import PngImage
from posescope.drawing.skeletons import draw_skeleton
from posescope.geometry.affine import apply_affine
from posescope.geometry.valid_region import valid_windows
from posescope.reporting.result_filter import add_image_origin, origin_of_statistics

__all__ = ["AverageCrop", "PreviewOptions", "measure_average_crop", "draw_average_crops"]

_READ_AT_ONCE = 256
_PANEL_PX = 256
_EMPTY_GREY = 128


class PreviewOptions(Options):
    """How many persons the previews of the data use."""

    average_persons: int = Field(2000, ge=1, le=20000, description="maximum number of persons per split whose crops are averaged")
    seed: int = Field(0, ge=0, description="seed of the random choice of persons")


@dataclass(frozen=True, eq=False)
class AverageCrop:
    """Mean of N crops.

    Attributes:
        image: (H, W, 3) uint8 RGB, mean over the crops that are valid at a pixel; mid-grey if none is.
        facing, turned: (K, 2) float64 crop px, mean over the persons with this joint labelled; NaN if there are none. `facing`:
            persons with the left joints on the right of the crop, and all persons of a skeleton without sides; `turned`: the
            others.
        persons, facing_persons, turned_persons: number of crops: all, and those of both means.
    """

    image: NDArray[np.uint8]
    facing: NDArray[np.float64]
    turned: NDArray[np.float64]
    persons: int
    facing_persons: int
    turned_persons: int


def measure_average_crop(
    crops: CropSet, windows: NDArray[np.int64], skeleton: Skeleton, label: str = "average crop"
) -> AverageCrop:
    """Return the average of the valid pixels and labelled joints of crops.

    Args:
        crops: crops of N persons.
        windows: (N, 4) valid pixels of each crop: first column, first row, end column, end row.
        skeleton: joints, in the order of the crops.
        label: label of the progress bar.
    """
    height, width = crops.crop_size
    sums, counts = np.zeros((height, width, 3), dtype=np.uint64), np.zeros((height, width, 1), dtype=np.uint64)
    in_store = np.lexsort(crops.locations.T[::-1])  # in the order of the shards
    with tqdm(total=len(crops), desc=label, unit="person") as progress:
        for chunk in np.array_split(in_store, range(_READ_AT_ONCE, len(crops), _READ_AT_ONCE)):
            for image, (left, top, right, bottom) in zip(crops.read_images(chunk), windows[chunk], strict=True):
                real = (slice(top, max(bottom, top)), slice(left, max(right, left)))
                sums[real] += image[real]
                counts[real] += np.uint64(1)
            progress.update(len(chunk))
    mean = np.where(counts > 0, sums / np.maximum(counts, 1), _EMPTY_GREY)
    joints = np.where((crops.targets.visibility > 0)[..., None], crops.targets.joints.astype(np.float64), np.nan)
    sides = _sides(joints, skeleton)
    means = (_mean_joints(joints[sides > 0]), _mean_joints(joints[sides < 0]))
    counts_by_side = (int((sides > 0).sum()), int((sides < 0).sum()))
    return AverageCrop(np.rint(mean).astype(np.uint8), *means, len(crops), *counts_by_side)


def _sides(joints: NDArray[np.float64], skeleton: Skeleton) -> NDArray[np.float64]:
    """Return (N,) the sum of x of left minus right joints: positive if the left ones are on the right; 1 without pairs."""
    pairs = [
        (left, right) for left, right in enumerate(skeleton.flip_indices) if skeleton.side_of(left) == "left" and left != right
    ]
    if not pairs:
        return np.ones(len(joints))
    left, right = np.array(pairs).T
    return np.asarray(np.nansum(joints[:, left, 0] - joints[:, right, 0], axis=1))


def _mean_joints(joints: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(joints)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: the joint is never labelled
        return np.asarray(np.where(known, joints, 0).sum(axis=0) / known.sum(axis=0))


def draw_average_crops(
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    skeleton: Skeleton,
    statistics: CropStatistics,
    crop_boxes: pd.DataFrame,
    options: PreviewOptions,
    photographs: PhotographMode = "full",
) -> PngImage:
    """Draw the average crop of each split (top), and with the mean joints of either side (below).

    Args:
        crops: all crops of the data set.
        targets: joints of these crops.
        persons: a `Persons` table with their splits.
        skeleton: joints and limbs.
        statistics: statistics of the data, whose fingerprint is the origin of the image.
        crop_boxes: a `CropBoxes` table.
        options: number of persons and seed.
        photographs: how photographs are shown; the average of few crops may show a person.
    """
    chosen = crops.select(targets, _sample_persons(crops, persons, options))
    table = persons.merge(crop_boxes, on="person_id").set_index("person_id").loc[chosen.targets.person_ids]
    left, top, height, width = (table[name].to_numpy(dtype=np.int64) for name in ("left", "top", "image_h", "image_w"))
    windows = valid_windows(left, top, box_sizes_of(table), np.stack([height, width], axis=1), chosen.crop_size)
    averages = {}
    for split in SPLITS:
        rows = np.flatnonzero(table["split"] == split)
        if rows.size:
            averages[split] = measure_average_crop(chosen.subset(rows), windows[rows], skeleton, f"average crop, {split}")
    return add_image_origin(_draw_grid(averages, skeleton, photographs), origin_of_statistics(statistics), photographs)


def _sample_persons(crops: CropStore, persons: pd.DataFrame, options: PreviewOptions) -> NDArray[np.int64]:
    present = crops.person_ids()
    generator = np.random.default_rng(options.seed)
    sampled = []
    for split in SPLITS:
        ids = np.intersect1d(ids_of(persons, split), present)
        sampled.append(generator.choice(ids, min(len(ids), options.average_persons), replace=False))
    return np.concatenate(sampled)


def _draw_grid(averages: dict[str, AverageCrop], skeleton: Skeleton, photographs: PhotographMode) -> NDArray[np.uint8]:
    plain, facing, turned = [], [], []
    for average in averages.values():
        image = hide_photographs(average.image[None], average.facing[None], skeleton.joints, photographs)[0]
        plain.append(resize_to_height(image, _PANEL_PX)[0])
        panel, panel_from_crop = resize_to_height(_stretch_contrast(image), _PANEL_PX)
        facing.append(draw_skeleton(panel, apply_affine(panel_from_crop, average.facing), skeleton))
        turned.append(draw_skeleton(panel, apply_affine(panel_from_crop, average.turned), skeleton))
    if not any(average.turned_persons for average in averages.values()):
        turned = []
    captions = [f"{split}: mean of {average.persons:,} crops" for split, average in averages.items()]
    captions += [f"left joints on the right: {average.facing_persons:,}" for average in averages.values()]
    captions += [f"left joints on the left: {average.turned_persons:,}" for average in averages.values()] if turned else []
    title = "Average crop, and mean joints by side (contrast enhanced)"
    return draw_image_grid(plain + facing + turned, len(averages), captions, (_PANEL_PX, _PANEL_PX), title=title)


def _stretch_contrast(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch the central 98 % of the values to the full range, equally in all channels, which keeps the hue."""
    low, high = np.percentile(image, (1, 99))
    stretched = (image - low) * (255 / max(high - low, 1))
    return np.asarray(np.rint(np.clip(stretched, 0, 255)).astype(np.uint8))
