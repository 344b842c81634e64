"""What inference leaves behind: overlays."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from posescope.drawing.png import write_png
from posescope.drawing.skeletons import draw_skeleton
from posescope.files import atomic_folder
from posescope.inference.images import ImageFolder
from posescope.inference.records import PosedPerson
from posescope.skeleton import Skeleton

__all__ = ["OverlayFolder"]


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
