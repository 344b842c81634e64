"""What inference leaves behind: overlays."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pydantic import Field

from posescope.drawing.png import write_png
from posescope.drawing.skeletons import DRAW_THRESHOLD, draw_skeleton
from posescope.errors import count_of
from posescope.files import atomic_folder
from posescope.inference.images import ImageFolder
from posescope.inference.listing import mark_output
from posescope.inference.records import PosedPerson
from posescope.plugins import Options
from posescope.skeleton import Skeleton

__all__ = ["OverlayFolder", "OverlayOptions", "tell_hidden"]

logger = logging.getLogger(__name__)


class OverlayOptions(Options):
    """How poses are drawn."""

    draw_threshold: float = Field(
        DRAW_THRESHOLD, allow_inf_nan=False, description="joints with a lower score are not drawn; the results keep them all"
    )


@dataclass(frozen=True)
class OverlayFolder:
    """Owns the folder of images with the skeletons drawn on them."""

    root: Path

    def is_finished(self) -> bool:
        """True if the folder is there."""
        return self.root.is_dir()

    def draw(
        self, people: Sequence[PosedPerson], images: ImageFolder, skeleton: Skeleton, min_score: float = DRAW_THRESHOLD
    ) -> None:
        """Write one PNG an image, `<name>.png` (a.jpg.png); overlays of earlier runs are removed.

        The folder is marked as output, so that nobody poses its pictures (`listing`).

        Args:
            people: those of one image stand together.
            images: the folder that they are in.
            skeleton: names the joints.
            min_score: joints with a lower score are not drawn.
        """
        hidden = sum(not (posed.scores >= min_score).any() for posed in people)
        if hidden:
            logger.warning("%s", tell_hidden(hidden, len(people), min_score, "inference.overlays.draw_threshold"))
        with atomic_folder(self.root) as folder:
            mark_output(folder)
            for image_info, group in groupby(people, key=lambda posed: posed.person.image):
                canvas = images.read(image_info.name)
                for posed in group:
                    canvas = draw_skeleton(canvas, posed.joints, skeleton, scores=posed.scores, min_score=min_score)
                write_png(folder / f"{image_info.name}.png", canvas)


def tell_hidden(hidden: int, people: int, min_score: float, option: str) -> str:
    """Say that people are not drawn, though their poses are written."""
    return (
        f"{hidden} of {count_of(people, 'person')} have no joint with a score of {min_score:g}, and are not drawn; a lower "
        f"{option} draws them (the codecs thesis and thesis_256 have peaks far below 1)"
    )
