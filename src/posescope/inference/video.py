"""Videos, one frame in memory at a time: read as RGB, and written for people to look at.

Read and written by OpenCV's ffmpeg; what a phone says of how it was held is honoured.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.errors import DataError
from posescope.files import atomic_write

__all__ = ["VIDEO_SUFFIXES", "Frame", "VideoFile", "open_video_writer"]

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"})
_CODECS = {".avi": "MJPG", ".mp4": "mp4v"}
_DEFAULT_FPS = 25.0


@dataclass(frozen=True, eq=False)
class Frame:
    """Attributes: index: from 0; time_s: since the start; image: (H, W, 3) uint8 RGB."""

    index: int
    time_s: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class VideoFile:
    """A video on disk."""

    path: Path

    @property
    def fps(self) -> float:
        """Frames a second; 25 where the file says nothing sensible."""
        with self._opened() as capture:
            fps = float(capture.get(cv2.CAP_PROP_FPS))
        return fps if 0 < fps < 1000 else _DEFAULT_FPS

    @property
    def frame_count(self) -> int | None:
        """How many frames the file promises: for a bar of progress; none where it does not say."""
        with self._opened() as capture:
            count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        return count if count > 0 else None

    def frames(self) -> Iterator[Frame]:
        """Frame by frame; a video that ends before its time, as a damaged one does, is named in the log.

        Raises:
            DataError: if it cannot be opened, or not one frame can be read.
        """
        count = 0
        with self._opened() as capture:
            promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            while True:
                fine, image = capture.read()
                if not fine:
                    break
                time_s = max(float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000, 0.0)
                yield Frame(count, time_s, np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8))
                count += 1
        if count == 0:
            raise DataError(f"{self.path}: not one frame of this video can be read.")
        if count < promised:
            logger.warning("%s: it ends after %d of %d frames: is the file whole?", self.path, count, promised)

    @contextmanager
    def _opened(self) -> Iterator[cv2.VideoCapture]:
        if not self.path.is_file():
            raise DataError(f"{self.path}: there is no such file.")
        capture = cv2.VideoCapture(str(self.path))
        try:
            if not capture.isOpened():
                raise DataError(f"{self.path}: cannot be read as a video.")
            yield capture
        finally:
            capture.release()


@contextmanager
def open_video_writer(path: Path, fps: float, size: tuple[int, int]) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Yield a function that appends a frame, (H, W, 3) uint8 RGB; the file is at its place when the block ends well.

    Args:
        path: `.mp4` (MPEG-4) or `.avi` (every frame a JPEG).
        fps: frames a second, > 0.
        size: (height, width) px of every frame, at least 2; of an odd one the video lacks the last row or column.

    Raises:
        DataError: if no such video can be written here, or a frame has another size.
    """
    if path.suffix.lower() not in _CODECS:
        raise DataError(f"{path}: expected a name that ends in {' or '.join(_CODECS)}.")
    with atomic_write(path) as temporary:
        code = cv2.VideoWriter.fourcc(*_CODECS[path.suffix.lower()])
        writer = cv2.VideoWriter(str(temporary), code, fps, size[::-1])

        def append(image: NDArray[np.uint8]) -> None:
            if image.shape != (*size, 3):  # OpenCV would leave it out without a word
                raise DataError(f"{path}: expected frames of {size} px (height, width), found {image.shape[:2]}.")
            writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

        try:
            if not writer.isOpened():
                raise DataError(f"{path}: OpenCV cannot write a video of {size} px here.")
            yield append
        finally:
            writer.release()
