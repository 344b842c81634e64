"""Images with the skeletons drawn on them: a PNG per image, a video per video."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from pydantic import Field

from posescope.core.errors import pluralise
from posescope.core.hardware import available_cpus
from posescope.core.plugins import Options
from posescope.drawing.rgb_images import write_png
from posescope.drawing.skeletons import DRAW_THRESHOLD
from posescope.prediction.image_io.folder_listing import mark_output
from posescope.prediction.image_io.image_source import NamedImage
from posescope.prediction.image_io.video import AppendFrame, VideoFile, choose_video_suffix, open_video_writer
from posescope.prediction.poses import ImagePoses

__all__ = ["OverlayFolder", "OverlayOptions", "OverlayWriter"]

_MAX_WORKERS = 4
_MAX_WAITING_BYTES = 256 * 1024**2
_MAX_WAITING_FRAMES = 2


class OverlayOptions(Options):
    """How poses are drawn."""

    draw_threshold: float = Field(
        DRAW_THRESHOLD, allow_inf_nan=False, description="joints with a lower score are not drawn; the results keep them all"
    )


@dataclass(frozen=True)
class OverlayFolder:
    """The folder of overlays, as the catalog hands it to a node."""

    root: Path

    def is_finished(self) -> bool:
        """Return True if the folder is there."""
        return self.root.is_dir()


class OverlayWriter:
    """Context manager that writes overlays: `<image>.png` (a.jpg.png), `<video>.webm` (a.avi.webm).

    Images are drawn and written by threads while the next ones are predicted. Frames of one video must come together; its file
    is complete when the next video begins, or at the end. The folder is marked as output, so that its images are never
    predicted (`folder_listing`).

    Args:
        folder: made with the first image.
        min_score: joints with a lower score are not drawn.
        empty_images: whether images without persons are written, too.
        video_suffix: `.webm` or `.mp4`; None: `.webm` if this OpenCV can write it.

    Attributes:
        undrawn: number of persons without a joint of this score.
    """

    def __init__(
        self, folder: Path, min_score: float = DRAW_THRESHOLD, *, empty_images: bool = True, video_suffix: str | None = None
    ) -> None:
        self._folder, self._min_score, self._empty_images, self.undrawn = folder, min_score, empty_images, 0
        self._is_marked, self._video_suffix = False, video_suffix
        self._pool = ThreadPoolExecutor(min(_MAX_WORKERS, available_cpus()), thread_name_prefix="overlays")
        self._writing: deque[tuple[int, Future[None]]] = deque()
        # Frames are drawn and encoded in their order, in one thread: VP8 takes longer than the network.
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="overlay-videos")
        self._frames: deque[Future[None]] = deque()
        self._open = ExitStack()
        self._video: VideoFile | None = None
        self._append: AppendFrame | None = None

    def __enter__(self) -> "OverlayWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self._wait()
        except BaseException as failure:  # an incomplete video is not kept
            kind, error, trace = type(failure), failure, failure.__traceback__
            raise
        finally:
            self._pool.shutdown()
            self._encoder.shutdown(cancel_futures=True)
            self._open.__exit__(kind, error, trace)

    def draw(self, image: NamedImage, poses: ImagePoses) -> None:
        """Draw the persons of an image and write it.

        Args:
            image: must not be changed afterwards.
            poses: poses of the image.

        Raises:
            DrawingError: if this image, or one of those before it, cannot be written.
        """
        if not self._is_marked:
            mark_output(self._folder)
            self._is_marked = True
        self.undrawn += sum(not (person.scores >= self._min_score).any() for person in poses.persons)
        if not len(poses) and not self._empty_images:
            return
        if image.video is not None:
            while len(self._frames) >= _MAX_WAITING_FRAMES:
                self._frames.popleft().result()
            self._frames.append(self._encoder.submit(self._append_frame, image.video, image, poses))
            return
        self._writing.append((image.pixels.nbytes, self._pool.submit(self._write, image, poses)))
        while sum(size for size, _ in self._writing) > _MAX_WAITING_BYTES or len(self._writing) > 4 * _MAX_WORKERS:
            self._writing.popleft()[1].result()

    def warn_about_undrawn(self, persons: int, option: str, warn: Callable[[str], None]) -> None:
        """Warn if some persons are predicted but not drawn.

        Args:
            persons: that were predicted.
            option: that sets the threshold, for the message.
            warn: receives the message.
        """
        if self.undrawn:
            warn(
                f"{self.undrawn} of {pluralise(persons, 'person')} have no joint with a score of {self._min_score:g} and are not "
                f"drawn; a lower {option} draws them (peaks of the codecs thesis and thesis_256 are far below 1)."
            )

    def _wait(self) -> None:
        while self._writing:
            self._writing.popleft()[1].result()
        while self._frames:
            self._frames.popleft().result()

    def _write(self, image: NamedImage, poses: ImagePoses) -> None:
        target = self._folder / f"{image.name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_png(target, poses.draw(image.pixels, self._min_score))

    def _append_frame(self, video: VideoFile, frame: NamedImage, poses: ImagePoses) -> None:
        drawn = poses.draw(frame.pixels, self._min_score)
        if self._append is None or self._video != video:
            self._open.close()
            path = self._folder / f"{frame.name.rpartition('#')[0]}{self._video_suffix or choose_video_suffix()}"
            self._append = self._open.enter_context(open_video_writer(path, video.fps, (drawn.shape[0], drawn.shape[1])))
            self._video = video
        self._append(drawn, frame.time_s)
