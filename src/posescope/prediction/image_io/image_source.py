"""Everything that somebody asks to have posed, one picture in memory at a time: image files, folders of them, videos."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.data.images.decoding import ImageError
from posescope.data.images.headers import ImageLimits
from posescope.prediction.image_io.folder_listing import OTHER_KIND, SkippedFile, count_reasons, list_media
from posescope.prediction.image_io.image_folder import ImageFolder, assign_image_ids
from posescope.prediction.image_io.video import VideoFile

__all__ = ["NamedImage", "ImageSource"]

_LIMITS = ImageLimits()


@dataclass(frozen=True, eq=False)
class NamedImage:
    """An image in memory that has a name.

    Attributes:
        name: as it shall stand in the results; of a frame `<video>#<index>`.
        pixels: (H, W, 3) uint8 RGB.
        image_id: its number in the results.
        video: the video that it is a frame of.
    """

    name: str
    pixels: NDArray[np.uint8]
    image_id: int = 0
    video: VideoFile | None = None


class ImageSource:
    """Images and videos in the order asked for.

    Args:
        places: image files, video files, folders of both (with all below them). One that holds neither is left out, where
            there are others.

        limits: the largest picture that is decoded.

    Attributes:
        skipped_files: the other files and folders in these places, each with its reason (`listing`).

    Raises:
        DataError: if no place holds an image or a video, or two pictures would have the same name.
    """

    def __init__(self, places: Sequence[Path], limits: ImageLimits = _LIMITS) -> None:
        self._limits = limits
        self._folders: dict[str, ImageFolder] = {}
        self._videos: dict[str, VideoFile] = {}
        self._unusable: dict[str, DataError] = {}
        self.skipped_files: list[SkippedFile] = []
        for place in places:
            self._add_place(place, is_only=len(places) == 1)
        if self._unusable and not self._folders and not self._videos:
            raise next(iter(self._unusable.values()))

    def names(self) -> tuple[str, ...]:
        """Names of all images and videos."""
        return (*self._folders, *self._videos)

    def count(self) -> int:
        """How many pictures there are, as far as the videos tell."""
        return len(self._folders) + sum(map(_promised_frames, self._videos.values()))

    def read(self, leave_out: Callable[[str, DataError], None], known: Mapping[str, int] | None = None) -> Iterator[NamedImage]:
        """Picture by picture, the images first; `leave_out` is told the name of what cannot be read, and why.

        Frames get the numbers after those of the images: no two pictures have the same.

        Args:
            leave_out: takes name and error.
            known: image ids by name, as for `assign_image_ids`.
        """
        for name, error in self._unusable.items():
            leave_out(name, error)
        given = known or {}
        image_ids = assign_image_ids(tuple(self._folders), given)
        frame_ids = count(max([*image_ids, *given.values(), -1]) + 1)
        for (name, folder), image_id in zip(self._folders.items(), image_ids, strict=True):
            try:
                pixels = folder.read(name)
            except DataError as error:
                leave_out(name, error)
                continue
            yield NamedImage(name, pixels, image_id)
        for name, video in self._videos.items():
            try:
                for frame in video.frames():
                    yield NamedImage(f"{name}#{frame.index}", frame.image, next(frame_ids), video)
            except DataError as error:
                leave_out(name, error)

    def _add_place(self, place: Path, is_only: bool) -> None:
        listing, base = list_media(place), place.parent if place.is_file() else place
        folder = ImageFolder(place, self._limits)
        for name in listing.images:
            self._add(self._folders, name, folder)
        for name in listing.videos:
            self._add(self._videos, name, VideoFile(base / name))
        skipped_files = (
            listing.skipped_files if is_only else [replace(one, name=str(place / one.name)) for one in listing.skipped_files]
        )
        self.skipped_files += [one for one in skipped_files if one.reason != OTHER_KIND]
        for one in skipped_files:
            if one.reason == OTHER_KIND:
                self._unusable[one.name] = ImageError(one.reason, f"{one.name}: {one.reason}; {one.detail}.")
        if not listing.images and not listing.videos:
            found = count_reasons(listing.skipped_files)
            self._unusable[str(place)] = DataError(f"{place}: no images here, and no videos{f' ({found})' if found else ''}.")

    @staticmethod
    def _add(known: dict, name: str, place: ImageFolder | VideoFile) -> None:  # type: ignore[type-arg]
        if name in known:
            raise DataError(f"Two of the pictures are called {name}: pose them one after another, into folders of their own.")
        known[name] = place


def _promised_frames(video: VideoFile) -> int:
    try:
        return video.frame_count or 0
    except DataError:  # told when its turn comes
        return 0
