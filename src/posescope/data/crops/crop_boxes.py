"""Square boxes for a table of persons, by the crop rule that the options name."""

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
    """Attributes: persons: who stays; crop_boxes: a `CropBoxes` table of them; issues: the others, with the rule's reason."""

    persons: pd.DataFrame
    crop_boxes: pd.DataFrame
    issues: pd.DataFrame


def box_persons(persons: pd.DataFrame, keypoints: pd.DataFrame, options: CropOptions) -> BoxedPersons:
    """Find everybody's square; who gets none goes into the issues."""
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
    """Where the labelled joints are in the crops (crop px).

    A joint may lie outside its crop by less than 1.5 px of the image: squares are snapped to whole px after the rule has seen
    that the joints fit.
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
