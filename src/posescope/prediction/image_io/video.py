"""Videos, read and written by OpenCV's ffmpeg with one frame in memory at a time.

The orientation that a phone stores is applied. Each frame has the time at which the file shows it, so videos of a variable frame
rate are read as they are. They are written with a constant rate (OpenCV has no other): a frame is repeated, or left out, so that
it is shown at its time. Frames that cannot be decoded are left out and reported.

Videos are written as WebM with VP8, which all browsers play and whose encoder (libvpx, BSD licence) is part of OpenCV's wheels.
The encoder of H.264 is not: it is under the GPL. An OpenCV without VP8 and VP9 writes MPEG-4, which media players open and
browsers do not.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError, pluralise
from posescope.core.files import atomic_write
from posescope.data.images.limits import ImageLimits

__all__ = ["VIDEO_SUFFIXES", "AppendFrame", "VideoFile", "VideoFrame", "choose_video_suffix", "open_video_writer"]

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"})
# Encoders by suffix, in the order in which they are tried. VP9 makes smaller files than VP8 in three times the time.
_ENCODERS = {".webm": ("VP80", "VP90"), ".mp4": ("mp4v",), ".avi": ("MJPG",)}
_DEFAULT_FPS = 25.0
_PROBE_SIZE = (64, 64)
_LIMITS = ImageLimits()
# A read fails once for each frame that cannot be decoded; more failures than this in a row are the end of the file.
_MAX_FAILED_READS = 250
_MAX_HOLD_S = 60.0  # a longer pause between two frames is taken as an error of the time stamps
_JITTER = 1.5  # frames; a longer distance to the next frame is a gap, if frames are missing


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """A frame of a video.

    Attributes:
        index: number among the frames that can be decoded, from 0.
        time_s: time at which it is shown, from the first frame; increases from frame to frame.
        pixels: (H, W, 3) uint8 RGB, upright.
    """

    index: int
    time_s: float
    pixels: NDArray[np.uint8]


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

    def frames(self, report: Callable[[str], None] | None = None) -> Iterator[VideoFrame]:
        """Yield the frames that can be decoded.

        Args:
            report: receives one message if frames are missing, at the end; None: the log does.

        Raises:
            DataError: if it cannot be opened, or no frame can be read.
        """
        fps, count, time_s, largest_gap = self.fps, 0, 0.0, (0.0, 0.0)
        with self._opened() as capture:
            promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            while (image := _read_next(capture, promised - count)) is not None:
                stamp_s = float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
                before_s, time_s = time_s, _next_time_s(stamp_s, time_s, fps) if count else 0.0
                largest_gap = max(largest_gap, (before_s, time_s), key=lambda gap: gap[1] - gap[0])
                yield VideoFrame(count, time_s, np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8))
                count += 1
        if count == 0:
            raise DataError(f"{self.path}: no frame of this video can be read.")
        if count < promised:
            (report or logger.warning)(_describe_missing(self.path, count, promised, largest_gap, fps))

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


def _read_next(capture: cv2.VideoCapture, missing: int) -> NDArray[np.uint8] | None:
    """Return the next frame (H, W, 3) BGR that can be decoded; None at the end.

    A damaged frame ends the reading of OpenCV's caller, but not of OpenCV: the frames after it follow.
    """
    for _ in range(1 + min(max(missing, 0), _MAX_FAILED_READS)):
        fine, image = capture.read()
        if fine:
            return np.asarray(image, dtype=np.uint8)
    return None


def _next_time_s(stamp_s: float, before_s: float, fps: float) -> float:
    """Return the time stamp of a frame, or one frame after the last one if the file has none that increases."""
    return stamp_s if stamp_s > before_s else before_s + 1 / fps


def _describe_missing(path: Path, count: int, promised: int, gap: tuple[float, float], fps: float) -> str:
    where = f", none from {gap[0]:.2f} s to {gap[1]:.2f} s" if gap[1] - gap[0] > _JITTER / fps else ""
    return f"{path}: {count} of {pluralise(promised, 'frame')} can be read{where}; the file may be damaged."


class AppendFrame(Protocol):
    """Appends a frame to a video."""

    def __call__(self, image: NDArray[np.uint8], time_s: float | None = None) -> None:
        """Write a frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            time_s: time at which it is shown, from the first frame; None: after the last one.

        Raises:
            DataError: if it has another size than the video.
        """
        ...


@contextmanager
def open_video_writer(path: Path, fps: float, size: tuple[int, int]) -> Iterator[AppendFrame]:
    """Yield a function that appends a frame; the file is written when the block ends without an error.

    With times, the frame before is repeated until it is time for the next one, and of several frames within one period of `fps`
    the first is kept.

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
        try:
            if not writer.isOpened():
                raise DataError(f"{path}: this OpenCV cannot write a video of {size} px.")
            yield _PacedWriter(writer, path, fps, size)
        finally:
            writer.release()


class _PacedWriter:
    """Writes frames with a constant rate, each at its time."""

    def __init__(self, writer: cv2.VideoWriter, path: Path, fps: float, size: tuple[int, int]) -> None:
        self._writer, self._path, self._fps, self._size = writer, path, fps, size
        self._written, self._start = 0, 0
        self._last: NDArray[np.uint8] | None = None

    def __call__(self, image: NDArray[np.uint8], time_s: float | None = None) -> None:
        if image.shape != (*self._size, 3):  # OpenCV would drop it silently
            raise DataError(f"{self._path}: expected frames of {self._size} px (height, width), found {image.shape[:2]}.")
        place = self._written if time_s is None else self._start + round(time_s * self._fps)
        if place - self._written > _MAX_HOLD_S * self._fps:
            self._start -= place - self._written
            place = self._written
        if place < self._written:
            return
        bgr = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), dtype=np.uint8)
        for _ in range(place - self._written):
            self._writer.write(bgr if self._last is None else self._last)
        self._writer.write(bgr)
        self._last, self._written = bgr, place + 1


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
