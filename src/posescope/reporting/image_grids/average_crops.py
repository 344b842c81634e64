"""The average crop of each split: what the crop rule makes all persons have in common.

    crops of some persons --(their real pixels only)--> mean image      joints in crop px --> mean of the labelled ones

Crops are read shard by shard, some hundred at a time: neither all of them nor all of a split are ever in memory.
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
from posescope.core.tables import SPLITS, ids_of
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_store import CropStore
from posescope.drawing.image_grids import draw_image_grid, resize_to_height
from posescope.drawing.skeletons import draw_skeleton
from posescope.geometry.affine import apply_affine
from posescope.geometry.valid_region import valid_windows

__all__ = ["AverageCrop", "PreviewOptions", "measure_average_crop", "draw_average_crops"]

_READ_AT_ONCE = 256
_PANEL_PX = 256
_NOBODY_GREY = 128


class PreviewOptions(Options):
    """How much of the data is read for a first look at it."""

    average_persons: int = Field(2000, ge=1, le=20000, description="persons of each split whose crops are averaged, at most")
    seed: int = Field(0, ge=0, description="seed of the draw of these persons")


@dataclass(frozen=True, eq=False)
class AverageCrop:
    """The mean of N crops.

    Attributes:
        image: (H, W, 3) uint8 RGB: the mean over the crops that show the image there; mid-grey where none does.
        joints: (K, 2) float64 crop px: the mean over the persons on whom the joint is labelled; NaN where there are none.
        persons: N.
    """

    image: NDArray[np.uint8]
    joints: NDArray[np.float64]
    persons: int


def measure_average_crop(crops: CropSet, windows: NDArray[np.int64], label: str = "average crop") -> AverageCrop:
    """Average the real pixels and the labelled joints of some crops.

    Args:
        crops: of N persons.
        windows: (N, 4): first column, first row, the column after the last, and the row after the last, of each crop's real
            pixels.
        label: of the progress bar.
    """
    height, width = crops.crop_size
    sums, counts = np.zeros((height, width, 3), dtype=np.uint64), np.zeros((height, width, 1), dtype=np.uint64)
    in_store = np.lexsort(crops.locations.T[::-1])  # shard by shard, from the first row to the last
    with tqdm(total=len(crops), desc=label, unit="person") as progress:
        for chunk in np.array_split(in_store, range(_READ_AT_ONCE, len(crops), _READ_AT_ONCE)):
            for image, (left, top, right, bottom) in zip(crops.read_images(chunk), windows[chunk], strict=True):
                real = (slice(top, max(bottom, top)), slice(left, max(right, left)))
                sums[real] += image[real]
                counts[real] += np.uint64(1)
            progress.update(len(chunk))
    mean = np.where(counts > 0, sums / np.maximum(counts, 1), _NOBODY_GREY)
    labelled = (crops.targets.visibility > 0)[..., None]
    joints = np.where(labelled, crops.targets.joints, 0).sum(axis=0, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: nobody has this joint
        joints = joints / labelled.sum(axis=0)
    return AverageCrop(np.rint(mean).astype(np.uint8), joints, len(crops))


def draw_average_crops(
    crops: CropStore,
    targets: PoseTargets,
    persons: pd.DataFrame,
    crop_boxes: pd.DataFrame,
    skeleton: Skeleton,
    options: PreviewOptions,
) -> NDArray[np.uint8]:
    """The average crop of each split that has anybody, above alone, below with the mean of the labelled joints.

    The persons are drawn at random, seeded, at most so many a split as the options say.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    everybody = crops.select(targets, _draw_persons(crops, persons, options))
    table = persons.merge(crop_boxes, on="person_id").set_index("person_id").loc[everybody.targets.person_ids]
    left, top, side = (table[name].to_numpy(dtype=np.int64) for name in ("left", "top", "side"))
    windows = valid_windows(left, top, side, table[["image_h", "image_w"]].to_numpy(dtype=np.int64), everybody.crop_size)
    averages = {}
    for split in SPLITS:
        rows = np.flatnonzero(table["split"] == split)
        if rows.size:
            averages[split] = measure_average_crop(everybody.subset(rows), windows[rows], f"average crop, {split}")
    return _average_sheet(averages, skeleton)


def _draw_persons(crops: CropStore, persons: pd.DataFrame, options: PreviewOptions) -> NDArray[np.int64]:
    present = crops.person_ids()
    generator = np.random.default_rng(options.seed)
    drawn = []
    for split in SPLITS:
        ids = np.intersect1d(ids_of(persons, split), present)
        drawn.append(generator.choice(ids, min(len(ids), options.average_persons), replace=False))
    return np.concatenate(drawn)


def _average_sheet(averages: dict[str, AverageCrop], skeleton: Skeleton) -> NDArray[np.uint8]:
    plain, drawn = [], []
    for average in averages.values():
        plain.append(resize_to_height(average.image, _PANEL_PX)[0])
        panel, panel_from_crop = resize_to_height(_stretch_contrast(average.image), _PANEL_PX)
        drawn.append(draw_skeleton(panel, apply_affine(panel_from_crop, average.joints), skeleton))
    captions = [f"{split}: mean of {average.persons:,} crops" for split, average in averages.items()]
    captions += ["more contrast, and the mean joints"] * len(drawn)
    title = "The average crop (real pixels only)"
    return draw_image_grid(plain + drawn, len(averages), captions, (_PANEL_PX, _PANEL_PX), title=title)


def _stretch_contrast(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle 98 % of the values over the whole range, all channels alike, so that colours keep their hue."""
    low, high = np.percentile(image, (1, 99))
    stretched = (image - low) * (255 / max(high - low, 1))
    return np.asarray(np.rint(np.clip(stretched, 0, 255)).astype(np.uint8))
