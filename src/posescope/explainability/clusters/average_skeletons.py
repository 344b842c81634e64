"""Average skeletons of groups, by the side from which the persons are seen: front and back averaged would be a line.

The side comes from the attribute `facing` (signed width of the shoulders, in torsos). Persons in profile that look to the left of
the image are mirrored, so that all of them look to the right.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.drawing.image_grids import draw_image_grid
from posescope.drawing.skeletons import draw_skeleton
from posescope.evaluation.metrics.base import mean_over_labelled
from posescope.explainability.base import StudyPersons
from posescope.geometry.affine import apply_affine, crop_from_image

__all__ = ["SIDES", "average_skeleton", "draw_average_skeletons", "sides_of"]

SIDES = ("front", "side", "back")
_FRONTAL = 0.3  # torsos: narrower shoulders are seen in profile
_LEAST_PERSONS = 5
_LEAST_LABELLED = 0.3  # fraction of the persons with a joint for the joint to be drawn
_GROUND_GREY, _GROUND_PX, _TILE_PX = 225, 256, 170


def sides_of(attributes: pd.DataFrame) -> NDArray[np.str_]:
    """Return (N,) the side from which each person is seen, one of `SIDES`; '' where unknown.

    Args:
        attributes: N rows with the column `facing`, NaN where unknown; without the column all are unknown.
    """
    if "facing" not in attributes:
        return np.full(len(attributes), "", dtype="<U5")
    facing = attributes["facing"].to_numpy(dtype=np.float64)
    conditions = [facing > _FRONTAL, facing < -_FRONTAL, np.abs(facing) <= _FRONTAL]
    return np.select(conditions, ["front", "back", "side"], default="")


def average_skeleton(persons: StudyPersons, rows: NDArray[np.int64], skeleton: Skeleton) -> NDArray[np.float64]:
    """Return the mean annotated joints of persons that are seen from one side.

    Args:
        persons: persons.
        rows: (n,) rows of these persons.
        skeleton: their joints.

    Returns:
        (K, 2) crop px; NaN for a joint that few of them have, and for all joints of fewer than five persons.
    """
    targets = persons.crops.targets
    joints, labelled = targets.joints[rows].astype(np.float64), targets.visibility[rows] > 0
    if len(rows) < _LEAST_PERSONS:
        return np.full(joints.shape[1:], np.nan)
    if "looking_right" in persons.attributes:
        mirrored = persons.attributes["looking_right"].to_numpy(dtype=np.float64)[rows] < 0
        mirrored &= sides_of(persons.attributes)[rows] == "side"
        flipped = joints[:, list(skeleton.flip_indices)] * [-1, 1] + [persons.crops.crop_size[1] - 1, 0]
        joints = np.where(mirrored[:, None, None], flipped, joints)
        labelled = np.where(mirrored[:, None], labelled[:, list(skeleton.flip_indices)], labelled)
    mean = mean_over_labelled(joints, np.broadcast_to(labelled[..., None], joints.shape), axis=0)
    return np.where(labelled.mean(axis=0)[:, None] >= _LEAST_LABELLED, mean, np.nan)


def draw_average_skeletons(
    persons: StudyPersons, labels: NDArray[np.int64], names: list[str], skeleton: Skeleton
) -> NDArray[np.uint8] | None:
    """Draw the average skeletons on grey, a column per group and a row per side.

    Args:
        persons: N persons.
        labels: (N,) group of each, 0..k-1.
        names: names of the k groups.
        skeleton: joints of the model.

    Returns:
        The grid; none if no group has enough annotated persons of a known side.
    """
    sides = sides_of(persons.attributes)
    ground = np.full((_GROUND_PX, _GROUND_PX, 3), _GROUND_GREY, dtype=np.uint8)
    place = crop_from_image(0, 0, max(persons.crops.crop_size), ground.shape[:2])
    images, captions, is_empty = [], [], True
    for side in SIDES:
        for group, name in enumerate(names):
            rows = np.flatnonzero((labels == group) & (sides == side))
            mean = average_skeleton(persons, rows, skeleton)
            is_known = not np.isnan(mean).all()
            is_empty &= not is_known
            images.append(draw_skeleton(ground, apply_affine(place, mean), skeleton) if is_known else np.full_like(ground, 255))
            captions.append(f"{name.split(' (')[0]}, {side}: {len(rows)} persons")
    return None if is_empty else draw_image_grid(images, columns=len(names), captions=captions, tile_size=(_TILE_PX, _TILE_PX))
