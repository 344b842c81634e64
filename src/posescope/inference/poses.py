"""The poses of everybody in an image, in the forms that other programs read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posescope.drawing.skeletons import DRAW_THRESHOLD, draw_skeleton
from posescope.errors import OptionsError
from posescope.inference.records import ImageInfo, PosedPerson
from posescope.skeleton import Skeleton

if TYPE_CHECKING:  # heavy, or an extra: imported where they are used
    import pandas as pd

__all__ = ["ImagePoses", "pose_results"]


def pose_results(people: Sequence[PosedPerson], skeleton: Skeleton) -> list[dict[str, Any]]:
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
        for posed in people
    ]


@dataclass(frozen=True)
class ImagePoses:
    """Everybody in one image.

    Attributes:
        image: its name, number and (height, width) px.
        people: in the order of their boxes; nobody where there was no box.
        skeleton: names the joints.
    """

    image: ImageInfo
    people: tuple[PosedPerson, ...]
    skeleton: Skeleton

    def __len__(self) -> int:
        return len(self.people)

    @property
    def joints(self) -> NDArray[np.float64]:
        """(n, K, 2) image px; an integer is a pixel's centre."""
        return np.stack([posed.joints for posed in self.people]) if self.people else np.empty((0, len(self.skeleton), 2))

    @property
    def scores(self) -> NDArray[np.float32]:
        """(n, K): the height of the heatmaps' peaks."""
        if not self.people:
            return np.empty((0, len(self.skeleton)), dtype=np.float32)
        return np.stack([posed.scores for posed in self.people])

    @property
    def boxes(self) -> NDArray[np.float64]:
        """(n, 4) x, y, w, h px as they were given: the image's left and upper edges are 0."""
        return np.array([posed.box for posed in self.people], dtype=np.float64).reshape(-1, 4)

    def to_coco(self) -> list[dict[str, Any]]:
        """COCO keypoint results, a record a person."""
        return pose_results(self.people, self.skeleton)

    def to_dataframe(self) -> pd.DataFrame:
        """A row a person and joint: file_name, image_id, person (0-based), joint (its name), x, y, score, person_score."""
        import pandas as pd  # noqa: PLC0415

        count, names = len(self.people), self.skeleton.joints
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
                "person_score": np.repeat([posed.score for posed in self.people], len(names)),
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
        for posed in self.people:
            canvas = draw_skeleton(canvas, posed.joints, self.skeleton, scores=posed.scores, min_score=min_score)
        return canvas.copy() if canvas is image else canvas


def _as_key_points(supervision: Any, poses: ImagePoses) -> Any:
    return supervision.KeyPoints(
        xy=poses.joints.astype(np.float32),
        class_id=np.zeros(len(poses), dtype=int),
        keypoint_confidence=poses.scores,
        detection_confidence=np.array([posed.score for posed in poses.people], dtype=np.float32),
    )
