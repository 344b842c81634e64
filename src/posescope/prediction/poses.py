"""Images, the persons detected in them, and their poses: the records that detectors, engine and outputs exchange.

Boxes and joints are in px of the upright image, in the project's convention: an integer is a pixel's centre, so pixel i spans
[i - 0.5, i + 0.5]. Only `ImagePoses.to_dataframe` and `to_supervision` import pandas and supervision, when they are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posescope.core.extras import translate_missing
from posescope.core.skeleton import Skeleton
from posescope.drawing.skeletons import DRAW_THRESHOLD, draw_skeleton
from posescope.drawing.track_labels import draw_track

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DetectedPerson", "ImageInfo", "ImagePoses", "PersonPose", "image_id_from_name"]

# Longest side of a box: as a multiple of the image's longer side, or in px, whichever is more.
_MAX_BOX_RATIO, _MAX_BOX_PX = 20, 10_000


@dataclass(frozen=True)
class ImageInfo:
    """An image without its pixels.

    Attributes:
        name: path relative to the folder.
        image_id: as in the results.
        size: (height, width) px.
        frame: number of a frame in its video, from 0; None for an image.
        time_s: time at which the frame is shown, from the first one; None for an image.
    """

    name: str
    image_id: int
    size: tuple[int, int]
    frame: int | None = None
    time_s: float | None = None

    @property
    def id_from_name(self) -> int | None:
        """The number in the name, if any; `image_id` differs from it where two images have the same number."""
        return image_id_from_name(self.name)


def image_id_from_name(name: str) -> int | None:
    """Return the number that is an image's name, as in COCO (`000000000139.jpg`); None for other names and for frames."""
    last = PurePosixPath(name)
    stem = last.name.partition(".")[0]
    # 12.mp4#3 is the fourth frame of a video: neither 12 nor 3 is an image's name.
    return int(stem) if stem.isdecimal() and "#" not in last.suffix else None


@dataclass(frozen=True)
class DetectedPerson:
    """The box of one person.

    Attributes:
        image: in which the person is.
        box: (x, y, w, h) px in the project's convention: x, y are the upper left edge.
        score: score of the box, 0..1.
    """

    image: ImageInfo
    box: tuple[float, float, float, float]
    score: float = 1.0

    @property
    def is_in_image(self) -> bool:
        """Whether the box overlaps the image and is not far larger, so that its crop fits into memory."""
        x, y, width, height = self.box
        image_height, image_width = self.image.size
        if max(width, height) > max(_MAX_BOX_RATIO * max(image_height, image_width), _MAX_BOX_PX):
            return False
        return x < image_width - 0.5 and y < image_height - 0.5 and x + width > -0.5 and y + height > -0.5


@dataclass(frozen=True, eq=False)
class PersonPose:
    """The predicted pose of one person, in both coordinate frames.

    Attributes:
        person: image, box and score of the detection.
        joints: (K, 2) float64 image px.
        scores: (K,) float32: the height of the heatmap's peak.
        crop_joints: (K, 2) float32 crop px, as the decoder gave them.
        radii: (K,) float64 image px: the true place of a joint is within this distance with the probability for which the model
            was calibrated (90 % by default); NaN where the joint has no radius. None: the model was not calibrated.
        do_not_trust: (K,) bool: the radius is larger than the limit of the calibration (a tenth of the crop side by default).
            None: the model was not calibrated.
        track_id: the same for one person in all frames of a video, from 1; None: the person has no track.
    """

    person: DetectedPerson
    joints: NDArray[np.float64]
    scores: NDArray[np.float32]
    crop_joints: NDArray[np.float32]
    radii: NDArray[np.float64] | None = None
    do_not_trust: NDArray[np.bool_] | None = None
    track_id: int | None = None

    @property
    def score(self) -> float:
        """Mean joint score times the score of the box, as COCO's evaluation expects it."""
        return float(self.scores.mean()) * self.person.score

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x, y, w, h px as in COCO and in detectors: the image's left and upper edges are 0."""
        x, y, width, height = self.person.box
        return x + 0.5, y + 0.5, width, height


