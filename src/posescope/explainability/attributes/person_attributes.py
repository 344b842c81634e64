"""Attributes measured per person, from which components and clusters are described.

Pose attributes come from the annotated joints. Lengths are in torsos (midpoint of the shoulders to midpoint of the hips), so
they do not depend on the size of the person in the image; y points down. An attribute is NaN where a joint that it needs is not
labelled or not in the skeleton.

    standing         height of the hips above the ankles: 1.5 upright, 0.7 on a chair, 0 lying, below 0 upside down
    torso_tilt       angle between torso and vertical, 0..180 degrees: 0 upright, 90 lying or bent over
    hip_angle        shoulder - hip - knee, 180 degrees: straight
    knee_angle       hip - knee - ankle, 180 degrees: straight
    arms_raised      height of the wrists above the shoulders
    elbow_angle      shoulder - elbow - wrist, 180 degrees: straight
    facing           left shoulder minus right one, across the torso: above 0 from the front, below 0 from behind, 0 in profile
    looking_right    nose minus midpoint of the shoulders, across the torso
    reach            mean distance of wrists and ankles from the centre of the torso
    legs_apart       distance between the ankles
    legs_labelled    fraction of knees and ankles that are labelled
    neighbour_offset mean offset in x of other persons, in sides of the person's box; only of those less than one side away

Image attributes come from the pixels of the crop; a component that correlates with brightness does not describe the pose.

    brightness       mean of all pixels and channels, 0 black, 1 white
    contrast         standard deviation of the grey values, 0..0.5
    detail           mean absolute difference of grey values between horizontal neighbours, 0..1

"Across the torso" is the direction perpendicular to the line from hips to shoulders: x for an upright person, -x for one upside
down. Without it, a person upside down would seem to be turned round.

        upright    u up,    across to the right          u: from the hips to the shoulders
        head down  u down,  across to the left           across = u turned by 90 degrees clockwise on the screen

The 2D projection shortens limbs that point at the camera: the thighs of a seated person seen from the front are short, not bent.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from posescope.core.skeleton import Skeleton
from posescope.core.tables import joints_of
from posescope.data.crops.crop_set import CropSet
from posescope.evaluation.error_analysis.strata import count_overlaps, touches_border
from posescope.evaluation.scored_persons import Neighbours, find_neighbours
from posescope.explainability.features.row_blocks import batches_of_rows

__all__ = [
    "ATTRIBUTES",
    "IMAGE_ATTRIBUTES",
    "Attribute",
    "attribute_named",
    "measure_attributes",
    "measure_image_attributes",
    "measure_poses",
]

Floats = NDArray[np.float64]
_MIN_TORSO_PX = 2.0  # a shorter torso points at the camera: no length is measured in it


@dataclass(frozen=True)
class Attribute:
    """One attribute.

    Attributes:
        name: name of the column.
        low, high: descriptions of low and of high values.
        unit: unit of the values.
        known, unknown: descriptions of persons whose value is known and of those whose value is not.
    """

    name: str
    low: str
    high: str
    unit: str
    known: str = ""
    unknown: str = ""

    def words(self, *, is_high: bool, of_unknown: bool = False) -> str:
        """Describe persons with a high or a low value; of_unknown: persons whose value is unknown (high) or known (low)."""
        if of_unknown:
            return (self.unknown or f"{self.name} unknown") if is_high else (self.known or f"{self.name} known")
        return self.high if is_high else self.low


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("standing", "sitting or lying", "standing", "torsos", "hips and ankles labelled", "hips or ankles not labelled"),
    Attribute(
        "torso_tilt", "upright torso", "tilted torso", "degrees", "shoulders and hips labelled", "shoulders or hips not labelled"
    ),
    Attribute("hip_angle", "bent hips", "stretched hips", "degrees", "hips and knees labelled", "hips or knees not labelled"),
    Attribute(
        "knee_angle", "bent knees", "stretched knees", "degrees", "knees and ankles labelled", "knees or ankles not labelled"
    ),
    Attribute("arms_raised", "arms down", "arms raised", "torsos", "torso and wrists labelled", "torso or wrists not labelled"),
    Attribute(
        "elbow_angle", "bent elbows", "stretched elbows", "degrees", "elbows and wrists labelled", "elbows or wrists not labelled"
    ),
    Attribute(
        "facing",
        "seen from behind",
        "seen from the front",
        "torsos",
        "both shoulders and hips labelled",
        "a shoulder or hip not labelled",
    ),
    Attribute("looking_right", "head to the left", "head to the right", "torsos", "nose labelled", "nose not labelled"),
    Attribute("reach", "compact", "stretched out", "torsos", "wrists or ankles labelled", "wrists and ankles not labelled"),
    Attribute("legs_apart", "legs together", "legs apart", "torsos", "both ankles labelled", "an ankle not labelled"),
    Attribute("legs_labelled", "legs out of view", "whole legs in view", "fraction"),
    Attribute(
        "neighbour_offset", "others to the left", "others to the right", "box sides", "others near", "no other person near"
    ),
    Attribute("size", "small in the image", "large in the image", "octaves of px"),
    Attribute("truncated", "inside the image", "cut at the border", "fraction"),
    Attribute("crowding", "no overlap", "others overlap", "persons"),
    Attribute("labelled", "few joints labelled", "many joints labelled", "joints"),
    Attribute("occluded", "few joints occluded", "many joints occluded", "fraction", "joints labelled", "no joint labelled"),
)

IMAGE_ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("brightness", "dark image", "bright image", "0..1"),
    Attribute("contrast", "low contrast", "high contrast", "0..0.5"),
    Attribute("detail", "smooth image", "detailed image", "0..1"),
)


def attribute_named(name: str) -> Attribute:
    """Return the attribute with this name; one that is not built in is described by its name."""
    known = {attribute.name: attribute for attribute in (*ATTRIBUTES, *IMAGE_ATTRIBUTES)}
    return known.get(name, Attribute(name, f"low {name}", f"high {name}", ""))


def measure_attributes(
    person_ids: NDArray[np.int64], persons: pd.DataFrame, keypoints: pd.DataFrame, skeleton: Skeleton
) -> pd.DataFrame:
    """Measure all attributes but those of the image.

    Args:
        person_ids: (N,) the persons, in the order of the result.
        persons: a `Persons` table of all persons of their images, since others may overlap.
        keypoints: a `Keypoints` table of the same persons, image px.
        skeleton: its joints have COCO's names (`left_hip`).

    Returns:
        A row per person: person_id, and a float64 column per attribute (`ATTRIBUTES`).
    """
    joints = joints_of(keypoints, person_ids)
    body = _Body(joints[..., :2], skeleton)
    labelled = joints[..., 2] > 0
    occluded = np.divide(
        (joints[..., 2] == 1).sum(axis=1), labelled.sum(axis=1), out=_unknown(len(joints)), where=labelled.any(axis=1)
    )
    rows = persons.set_index("person_id").loc[person_ids]
    boxes = rows[["bbox_x", "bbox_y", "bbox_w", "bbox_h"]].to_numpy(dtype=np.float64)
    neighbours = find_neighbours(person_ids, persons, keypoints)
    columns = {
        **body.measure(),
        "legs_labelled": _legs_labelled(labelled, skeleton),
        "neighbour_offset": _neighbour_offset(boxes, neighbours),
        "size": np.log2(np.maximum(boxes[:, 2:].max(axis=1), 1.0)),
        "truncated": touches_border(boxes, rows[["image_h", "image_w"]].to_numpy(dtype=np.int64)).astype(np.float64),
        "crowding": count_overlaps(boxes, neighbours).astype(np.float64),
        "labelled": labelled.sum(axis=1).astype(np.float64),
        "occluded": occluded,
    }
    return pd.DataFrame({"person_id": person_ids, **{attribute.name: columns[attribute.name] for attribute in ATTRIBUTES}})


def measure_poses(joints: NDArray[np.floating], skeleton: Skeleton) -> pd.DataFrame:
    """Measure the attributes that need no more than joints, for example of decoded skeletons.

    Args:
        joints: (N, K, 2) px of any frame with the same scale in x and y; NaN where missing.
        skeleton: skeleton of K joints.

    Returns:
        A row per skeleton and a float64 column per attribute, `standing` to `legs_apart`; NaN where a joint is missing.
    """
    return pd.DataFrame(_Body(np.asarray(joints, dtype=np.float64), skeleton).measure())


class _Body:
    """Joints (N, K, 2) px by name, and measurements of them."""

    def __init__(self, joints: Floats, skeleton: Skeleton) -> None:
        self.joints, self.skeleton = joints, skeleton
        torso = self.middle("shoulder") - self.middle("hip")
        length = np.hypot(torso[:, 0], torso[:, 1])
        self.torso = torso
        self.torso_px = np.where(length >= _MIN_TORSO_PX, length, np.nan)

    def joint(self, name: str) -> Floats:
        """(N, 2); NaN where missing or not in the skeleton."""
        if name not in self.skeleton.joints:
            return np.full((len(self.joints), 2), np.nan)
        return self.joints[:, self.skeleton.index(name)]

    def middle(self, part: str) -> Floats:
        """(N, 2) midpoint of the left and the right joint; NaN unless both are known."""
        return (self.joint(f"left_{part}") + self.joint(f"right_{part}")) / 2

    def of_sides(self, measure: Callable[[str], Floats]) -> Floats:
        """Mean over the known sides, (N,)."""
        return _mean_of_known([measure("left"), measure("right")], least=1)

    def angle(self, first: str, corner: str, last: str) -> Floats:
        """Angle at a joint in degrees, 0..180, mean of the sides, (N,)."""

        def of_side(side: str) -> Floats:
            corner_px = self.joint(f"{side}_{corner}")
            one, two = self.joint(f"{side}_{first}") - corner_px, self.joint(f"{side}_{last}") - corner_px
            cross, dot = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0], (one * two).sum(axis=1)
            return np.asarray(np.degrees(np.arctan2(np.abs(cross), dot)))

        return self.of_sides(of_side)

    def rise(self, low: str, high: str) -> Floats:
        """Height of `high` above `low` in torsos, mean of the sides, (N,)."""
        offset = self.of_sides(lambda side: self.joint(f"{side}_{low}")[:, 1] - self.joint(f"{side}_{high}")[:, 1])
        return np.asarray(offset / self.torso_px)

    def across(self, offsets: Floats) -> Floats:
        """Component (N,) of (N, 2) offsets across the torso, in torsos."""
        # The torso points up on the screen (y falls), so (x, y) -> (-y, x) turns it clockwise.
        return np.asarray((offsets[:, 1] * self.torso[:, 0] - offsets[:, 0] * self.torso[:, 1]) / self.torso_px**2)

    def reach(self) -> Floats:
        """Mean distance (N,) of the known wrists and ankles from the torso's centre, in torsos; NaN for fewer than two."""
        middle = (self.middle("shoulder") + self.middle("hip")) / 2
        ends = [self.joint(f"{side}_{part}") - middle for side in ("left", "right") for part in ("wrist", "ankle")]
        return np.asarray(_mean_of_known([np.hypot(end[:, 0], end[:, 1]) for end in ends], least=2) / self.torso_px)

    def measure(self) -> dict[str, Floats]:
        """Return the pose attributes by name, (N,) each."""
        shoulders = self.across(self.joint("left_shoulder") - self.joint("right_shoulder"))
        legs = self.joint("left_ankle") - self.joint("right_ankle")
        return {
            "standing": self.rise("ankle", "hip"),
            "torso_tilt": np.degrees(np.arctan2(np.abs(self.torso[:, 0]), -self.torso[:, 1])) + 0 * self.torso_px,
            "hip_angle": self.angle("shoulder", "hip", "knee"),
            "knee_angle": self.angle("hip", "knee", "ankle"),
            "arms_raised": self.rise("shoulder", "wrist"),
            "elbow_angle": self.angle("shoulder", "elbow", "wrist"),
            "facing": shoulders,
            "looking_right": self.across(self.joint("nose") - self.middle("shoulder")),
            "reach": self.reach(),
            "legs_apart": np.hypot(legs[:, 0], legs[:, 1]) / self.torso_px,
        }


