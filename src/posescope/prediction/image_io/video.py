"""Videos, read and written by OpenCV's ffmpeg with one frame in memory at a time.

The orientation that a phone stores is applied. Videos are written as WebM with VP8, which all browsers play and whose encoder
(libvpx, BSD licence) is part of OpenCV's wheels. The encoder of H.264 is not: it is under the GPL. An OpenCV without VP8 and VP9
writes MPEG-4, which media players open and browsers do not.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.files import atomic_write
from posescope.data.images.limits import ImageLimits

__all__ = ["VIDEO_SUFFIXES", "VideoFile", "choose_video_suffix", "open_video_writer"]

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"})
# Encoders by suffix, in the order in which they are tried. VP9 makes smaller files than VP8 in three times the time.
_ENCODERS = {".webm": ("VP80", "VP90"), ".mp4": ("mp4v",), ".avi": ("MJPG",)}
_DEFAULT_FPS = 25.0
_PROBE_SIZE = (64, 64)
_LIMITS = ImageLimits()


@dataclass(frozen=True)
class VideoFile:
    """A video on disk."""

    path: Path

    @property
    def fps(self) -> float:
        """Frames per second; 25 if the file states no valid rate."""
        with self._opened() as capture:
            fps = float(capture.get(cv2.CAP_PROP_FPS))
        return fps if 0 < fps < 1000 else _DEFAULT_FPS

    @property
    def frame_count(self) -> int | None:
        """Number of frames that the file states, for the progress bar; None if it states none."""
        with self._opened() as capture:
            count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        return count if count > 0 else None

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames, (H, W, 3) uint8 RGB. A video that ends early, as a damaged one does, is named in the log.

        Raises:
            DataError: if it cannot be opened, or no frame can be read.
        """
        count = 0
        with self._opened() as capture:
            promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            while True:
                fine, image = capture.read()
                if not fine:
                    break
                yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
                count += 1
        if count == 0:
            raise DataError(f"{self.path}: no frame of this video can be read.")
        if count < promised:
            logger.warning("%s: the video ends after %d of %d frames; the file may be damaged.", self.path, count, promised)

    @contextmanager
    def _opened(self) -> Iterator[cv2.VideoCapture]:
        if not self.path.is_file():
            raise DataError(f"{self.path}: there is no such file.")
        capture = cv2.VideoCapture(str(self.path))
        try:
            if not capture.isOpened():
                raise DataError(f"{self.path}: cannot be read as a video.")
            size = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
            _LIMITS.check_size(size, self.path)
            yield capture
        finally:
            capture.release()


@contextmanager
def open_video_writer(path: Path, fps: float, size: tuple[int, int]) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Yield a function that appends a frame, (H, W, 3) uint8 RGB; the file is written when the block ends without an error.

    Args:
        path: `.webm` (VP8), `.mp4` (MPEG-4) or `.avi` (a JPEG per frame).
        fps: frames per second, > 0.
        size: (height, width) px of every frame, at least 2; the last row or column of an odd size is dropped.

    Raises:
        DataError: if this OpenCV cannot write such a video, or a frame has another size.
    """
    if path.suffix.lower() not in _ENCODERS:
        raise DataError(f"{path}: expected a name that ends in {', '.join(_ENCODERS)}; found '{path.suffix}'.")
    with atomic_write(path) as temporary:
        writer = _open_writer(temporary, path.suffix.lower(), fps, size)

        def append(image: NDArray[np.uint8]) -> None:
            if image.shape != (*size, 3):  # OpenCV would drop it silently
                raise DataError(f"{path}: expected frames of {size} px (height, width), found {image.shape[:2]}.")
            writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

        try:
            if not writer.isOpened():
                raise DataError(f"{path}: this OpenCV cannot write a video of {size} px.")
            yield append
        finally:
            writer.release()


@cache
def choose_video_suffix() -> str:
    """Return `.webm` if this OpenCV can write it, else `.mp4`, with a warning.

    The encoders are tried, because OpenCV does not list them.
    """
    with TemporaryDirectory() as folder:
        writer = _open_writer(Path(folder) / "probe.webm", ".webm", _DEFAULT_FPS, _PROBE_SIZE)
        found = writer.isOpened()
        writer.release()
    if not found:
        logger.warning(
            "This OpenCV has no encoder for VP8 or VP9. Videos are written as MPEG-4 (.mp4); browsers do not play them."
        )
    return ".webm" if found else ".mp4"


def _open_writer(path: Path, suffix: str, fps: float, size: tuple[int, int]) -> cv2.VideoWriter:
    """Return a writer with the first encoder of the suffix that opens, or one that is not open."""
    writer = cv2.VideoWriter()
    for name in _ENCODERS[suffix]:
        with _silent_stderr():
            is_open = writer.open(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*name), fps, size[::-1])
        if is_open:
            break
    return writer


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop what is printed to file descriptor 2.

    OpenCV prints that the tag of VP8 "is not supported" by WebM, whatever its log level, and then writes the video.
    """
    try:
        kept = os.dup(2)
    except OSError:  # the process has no standard error
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
