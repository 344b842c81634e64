"""COCO annotation records of the persons in a scene.

keypoints     (x, y, v) of each joint: pixel indices; v = 0 unlabelled (0, 0, 0), 1 occluded, 2 visible
bbox          [x, y, width, height] of the visible mask; pixel i spans [i, i + 1]
segmentation  polygons in the same frame; for a crowd, run lengths along the columns
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from posescope.core.skeleton import COCO_PERSON
from posescope.sample.scene_rendering import Scene, ScenePerson
from posescope.sample.solids import Bools, Ints

__all__ = ["CATEGORY", "PERSON_CATEGORY_ID", "annotate_scene", "label_joints", "outline", "run_lengths"]

PERSON_CATEGORY_ID = 1
CATEGORY: Mapping[str, Any] = {
    "supercategory": "person",
    "id": PERSON_CATEGORY_ID,
    "name": "person",
    "keypoints": list(COCO_PERSON.joints),
    "skeleton": [[a + 1, b + 1] for a, b in COCO_PERSON.limbs],
}
# Probabilities of a missing label: of a joint, of an occluded joint of the face, of a whole body region.
_SKIPS, _SKIPS_OCCLUDED_FACE, _SKIPS_REGION = 0.02, 0.5, 0.05
_FACE, _ARMS, _LEGS = (
    np.array([any(part in joint for part in parts) for joint in COCO_PERSON.joints])
    for parts in (("nose", "eye", "ear"), ("elbow", "wrist"), ("knee", "ankle"))
)
_REGIONS = (_FACE, _LEGS, _ARMS)
# Persons with fewer visible pixels are not annotated.
_LEAST_AREA = 24


def annotate_scene(scene: Scene, seed: int) -> list[dict[str, Any]]:
    """Return the records of a scene, without `id` and `image_id`; persons that are not visible have none.

    Args:
        scene: The rendered scene.
        seed: Seed of the missing labels.
    """
    rng = np.random.default_rng(seed)
    seen = [p for p in scene.persons if p.role != "crowd" and int(p.mask.sum()) >= _LEAST_AREA]
    records = [_person_record(person, int(rng.integers(1 << 31))) for person in seen]
    crowd = [person.mask for person in scene.persons if person.role == "crowd"]
    if crowd and np.any(crowd):
        records.append(_crowd_record(np.any(crowd, axis=0)))
    return records


def label_joints(person: ScenePerson, seed: int) -> Ints:
    """Return the keypoints of a person, (K, 3) int64: x, y, v; 0, 0, 0 outside the image and for missing labels.

    Args:
        person: the rendered person.
        seed: seed of the missing labels.
    """
    keypoints = np.zeros((len(COCO_PERSON), 3), np.int64)
    if person.role != "person":
        return keypoints
    rng = np.random.default_rng(seed)
    height, width = person.mask.shape
    places = np.round(person.joints).astype(np.int64)
    inside = (places >= 0).all(axis=1) & (places < (width, height)).all(axis=1)
    skipped = (rng.random(len(COCO_PERSON)) < _SKIPS) | (
        _FACE & person.occluded & (rng.random(len(COCO_PERSON)) < _SKIPS_OCCLUDED_FACE)
    )
    if rng.random() < _SKIPS_REGION:
        skipped |= _REGIONS[int(rng.integers(len(_REGIONS)))]
    labelled = inside & ~skipped if (inside & ~skipped).any() else inside
    keypoints[labelled, :2] = places[labelled]
    keypoints[labelled, 2] = np.where(person.occluded[labelled], 1, 2)
    return keypoints


def _person_record(person: ScenePerson, seed: int) -> dict[str, Any]:
    details = {"view": person.view, "pose": person.pose, "things": list(person.things)}
    record = _record(person.mask, outline(person.mask), label_joints(person, seed), is_crowd=False)
    return {**record, "posescope": details}


def _crowd_record(mask: Bools) -> dict[str, Any]:
    segmentation = {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": run_lengths(mask)}
    return _record(mask, segmentation, np.zeros((len(COCO_PERSON), 3), np.int64), is_crowd=True)


def _record(mask: Bools, segmentation: Any, keypoints: Ints, is_crowd: bool) -> dict[str, Any]:
    return {
        "category_id": PERSON_CATEGORY_ID,
        "iscrowd": int(is_crowd),
        "bbox": _box(mask),
        "area": float(mask.sum()),
        "segmentation": segmentation,
        "keypoints": [int(number) for number in keypoints.ravel()],
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
    }


def _box(mask: Bools) -> list[float]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [float(columns[0]), float(rows[0]), float(columns[-1] + 1 - columns[0]), float(rows[-1] + 1 - rows[0])]


def outline(mask: Bools) -> list[list[float]]:
    """Return polygons [x0, y0, x1, y1, ...] around a mask (h, w), pixel i spanning [i, i + 1]; holes are filled, as in COCO."""
    left, top, width, height = (int(n) for n in _box(mask))
    piece = np.pad(mask[top : top + height, left : left + width], ((0, 1), (0, 1))).astype(np.uint8)
    # Contours run through the centres of pixels. So the corners of pixels are marked on a grid twice as fine: corner k is marked
    # if the half pixel on either side of it is. The contour of the corners is the edge of the pixels.
    halves = np.repeat(np.repeat(piece, 2, axis=0), 2, axis=1)
    corners = cv2.dilate(halves, np.ones((2, 2), np.uint8), anchor=(1, 1))
    contours, _ = cv2.findContours(corners, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    polygons: list[list[float]] = []
    for contour in sorted(contours, key=cv2.contourArea, reverse=True):
        points = cv2.approxPolyDP(contour, 0.75, True)[:, 0, :]
        polygons.append([float(n) for n in (points / 2 + (left, top)).ravel()])
    return polygons


def run_lengths(mask: Bools) -> list[int]:
    """Return COCO's uncompressed run lengths of a mask (h, w): along the columns, starting with a run of zeros."""
    flat: Sequence[Any] = np.concatenate([[False], mask.ravel(order="F"), [not mask[-1, -1]]])  # type: ignore[assignment]
    changes = np.flatnonzero(np.diff(np.asarray(flat).astype(np.int8)))
    return [int(n) for n in np.diff(np.concatenate([[0], changes]))]
