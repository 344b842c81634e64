"""Images, the people found in them, and their poses: what detectors, predictor and outputs hand each other.

Boxes and joints are in our convention: x, y are the upper left edge, pixel i spans [i - 0.5, i + 0.5]; they lie in the upright
picture (see `prediction.image_io.image_folder`). Nothing here needs torch: whoever runs an exported model does not load it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import OptionsError
from posescope.core.skeleton import Skeleton
from posescope.drawing.skeletons import DRAW_THRESHOLD, draw_skeleton

__all__ = ["DetectedPerson", "ImageInfo", "PersonPose", "image_id_from_name", "ImagePoses", "pose_results"]


# A box may be so many times as long as the picture, or so many px.
_LARGEST_BOX, _LARGEST_BOX_PX = 20, 10_000


@dataclass(frozen=True)
class ImageInfo:
    """Attributes: name: relative to the folder; image_id: in the results; size: (height, width) px."""

    name: str
    image_id: int
    size: tuple[int, int]

    @property
    def id_from_name(self) -> int | None:
        """The number that is the image's name; `image_id` may be another, where two images have the same."""
        return image_id_from_name(self.name)


def image_id_from_name(name: str) -> int | None:
    """The number that is an image's name, as COCO does it (`000000000139.jpg`); none for all others, and frames of videos.

    The number of any other image was given by us, and means nothing elsewhere.
    """
    last = PurePosixPath(name)
    stem = last.name.partition(".")[0]
    # 12.mp4#3 is the fourth frame of a video: neither 12 nor 3 is an image's name.
    return int(stem) if stem.isdecimal() and "#" not in last.suffix else None


@dataclass(frozen=True)
class DetectedPerson:
    """Attributes: image: where; box: (x, y, w, h) px, our convention; score: of the box, 0..1."""

    image: ImageInfo
    box: tuple[float, float, float, float]
    score: float = 1.0

    @property
    def is_in_image(self) -> bool:
        """Whether the box and the picture have a part in common, and the box is not many times as large."""
        x, y, width, height = self.box
        image_height, image_width = self.image.size
        if max(width, height) > max(_LARGEST_BOX * max(image_height, image_width), _LARGEST_BOX_PX):  # no memory holds its square
            return False
        return x < image_width - 0.5 and y < image_height - 0.5 and x + width > -0.5 and y + height > -0.5


@dataclass(frozen=True)
class PersonPose:
    """A person whose pose was found.

    Attributes:
        person: image, box and score of the detection.
        joints: (K, 2) float64 image px.
        scores: (K,) float32: the height of the heatmaps' peaks.
    """

    person: DetectedPerson
    joints: NDArray[np.float64]
    scores: NDArray[np.float32]

    @property
    def score(self) -> float:
        """Mean joint score times the score of the box, as COCO's evaluation is fed."""
        return float(self.scores.mean()) * self.person.score

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x, y, w, h px as COCO and detectors have it: the image's left and upper edges are 0."""
        x, y, width, height = self.person.box
        return x + 0.5, y + 0.5, width, height


# MERGED from poses: The poses of everybody in an image, in the forms that other programs read.

if TYPE_CHECKING:  # heavy, or an extra: imported where they are used
    import pandas as pd


def pose_results(persons: Sequence[PersonPose], skeleton: Skeleton) -> list[dict[str, Any]]:
    """COCO keypoint results: image_id, category_id, file_name, keypoints (x, y, score a joint), score, bbox (COCO's edges)."""
    return [
        {
            "image_id": posed.person.image.image_id,
            "file_name": posed.person.image.name,
            "category_id": skeleton.category_id,
            "keypoints": np.column_stack([posed.joints.round(3), posed.scores.astype(np.float64).round(4)]).ravel().tolist(),
            "score": round(posed.score, 6),
            "bbox": [round(value, 3) for value in posed.box],
        }
        for posed in persons
    ]


@dataclass(frozen=True)
class ImagePoses:
    """Everybody in one image.

    Attributes:
        image: its name, number and (height, width) px.
        persons: in the order of their boxes; nobody where there was no box.
        skeleton: names the joints.
    """

    image: ImageInfo
    persons: tuple[PersonPose, ...]
    skeleton: Skeleton

    def __len__(self) -> int:
        return len(self.persons)

    @property
    def joints(self) -> NDArray[np.float64]:
        """(n, K, 2) image px; an integer is a pixel's centre."""
        return np.stack([posed.joints for posed in self.persons]) if self.persons else np.empty((0, len(self.skeleton), 2))

    @property
    def scores(self) -> NDArray[np.float32]:
        """(n, K): the height of the heatmaps' peaks."""
        if not self.persons:
            return np.empty((0, len(self.skeleton)), dtype=np.float32)
        return np.stack([posed.scores for posed in self.persons])

    @property
    def boxes(self) -> NDArray[np.float64]:
        """(n, 4) x, y, w, h px as they were given: the image's left and upper edges are 0."""
        return np.array([posed.box for posed in self.persons], dtype=np.float64).reshape(-1, 4)

    def to_coco(self) -> list[dict[str, Any]]:
        """COCO keypoint results, a record a person."""
        return pose_results(self.persons, self.skeleton)

    def to_dataframe(self) -> pd.DataFrame:
        """A row a person and joint: file_name, image_id, person (0-based), joint (its name), x, y, score, person_score."""
        import pandas as pd  # noqa: PLC0415

        count, names = len(self.persons), self.skeleton.joints
        joints = self.joints.reshape(-1, 2)
        return pd.DataFrame(
            {
                "file_name": self.image.name,
                "image_id": self.image.image_id,
                "person": np.repeat(np.arange(count), len(names)),
                "joint": np.tile(np.array(names, dtype=object), count),
                "x": joints[:, 0],
                "y": joints[:, 1],
                "score": self.scores.ravel(),
                "person_score": np.repeat([posed.score for posed in self.persons], len(names)),
            }
        )

    def to_supervision(self) -> Any:
        """`supervision.KeyPoints` (0.30 or newer): xy (n, K, 2), the joints' and the persons' scores as confidences, class 0.

        Raises:
            OptionsError: if supervision is not installed.
        """
        try:
            import supervision  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
        except ImportError as error:
            raise OptionsError("to_supervision: supervision is not installed; pip install supervision.") from error
        return _as_key_points(supervision, self)

    def draw(self, image: NDArray[np.uint8], min_score: float = DRAW_THRESHOLD) -> NDArray[np.uint8]:
        """Draw everybody's skeleton on a copy of the image.

        Args:
            image: (H, W, 3) uint8 RGB.
            min_score: joints with a lower score are not drawn.
        """
        canvas = image
        for posed in self.persons:
            canvas = draw_skeleton(canvas, posed.joints, self.skeleton, scores=posed.scores, min_score=min_score)
        return canvas.copy() if canvas is image else canvas


def _as_key_points(supervision: Any, poses: ImagePoses) -> Any:
    return supervision.KeyPoints(
        xy=poses.joints.astype(np.float32),
        class_id=np.zeros(len(poses), dtype=int),
        keypoint_confidence=poses.scores,
        detection_confidence=np.array([posed.score for posed in poses.persons], dtype=np.float32),
    )
