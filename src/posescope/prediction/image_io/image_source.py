"""Images and videos from files and folders, one image in memory at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.data.images.limits import ImageError, ImageLimits
from posescope.prediction.image_io.folder_listing import OTHER_KIND, VIDEO, SkippedFile, count_reasons, list_media
from posescope.prediction.image_io.image_folder import ImageFolder, assign_image_ids
from posescope.prediction.image_io.video import VideoFile
from posescope.prediction.poses import ImageInfo

__all__ = ["ImageSource", "NamedImage"]

_LIMITS = ImageLimits()


@dataclass(frozen=True, eq=False)
class NamedImage:
    """An image in memory with a name.

    Attributes:
        name: as in the results; of a frame `<video>#<index>`.
        pixels: (H, W, 3) uint8 RGB.
        image_id: as in the results.
        video: the video of a frame.
        frame: number of a frame in its video, from 0; None for images.
        time_s: time at which the frame is shown, from the first one.
    """

    name: str
    pixels: NDArray[np.uint8]
    image_id: int = 0
    video: VideoFile | None = None
    frame: int | None = None
    time_s: float | None = None

    @property
    def info(self) -> ImageInfo:
        """Name, id and size without the pixels."""
        return ImageInfo(self.name, self.image_id, (self.pixels.shape[0], self.pixels.shape[1]), self.frame, self.time_s)


class ImageSource:
    """Images and videos in the order of their paths.

    Args:
        paths: image files, video files, and folders of both with all folders below. A path without images is skipped if there
            are others.
        limits: the largest image that is decoded.
        videos: whether videos are read; otherwise they are skipped.

    Attributes:
        skipped_files: all other files and folders, each with its reason (`folder_listing`).

    Raises:
        DataError: if no path holds an image or a video, or two images have the same name.
    """

    def __init__(self, paths: Sequence[Path], limits: ImageLimits = _LIMITS, *, videos: bool = True) -> None:
        self._limits, self._reads_videos = limits, videos
        self._folders: dict[str, ImageFolder] = {}
        self._videos: dict[str, VideoFile] = {}
        self._unusable: dict[str, DataError] = {}
        self.skipped_files: list[SkippedFile] = []
        for path in paths:
            self._add_path(path, is_only=len(paths) == 1)
        if self._unusable and not self._folders and not self._videos:
            raise next(iter(self._unusable.values()))

    def names(self) -> tuple[str, ...]:
        """Return the names of all images and videos."""
        return (*self._folders, *self._videos)

    def count(self) -> int:
        """Return the number of images and of frames, as far as the videos state it."""
        return len(self._folders) + sum(map(_stated_frames, self._videos.values()))

    def read(
        self,
        skip: Callable[[str, DataError], None],
        known_ids: Mapping[str, int] | None = None,
        report: Callable[[str], None] | None = None,
    ) -> Iterator[NamedImage]:
        """Read one image after the other, then the frames of the videos.

        Frames get the ids after those of the images, so all ids are unique.

        Args:
            skip: is called with the name of each file that cannot be read, and the error.
            known_ids: image ids by name, as for `assign_image_ids`.
            report: receives a message for each video with frames that cannot be decoded; None: the log does.

        Yields:
            Each image that can be read.
        """
        for name, error in self._unusable.items():
            skip(name, error)
        known = known_ids or {}
        image_ids = assign_image_ids(tuple(self._folders), known)
        frame_ids = count(max([*image_ids, *known.values(), -1]) + 1)
        for (name, folder), image_id in zip(self._folders.items(), image_ids, strict=True):
            try:
                pixels = folder.read(name)
            except DataError as error:
                skip(name, error)
                continue
            yield NamedImage(name, pixels, image_id)
        for name, video in self._videos.items():
            try:
                for frame in video.frames(report):
                    place = f"{name}#{frame.index}"
                    yield NamedImage(place, frame.pixels, next(frame_ids), video, frame.index, frame.time_s)
            except DataError as error:
                skip(name, error)

    def _add_path(self, path: Path, is_only: bool) -> None:
        listing, base = list_media(path), path.parent if path.is_file() else path
        folder = ImageFolder(path, self._limits)
        videos = listing.videos if self._reads_videos else ()
        for name in listing.images:
            self._add(self._folders, name, folder)
        for name in videos:
            self._add(self._videos, name, VideoFile(base / name))
        unread = () if self._reads_videos else tuple(SkippedFile(name, VIDEO) for name in listing.videos)
        skipped = (*listing.skipped_files, *unread)
        for one in skipped if is_only else [replace(one, name=str(path / one.name)) for one in skipped]:
            if one.reason == OTHER_KIND:
                self._unusable[one.name] = ImageError(one.reason, f"{one.name}: {one.reason}; {one.detail}.")
            else:
                self.skipped_files.append(one)
        if not listing.images and not videos:
            found = count_reasons(skipped)
            kinds = "no images here, and no videos" if self._reads_videos else "no images here"
            self._unusable[str(path)] = DataError(f"{path}: {kinds}{f' ({found})' if found else ''}.")

    @staticmethod
    def _add(known: dict, name: str, source: ImageFolder | VideoFile) -> None:  # type: ignore[type-arg]
        if name in known:
            raise DataError(f"Two of the images are called {name}: predict them in separate runs, into folders of their own.")
        known[name] = source


def _stated_frames(video: VideoFile) -> int:
    try:
        return video.frame_count or 0
    except DataError:  # reported when the video is read
        return 0