@dataclass(frozen=True)
class ImagePoses:
    """The poses of all persons of one image.

    Attributes:
        image: its name, id and (height, width) px.
        persons: in the order of their boxes; empty if there was no box.
        skeleton: names the K joints.

    Example:
        >>> import numpy as np
        >>> from posescope.core.skeleton import Skeleton
        >>> image = ImageInfo("a.jpg", 7, (60, 80))
        >>> person = DetectedPerson(image, (9.5, 19.5, 30.0, 40.0), score=0.5)
        >>> joints, scores = np.array([[20.25, 30.0], [50.0, 40.5]]), np.array([0.75, 0.25], np.float32)
        >>> skeleton = Skeleton(("left_hand", "right_hand"), ((0, 1),), (0.05, 0.05))
        >>> poses = ImagePoses(image, (PersonPose(person, joints, scores, np.zeros((2, 2), np.float32)),), skeleton)
        >>> poses.joints.shape, poses.boxes.tolist()
        ((1, 2, 2), [[10.0, 20.0, 30.0, 40.0]])
        >>> poses.to_coco()[0]["keypoints"]
        [20.25, 30.0, 0.75, 50.0, 40.5, 0.25]
    """

    image: ImageInfo
    persons: tuple[PersonPose, ...]
    skeleton: Skeleton

    def __len__(self) -> int:
        return len(self.persons)

    @property
    def joints(self) -> NDArray[np.float64]:
        """(n, K, 2) image px."""
        return self._stack([person.joints for person in self.persons], np.float64, 2)

    @property
    def crop_joints(self) -> NDArray[np.float32]:
        """(n, K, 2) px of each person's own crop."""
        return self._stack([person.crop_joints for person in self.persons], np.float32, 2)

    @property
    def scores(self) -> NDArray[np.float32]:
        """(n, K): the height of the heatmaps' peaks."""
        return self._stack([person.scores for person in self.persons], np.float32)

    @property
    def radii(self) -> NDArray[np.float64]:
        """(n, K) image px: radius of each joint; NaN where it has none."""
        none = np.full(len(self.skeleton), np.nan)
        return self._stack([none if person.radii is None else person.radii for person in self.persons], np.float64)

    @property
    def do_not_trust(self) -> NDArray[np.bool_]:
        """(n, K): joints whose radius is too large; False where it is unknown."""
        none = np.zeros(len(self.skeleton), dtype=np.bool_)
        return self._stack([none if person.do_not_trust is None else person.do_not_trust for person in self.persons], np.bool_)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """(n, 4) x, y, w, h px as they were given: the image's left and upper edges are 0."""
        return np.array([person.box for person in self.persons], dtype=np.float64).reshape(-1, 4)

    def to_coco(self) -> list[dict[str, Any]]:
        """Return COCO keypoint results, a record per person.

        Each has image_id, file_name, category_id, keypoints (x, y, score per joint; image px), score, and bbox with COCO's edges.
        Those of a calibrated model also have radii (image px per joint, None where unknown) and do_not_trust (per joint). Those
        of a frame have frame, time_s and track_id (None: no track).
        """
        return [
            {
                "image_id": self.image.image_id,
                "file_name": self.image.name,
                "category_id": self.skeleton.category_id,
                "keypoints": np.column_stack([one.joints.round(3), one.scores.astype(np.float64).round(4)]).ravel().tolist(),
                "score": round(one.score, 6),
                "bbox": [round(value, 3) for value in one.box],
                **_uncertainty_of(one),
                **_place_in_video(self.image, one),
            }
            for one in self.persons
        ]

    def to_dataframe(self) -> pd.DataFrame:
        """Return a table with a row per person and joint.

        Columns: file_name, image_id, person (0-based), joint (its name), x, y (image px), crop_x, crop_y (crop px), score,
        person_score, radius (image px, NaN where unknown), do_not_trust.
        """
        import pandas as pd  # noqa: PLC0415

        count, names = len(self.persons), self.skeleton.joints
        joints, crop_joints = self.joints.reshape(-1, 2), self.crop_joints.reshape(-1, 2)
        return pd.DataFrame(
            {
                "file_name": self.image.name,
                "image_id": self.image.image_id,
                "person": np.repeat(np.arange(count), len(names)),
                "joint": np.tile(np.array(names, dtype=object), count),
                "x": joints[:, 0],
                "y": joints[:, 1],
                "crop_x": crop_joints[:, 0],
                "crop_y": crop_joints[:, 1],
                "score": self.scores.ravel(),
                "person_score": np.repeat([person.score for person in self.persons], len(names)),
                "radius": self.radii.ravel(),
                "do_not_trust": self.do_not_trust.ravel(),
            }
        )

    def to_supervision(self) -> Any:
        """Return `supervision.KeyPoints` (0.30 or newer): xy (n, K, 2), scores of joints and persons as confidences, class 0.

        Raises:
            OptionsError: if supervision is not installed.
        """
        with translate_missing("to_supervision"):
            import supervision  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
        return supervision.KeyPoints(
            xy=self.joints.astype(np.float32),
            class_id=np.zeros(len(self), dtype=int),
            keypoint_confidence=self.scores,
            detection_confidence=np.array([person.score for person in self.persons], dtype=np.float32),
        )

    def draw(self, image: NDArray[np.uint8], min_score: float = DRAW_THRESHOLD) -> NDArray[np.uint8]:
        """Draw the skeletons of all persons on a copy of the image, and the boxes and numbers of those with a track.

        Args:
            image: (H, W, 3) uint8 RGB.
            min_score: joints with a lower score are not drawn.
        """
        canvas = image.copy()
        for person in self.persons:
            if person.track_id is not None:
                draw_track(canvas, person.person.box, person.track_id)
            canvas = draw_skeleton(canvas, person.joints, self.skeleton, scores=person.scores, min_score=min_score)
        return canvas

    def _stack(self, arrays: Sequence[NDArray[Any]], dtype: type[np.generic], *shape: int) -> NDArray[Any]:
        return np.stack(arrays) if arrays else np.empty((0, len(self.skeleton), *shape), dtype=dtype)


def _place_in_video(image: ImageInfo, person: PersonPose) -> dict[str, Any]:
    if image.frame is None or image.time_s is None:
        return {}
    return {"frame": image.frame, "time_s": round(image.time_s, 6), "track_id": person.track_id}


def _uncertainty_of(person: PersonPose) -> dict[str, Any]:
    if person.radii is None or person.do_not_trust is None:
        return {}
    radii = [None if np.isnan(radius) else round(radius, 3) for radius in person.radii.tolist()]
    return {"radii": radii, "do_not_trust": person.do_not_trust.tolist()}
