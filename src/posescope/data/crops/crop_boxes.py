"""Crop boxes: the square of each person by a crop rule, and the joints in crop coordinates."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from posescope.core.joint_matching import joint_names_of
from posescope.core.plugins import build
from posescope.core.records import PoseTargets
from posescope.core.tables import CropBoxes, crop_boxes_fingerprint, joints_of, matrices_of
from posescope.data.coco.person_filters import issues_of
from posescope.data.crops.options import CropOptions
from posescope.geometry.affine import apply_affine, crop_from_image
from posescope.geometry.square_boxes import SquareBoxes, measure_extents

__all__ = ["BoxedPersons", "box_persons", "targets_in_crops"]


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
    """Compute the square crop box of each person; reject persons that the crop rule has no square for.

    Args:
        persons: a `Persons` table.
        keypoints: a `Keypoints` table of these persons, image px.
        options: options of the crop step; they name the rule.
    """
    joints = joints_of(keypoints, persons["person_id"].to_numpy())[..., :2]
    boxes = persons[["bbox_x", "bbox_y", "bbox_w", "bbox_h"]].to_numpy(dtype=np.float64)
    sizes = persons[["image_h", "image_w"]].to_numpy(dtype=np.int64)
    squares: SquareBoxes = build("crop_rules", options.rule_spec)(measure_extents(boxes, joints, sizes))
    accepted = squares.accepted
    return BoxedPersons(
        persons=persons[accepted].reset_index(drop=True),
        crop_boxes=_boxes_table(persons["person_id"].to_numpy()[accepted], squares, options),
        issues=issues_of(persons[~accepted], "box", squares.reasons[~accepted], detail=f"rule {options.rule}"),
    )


def targets_in_crops(crop_boxes: pd.DataFrame, keypoints: pd.DataFrame) -> PoseTargets:
    """Transform the joints from image px to crop px.

    A joint may lie outside its crop by less than 1.5 image px, because a rule snaps the square to whole px after its check.

    Args:
        crop_boxes: a `CropBoxes` table of N persons.
        keypoints: a `Keypoints` table that holds them.

    Returns:
        Joints (N, K, 2) float32, NaN where unlabelled, and visibility (N, K) uint8, in the order of `crop_boxes`.

    Raises:
        DataError: if a person is not in `keypoints`.
    """
    person_ids = crop_boxes["person_id"].to_numpy()
    values = joints_of(keypoints, person_ids)
    joints = apply_affine(matrices_of(crop_boxes), values[..., :2])
    return PoseTargets(
        person_ids,
        joints.astype(np.float32),
        values[..., 2].astype(np.uint8),
        squares=crop_boxes_fingerprint(crop_boxes),
        joint_names=joint_names_of(keypoints),
    )


def _boxes_table(person_ids: np.ndarray, squares: SquareBoxes, options: CropOptions) -> pd.DataFrame:
    accepted = squares.accepted
    left, top, side = squares.left[accepted], squares.top[accepted], squares.side[accepted]
    flat = crop_from_image(left, top, side, options.crop_size).reshape(-1, 6)
    columns = {"person_id": person_ids, "left": left, "top": top, "side": side}
    frame = pd.DataFrame(columns | {name: flat[:, i] for i, name in enumerate("abcdef")})
    return pd.DataFrame(CropBoxes.validate(frame))
