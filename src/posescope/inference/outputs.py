"""What inference leaves behind: COCO results and overlays."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from posescope.drawing.png import write_png
from posescope.drawing.skeletons import draw_skeleton
from posescope.files import atomic_folder
from posescope.inference.images import ImageFolder
from posescope.inference.records import PosedPerson
from posescope.skeleton import Skeleton

__all__ = ["OverlayFolder", "pose_results"]


def pose_results(people: Sequence[PosedPerson], skeleton: Skeleton) -> list[dict[str, Any]]:
    """COCO keypoint results: image_id, category_id, file_name, keypoints (x, y, score a joint), score, bbox (COCO's edges)."""
    return [
        {
            "image_id": posed.person.image.image_id,
            "file_name": posed.person.image.name,
            "category_id": skeleton.category_id,
            "keypoints": np.concatenate([posed.joints.round(3), posed.scores[:, None].round(4)], axis=1).ravel().tolist(),
            "score": round(posed.score, 6),
            "bbox": [round(value, 3) for value in _coco_box(posed)],
        }
        for posed in people
    ]


def _coco_box(posed: PosedPerson) -> tuple[float, float, float, float]:
    x, y, width, height = posed.person.box
    return x + 0.5, y + 0.5, width, height


@dataclass(frozen=True)
class OverlayFolder:
    """Owns the folder of images with the skeletons drawn on them."""

    root: Path

    def is_finished(self) -> bool:
        """True if the folder is there."""
        return self.root.is_dir()

    def draw(self, people: Sequence[PosedPerson], images: ImageFolder, skeleton: Skeleton) -> None:
        """One PNG an image, `<name>.png` (a.jpg.png); people of one image stand together. Overlays of earlier runs go."""
        with atomic_folder(self.root) as folder:
            for image_info, group in groupby(people, key=lambda posed: posed.person.image):
                canvas = images.read(image_info.name)
                for posed in group:
                    canvas = draw_skeleton(canvas, posed.joints, skeleton)
                write_png(folder / f"{image_info.name}.png", canvas)
