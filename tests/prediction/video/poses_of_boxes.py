"""Poses without pixels, for tests of trackers."""

import numpy as np
from numpy.typing import NDArray

from posescope.core.skeleton import COCO_PERSON
from posescope.prediction.poses import DetectedPerson, ImageInfo, PersonPose
from posescope.prediction.video.tracker import TrackedPerson

IMAGE = ImageInfo("clip.mp4#0", 0, (480, 640), 0, 0.0)
_PLACES = np.random.default_rng(0).random((len(COCO_PERSON), 2))


def joints_in(box: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """Return joints (17, 2) at the same places of every box."""
    return np.array(box[:2]) + _PLACES * np.array(box[2:])


def person_in(box: tuple[float, float, float, float], score: float = 0.9, track: int | None = None) -> TrackedPerson:
    """Return a person whose joints fill a box."""
    joints, scores = joints_in(box), np.ones(len(COCO_PERSON), np.float32)
    pose = PersonPose(DetectedPerson(IMAGE, box, score), joints, scores, joints.astype(np.float32))
    return TrackedPerson(pose, track)
