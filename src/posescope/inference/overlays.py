"""Pictures with the skeletons drawn on them, written as they come: a file an image, a video a video."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from posescope.drawing.png import write_png
from posescope.drawing.skeletons import DRAW_THRESHOLD
from posescope.inference.listing import mark_output
from posescope.inference.photos import Photo
from posescope.inference.poses import ImagePoses
from posescope.inference.video import VideoFile, choose_video_suffix, open_video_writer

__all__ = ["OverlayWriter"]


class OverlayWriter:
    """Context manager that owns a folder of overlays: `<image>.png` (a.jpg.png), `<video>.webm` (a.avi.webm).

    Frames of one video must come together; its file is whole when the next one begins, or at the end. The folder is marked as
    output, so that nobody poses its pictures (`listing`).

    Args:
        folder: made with the first picture.
        min_score: joints with a lower score are not drawn.

    Attributes:
        hidden: how many people had no joint of this score.
    """

    def __init__(self, folder: Path, min_score: float = DRAW_THRESHOLD) -> None:
        self._folder, self._min_score, self.hidden = folder, min_score, 0
        self._is_marked = False
        self._open = ExitStack()
        self._video: VideoFile | None = None
        self._append: Callable[[NDArray[np.uint8]], None] | None = None

    def __enter__(self) -> "OverlayWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.__exit__(kind, error, trace)

    def draw(self, photo: Photo, poses: ImagePoses) -> None:
        """Draw the people of a picture and write it."""
        if not self._is_marked:
            mark_output(self._folder)
            self._is_marked = True
        self.hidden += sum(not (posed.scores >= self._min_score).any() for posed in poses.people)
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
