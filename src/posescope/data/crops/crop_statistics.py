"""Statistics of the finished crops: the mean colour, and the fingerprint of the data."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.records import PoseTargets
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.options import CropOptions
from posescope.geometry.crop_recipe import CropRecipe, read_crop_recipe

__all__ = ["CropStatistics", "check_current", "mean_rgb", "measure_crops"]


@dataclass(frozen=True)
class CropStatistics:
    """Statistics of one run of data engineering.

    Attributes:
        mean_rgb: 0..1, over the valid (not padded) pixels of the training crops.
        crop_size: (height, width) px.
        crop: crop rule and padding.
        data_fingerprint: changes with every crop, joint and split, but not with the division into shards.
        generated: whether the images are those of the generated sample; a model trained on them is not for photographs.
    """

    mean_rgb: tuple[float, float, float]
    crop_size: tuple[int, int]
    crop: CropRecipe
    data_fingerprint: str
    generated: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-like content."""
        return {
            "mean_rgb": list(self.mean_rgb),
            "crop_size": list(self.crop_size),
            "crop": self.crop.model_dump(mode="json"),
            "data_fingerprint": self.data_fingerprint,
            "generated": self.generated,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "CropStatistics":
        """Return the statistics from the content of `to_dict`."""
        red, green, blue = content["mean_rgb"]
        height, width = content["crop_size"]
        return cls(
            (red, green, blue),
            (height, width),
            read_crop_recipe(content),
            content["data_fingerprint"],
            content.get("generated", False),
        )


def measure_crops(
    store: CropStore, persons: pd.DataFrame, targets: PoseTargets, options: CropOptions, generated: bool = False
) -> CropStatistics:
    """Compute the statistics of a finished store.

    Args:
        store: the crops.
        persons: a `Persons` table with the final splits.
        targets: joints in crop px.
        options: options of the crop step.
        generated: whether the images are those of the generated sample.

    Raises:
        DataError: if no training person has a crop.
    """
    train = persons.loc[persons["split"] == "train", "person_id"].to_numpy()
    return CropStatistics(
        mean_rgb=mean_rgb(store, train),
        crop_size=options.crop_size,
        crop=options.recipe,
        data_fingerprint=_fingerprint(store, persons, targets),
        generated=generated,
    )


def check_current(statistics: CropStatistics, store: CropStore, persons: pd.DataFrame, targets: PoseTargets) -> None:
    """Check that the statistics were computed from these crops, splits and joints.

    Args:
        statistics: statistics of an earlier step.
        store: the crops.
        persons: a `Persons` table with the final splits.
        targets: joints in crop px.

    Raises:
        DataError: if they are of another run.
    """
    found = _fingerprint(store, persons, targets)
    if found != statistics.data_fingerprint:
        raise DataError(
            f"{store.root}: expected crops, persons and targets with the fingerprint {statistics.data_fingerprint} of "
            f"crop_statistics.json, found {found}: they are of different runs, one of which was interrupted. "
            "Run the pipeline data_engineering."
        )


def mean_rgb(store: CropStore, person_ids: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return the mean colour, 0..1, over the valid (not padded) pixels of crops.

    Args:
        store: the crops.
        person_ids: (N,) persons whose crops count.

    Raises:
        DataError: if none of the persons has a crop.
    """
    sums, count = np.zeros(3, dtype=np.int64), 0
    for record in store.records():
        wanted = np.isin(np.array(record.person_ids, dtype=np.int64), person_ids)
        sums += np.array(record.rgb_sums, dtype=np.int64).reshape(-1, 3)[wanted].sum(axis=0)
        count += int(np.array(record.pixel_counts, dtype=np.int64)[wanted].sum())
    if count == 0:
        raise DataError("No training person has a crop, so there is no mean colour; see issues.csv for the reasons.")
    red, green, blue = sums / count / 255.0
    return float(red), float(green), float(blue)


def _fingerprint(store: CropStore, persons: pd.DataFrame, targets: PoseTargets) -> str:
    """Return the fingerprint of pixels (by their digests), splits, joints and joint names, by person id."""
    digest = hashlib.sha256()
    crops = (pair for record in store.records() for pair in zip(record.person_ids, record.row_digests, strict=True))
    for person_id, crop in sorted(crops):
        digest.update(f"{person_id}:{crop};".encode())
    for row in persons.sort_values("person_id")[["person_id", "split"]].itertuples(index=False):
        digest.update(f"{row.person_id}:{row.split};".encode())
    weights = () if targets.weights is None else (targets.weights,)
    for array in (targets.person_ids, targets.joints, targets.visibility, *weights):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(";".join(targets.joint_names).encode())
    return digest.hexdigest()[:16]
