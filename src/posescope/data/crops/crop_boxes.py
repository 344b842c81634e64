"""Crop boxes: the box of each person by a crop rule, and the joints in crop coordinates."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.joint_matching import joint_names_of
from posescope.core.keypoint_arrays import values_by_joint
from posescope.core.plugins import build
from posescope.core.records import PoseTargets
from posescope.core.tables import CropBoxes, box_sizes_of, crop_boxes_fingerprint, joints_of, matrices_of, weights_of
from posescope.data.coco.person_filters import issues_of
from posescope.data.crops.options import CropOptions
from posescope.geometry.affine import apply_affine, crop_from_image
from posescope.geometry.square_boxes import PersonBoxes, measure_extents

__all__ = ["BoxedPersons", "box_persons", "targets_in_crops"]

# The square rules snap their boxes to whole px after the check that the joints are inside, which moves an edge by less than this.
_SNAPPING_PX = 1.5

_BLOCK_PERSONS = 16_384  # temporary arrays of a million persons would take gigabytes


@dataclass(frozen=True)
class BoxedPersons:
    """The result of a crop rule.

    Attributes:
        persons: the `Persons` table of the accepted persons.
        crop_boxes: their `CropBoxes` table.
        issues: an `Issues` table of the rejected persons, with the reason of the rule.
    """

    persons: pd.DataFrame
    crop_boxes: pd.DataFrame
    issues: pd.DataFrame


def box_persons(persons: pd.DataFrame, keypoints: pd.DataFrame, options: CropOptions) -> BoxedPersons:
    """Compute the crop box of each person; reject persons that the crop rule has no box for.

    Args:
        persons: a `Persons` table.
        keypoints: a `Keypoints` table of these persons, image px.
        options: options of the crop step; they name the rule.

    Raises:
        DataError: if boxes of the rule do not have the aspect ratio of the crops.
    """
    boxes = persons[["bbox_x", "bbox_y", "bbox_w", "bbox_h"]].to_numpy(dtype=np.float64)
    sizes = persons[["image_h", "image_w"]].to_numpy(dtype=np.int64)
    aspect = options.crop_size[1] / options.crop_size[0]
    # Not kept in a variable: the joints of a million persons take 0.4 GB, and the rule needs their extents only.
    extents = measure_extents(boxes, values_by_joint(keypoints, persons["person_id"].to_numpy(), ["x", "y"]), sizes, aspect)
    found: PersonBoxes = build("crop_rules", options.rule_spec)(extents)
    accepted = found.reasons == ""
    return BoxedPersons(
        persons=persons[accepted].reset_index(drop=True),
        crop_boxes=_boxes_table(persons["person_id"].to_numpy()[accepted], found, options),
        issues=issues_of(persons[~accepted], "box", found.reasons[~accepted], detail=f"rule {options.rule}"),
    )


def targets_in_crops(crop_boxes: pd.DataFrame, keypoints: pd.DataFrame) -> PoseTargets:
    """Transform the joints from image px to crop px.

    A joint outside its crop counts as unlabelled. A joint that is less than 1.5 image px outside stays labelled, because a square
    rule snaps its box to whole px after the check that the joints are inside. The rule `top_down` has no such check.

    Args:
        crop_boxes: a `CropBoxes` table of N persons.
        keypoints: a `Keypoints` table that holds them.

    Returns:
        Joints (N, K, 2) float32, NaN where unlabelled or outside, visibility (N, K) uint8, and the weights (N, K) float32 of
        `keypoints`, if it has any, in the order of `crop_boxes`.

    Raises:
        DataError: if a person is not in `keypoints`.
    """
    person_ids = crop_boxes["person_id"].to_numpy()
    values = joints_of(keypoints, person_ids)
    joints = np.empty((*values.shape[:2], 2), dtype=np.float32)
    for start in range(0, len(person_ids), _BLOCK_PERSONS):
        block = slice(start, start + _BLOCK_PERSONS)
        boxes, own = crop_boxes.iloc[block], values[block]
        own[_lies_outside(boxes, own[..., :2])] = (np.nan, np.nan, 0)
        joints[block] = apply_affine(matrices_of(boxes), own[..., :2])
    return PoseTargets(
        person_ids,
        joints,
        values[..., 2].astype(np.uint8),
        squares=crop_boxes_fingerprint(crop_boxes),
        joint_names=joint_names_of(keypoints),
        weights=weights_of(keypoints, person_ids),
    )


def _lies_outside(crop_boxes: pd.DataFrame, joints: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (N, K) which joints (N, K, 2), image px, are outside the crop box by `_SNAPPING_PX` or more; False for NaN."""
    low = crop_boxes[["left", "top"]].to_numpy(dtype=np.float64)[:, None] - 0.5
    high = low + box_sizes_of(crop_boxes)[:, None, ::-1]
    return np.asarray(((joints <= low - _SNAPPING_PX) | (joints >= high + _SNAPPING_PX)).any(axis=-1))


def _boxes_table(person_ids: NDArray[np.int64], boxes: PersonBoxes, options: CropOptions) -> pd.DataFrame:
    accepted = boxes.reasons == ""
    left, top, width, height = (part[accepted] for part in (boxes.left, boxes.top, boxes.width, boxes.height))
    _check_aspect(width, height, options)
    columns = {"person_id": person_ids, "left": left, "top": top, "side": np.maximum(width, height)}
    if options.crop_size[0] != options.crop_size[1]:  # tables of square crops have no such columns
        columns |= {"width": width, "height": height}
    flat = crop_from_image(left, top, width, options.crop_size, height).reshape(-1, 6)
    frame = pd.DataFrame(columns | {name: flat[:, i] for i, name in enumerate("abcdef")})
    return pd.DataFrame(CropBoxes.validate(frame))


def _check_aspect(width: NDArray[np.int64], height: NDArray[np.int64], options: CropOptions) -> None:
    """Refuse boxes (N,) px whose aspect ratio is not that of the crops, except for the rounding of both sides to whole px."""
    crop_height, crop_width = options.crop_size
    wrong = np.flatnonzero(np.abs(width * crop_height - height * crop_width) > (crop_height + crop_width) / 2)
    if wrong.size:
        raise DataError(
            f"Crop rule '{options.rule}': expected boxes of the crops' aspect ratio {crop_width}:{crop_height}, found a box of "
            f"{width[wrong[0]]} x {height[wrong[0]]} px (width x height) and {len(wrong) - 1} more. Let the rule use "
            "`extents.aspect`, or choose another rule or data_engineering.crop.size_px."
        )