def _mean_of_known(values: list[Floats], least: int) -> Floats:
    """Return the mean over the list, (N,); NaN where fewer than `least` values are known."""
    stacked = np.stack(values)
    known = ~np.isnan(stacked)
    counts = known.sum(axis=0)
    return np.where(counts >= least, np.where(known, stacked, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)


def _legs_labelled(labelled: NDArray[np.bool_], skeleton: Skeleton) -> Floats:
    legs = [index for index, joint in enumerate(skeleton.joints) if joint.endswith(("_knee", "_ankle"))]
    return labelled[:, legs].mean(axis=1) if legs else _unknown(len(labelled))


def _neighbour_offset(boxes: Floats, neighbours: Neighbours) -> Floats:
    """(N,) mean offset in x of the persons near each (N, 4) box; NaN where there is none."""
    own, others = boxes[neighbours.rows], neighbours.boxes
    sides = np.maximum(own[:, 2:].max(axis=1), 1.0)
    offsets = (others[:, 0] + others[:, 2] / 2 - own[:, 0] - own[:, 2] / 2) / sides
    near = np.abs(offsets) < 1
    rows, counts = neighbours.rows[near], np.bincount(neighbours.rows[near], minlength=len(boxes))
    sums = np.bincount(rows, weights=offsets[near], minlength=len(boxes))
    return np.divide(sums, counts, out=_unknown(len(boxes)), where=counts > 0)


def _unknown(count: int) -> Floats:
    return np.full(count, np.nan)


def measure_image_attributes(crops: CropSet, batch_size: int) -> pd.DataFrame:
    """Measure the attributes of the crops as images. Each crop is read once, batch by batch.

    Args:
        crops: crops of N persons.
        batch_size: crops per batch.

    Returns:
        A row per person and a float64 column per attribute (`IMAGE_ATTRIBUTES`).
    """
    parts = []
    for batch in tqdm(batches_of_rows(np.arange(len(crops)), batch_size), desc="image attributes", leave=False):
        images = crops.read_images(batch).astype(np.float32) / 255
        grey = images.mean(axis=3)
        detail = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
        parts.append(np.stack([grey.mean(axis=(1, 2)), grey.std(axis=(1, 2)), detail], axis=1))
    names = [attribute.name for attribute in IMAGE_ATTRIBUTES]
    return pd.DataFrame(np.concatenate([np.empty((0, len(names))), *parts]).astype(np.float64), columns=names)
