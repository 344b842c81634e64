"""What inference leaves behind: overlays."""

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.errors import pluralise
from posescope.core.files import atomic_folder
from posescope.core.plugins import Options
from posescope.core.skeleton import Skeleton
from posescope.drawing.rgb_images import write_png
from posescope.drawing.skeletons import DRAW_THRESHOLD, draw_skeleton
from posescope.prediction.image_io.folder_listing import mark_output
from posescope.prediction.image_io.image_folder import ImageFolder
from posescope.prediction.image_io.image_source import NamedImage
from posescope.prediction.image_io.video import VideoFile, choose_video_suffix, open_video_writer
from posescope.prediction.poses import ImagePoses, PersonPose

__all__ = ["OverlayFolder", "OverlayOptions", "describe_undrawn", "OverlayWriter"]

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
        self, persons: Sequence[PersonPose], images: ImageFolder, skeleton: Skeleton, min_score: float = DRAW_THRESHOLD
    ) -> None:
        """Write one PNG an image, `<name>.png` (a.jpg.png); overlays of earlier runs are removed.

        The folder is marked as output, so that nobody poses its pictures (`listing`).

        Args:
            persons: those of one image stand together.
            images: the folder that they are in.
            skeleton: names the joints.
            min_score: joints with a lower score are not drawn.
        """
        undrawn = sum(not (posed.scores >= min_score).any() for posed in persons)
        if undrawn:
            logger.warning("%s", describe_undrawn(undrawn, len(persons), min_score, "inference.overlays.draw_threshold"))
        with atomic_folder(self.root) as folder:
            mark_output(folder)
            for image_info, group in groupby(persons, key=lambda posed: posed.person.image):
                canvas = images.read(image_info.name)
                for posed in group:
                    canvas = draw_skeleton(canvas, posed.joints, skeleton, scores=posed.scores, min_score=min_score)
                write_png(folder / f"{image_info.name}.png", canvas)


def describe_undrawn(undrawn: int, persons: int, min_score: float, option: str) -> str:
    """Say that people are not drawn, though their poses are written."""
    return (
        f"{undrawn} of {pluralise(persons, 'person')} have no joint with a score of {min_score:g}, and are not drawn; a lower "
        f"{option} draws them (the codecs thesis and thesis_256 have peaks far below 1)"
    )


# MERGED from overlays: Pictures with the skeletons drawn on them, written as they come: a file an image, a video a video.


class OverlayWriter:
    """Context manager that owns a folder of overlays: `<image>.png` (a.jpg.png), `<video>.webm` (a.avi.webm).

    Frames of one video must come together; its file is whole when the next one begins, or at the end. The folder is marked as
    output, so that nobody poses its pictures (`listing`).

    Args:
        folder: made with the first picture.
        min_score: joints with a lower score are not drawn.

    Attributes:
        undrawn: how many people had no joint of this score.
    """

    def __init__(self, folder: Path, min_score: float = DRAW_THRESHOLD) -> None:
        self._folder, self._min_score, self.undrawn = folder, min_score, 0
        self._is_marked = False
        self._open = ExitStack()
        self._video: VideoFile | None = None
        self._append: Callable[[NDArray[np.uint8]], None] | None = None

    def __enter__(self) -> "OverlayWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.__exit__(kind, error, trace)

    def draw(self, photo: NamedImage, poses: ImagePoses) -> None:
        """Draw the people of a picture and write it."""
        if not self._is_marked:
            mark_output(self._folder)
            self._is_marked = True
        self.undrawn += sum(not (posed.scores >= self._min_score).any() for posed in poses.persons)
        drawn = poses.draw(photo.pixels, self._min_score)
        if photo.video is not None:
            self._append_frame(photo.video, photo.name.rpartition("#")[0], drawn)
            return
        target = self._folder / f"{photo.name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_png(target, drawn)

    def _append_frame(self, video: VideoFile, name: str, drawn: NDArray[np.uint8]) -> None:
        if self._append is None or self._video != video:
            self._open.close()
            path = self._folder / f"{name}{choose_video_suffix()}"
            self._append = self._open.enter_context(open_video_writer(path, video.fps, (drawn.shape[0], drawn.shape[1])))
            self._video = video
        self._append(drawn)
