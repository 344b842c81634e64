"""What lies in a folder that somebody wants posed: images, videos, and everything that is left out, with the reason.

Links to files and to folders are followed, wherever they lead: a picture is only read. A folder that is reached twice is listed
once, so that a link to a parent folder never loops. Left out are hidden and system files, what posescope has written, and what is
no picture by its suffix. A file without a suffix is an image if it begins like one.
"""

import os
import stat
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from posescope.prediction.image_io.video import VIDEO_SUFFIXES

__all__ = [
    "IMAGE_SUFFIXES",
    "OTHER_KIND",
    "UNREADABLE",
    "VIDEO",
    "SkippedFile",
    "FolderListing",
    "count_reasons",
    "list_media",
    "mark_output",
]

# What `data.images.headers` reads.
IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
        *(".pbm", ".pgm", ".ppm", ".pnm"),
    }
)
# Photographs that somebody will miss among the poses.
_OTHER_IMAGE_SUFFIXES = frozenset(
    {
        *(".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".tga", ".psd", ".exr", ".hdr"),
        *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2"),
    }
)
NOT_AN_IMAGE = "no image or video by its suffix"
OTHER_KIND = "image of a kind that cannot be read"
HIDDEN = "hidden or system file"
OUTPUT = "written by posescope"
LINK_TO_NOTHING = "link to nothing"
LISTED_ALREADY = "folder is listed already"
NOT_REGULAR = "no regular file"
UNREADABLE = "cannot be read"
VIDEO = "video: only posescope predict poses videos"

_MARK = ".posescope_output"
_SYSTEM_NAMES = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information"}
)
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")
# The folders of a run's data_dir beside its raw data; one of the last two is there after any run that made pictures.
_LAYERS = frozenset(
    {
        "02_intermediate",
        "03_primary",
        "05_model_input",
        "06_models",
        "07_model_output",
        "08_reporting",
    }
)
_LAYERS_WITH_PICTURES = frozenset({"07_model_output", "08_reporting"})
_POSES_FILES = frozenset({"poses.json", "coco_results.json"})


@dataclass(frozen=True)
class SkippedFile:
    """A file or folder that is not posed.

    Attributes:
        name: relative to the folder that was asked for.
        reason: the same few words for all of a kind.
        detail: more about this one, or ''.
    """

    name: str
    reason: str
    detail: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-like."""
        return {"file_name": self.name, "reason": self.reason, "detail": self.detail}


@dataclass(frozen=True)
class FolderListing:
    """The content of a folder, names relative to it, in alphabetical order.

    Attributes:
        images, videos: what can be posed, by name.
        skipped_files: everything else.
    """

    images: tuple[str, ...]
    videos: tuple[str, ...]
    skipped_files: tuple[SkippedFile, ...]


def list_media(root: Path) -> FolderListing:
    """List a folder with all below it, or a single file, which is taken for a picture whatever it is called.

    Args:
        root: the folder or the file. One that does not exist holds nothing.
    """
    if root.is_file():
        is_video = root.suffix.lower() in VIDEO_SUFFIXES
        return FolderListing(() if is_video else (root.name,), (root.name,) if is_video else (), ())
    walk = _Walk(root)
    if root.is_dir():
        walk.run()
    return FolderListing(
        _in_order(walk.images), _in_order(walk.videos), tuple(sorted(walk.skipped_files, key=lambda one: one.name))
    )


def mark_output(folder: Path) -> None:
    """Make a folder, if need be, and mark that everything in it is written by posescope: `list_media` leaves it out."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).write_text("posescope wrote this folder and does not pose its pictures.\n", encoding="utf-8")


def count_reasons(skipped_files: Iterable[SkippedFile]) -> str:
    """Count what is left out by reason, for messages: `3 hidden or system file, 1 link to nothing`."""
    counts = Counter(one.reason for one in skipped_files)
    return ", ".join(f"{number} {reason}" for reason, number in counts.most_common())


class _Walk:
    """One pass over a folder; folders that links lead to come after all others, so that a link never hides a name."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.images: list[str] = []
        self.videos: list[str] = []
        self.skipped_files: list[SkippedFile] = []
        self._seen: dict[tuple[int, int], str] = {}

    def run(self) -> None:
        folders, linked = deque([self.root]), deque[Path]()
        while folders or linked:
            folder = folders.popleft() if folders else linked.popleft()
            try:
                status = folder.stat()
                first = self._seen.setdefault((status.st_dev, status.st_ino), self._name(folder))
                if first != self._name(folder):
                    self._leave_out(folder, LISTED_ALREADY, f"as {first or 'the folder itself'}")
                    continue
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                self._leave_out(folder, UNREADABLE, error.strerror or "")
                continue
            names = {entry.name for entry in entries}
            if _MARK in names:
                self._leave_out(folder, OUTPUT)
                continue
            for entry in entries:
                self._add(entry, names, folders, linked)

    def _add(self, entry: os.DirEntry[str], siblings: set[str], folders: deque[Path], linked: deque[Path]) -> None:
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_NAMES:
            self._leave_out(path, HIDDEN)
            return
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            self._leave_out(path, LINK_TO_NOTHING if entry.is_symlink() else UNREADABLE, error.strerror or "")
            return
        if stat.S_ISDIR(mode):
            if _is_output(entry.name, siblings) or (entry.is_symlink() and _is_linked_output(path)):
                self._leave_out(path, OUTPUT)
            else:
                (linked if entry.is_symlink() else folders).append(path)
        elif not stat.S_ISREG(mode):  # a pipe would be waited for
            self._leave_out(path, NOT_REGULAR)
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            self.videos.append(self._name(path))
        elif path.suffix.lower() in IMAGE_SUFFIXES or (not path.suffix and _begins_like_an_image(path)):
            self.images.append(self._name(path))
        elif path.suffix.lower() in _OTHER_IMAGE_SUFFIXES:
            self._leave_out(path, OTHER_KIND, "convert it to JPEG or PNG")
        else:
            self._leave_out(path, NOT_AN_IMAGE)

    def _leave_out(self, path: Path, reason: str, detail: str = "") -> None:
        self.skipped_files.append(SkippedFile(self._name(path) or ".", reason, detail))

    def _name(self, path: Path) -> str:
        return "" if path == self.root else str(path.relative_to(self.root))


def _is_output(name: str, siblings: set[str]) -> bool:
    """Whether a folder is what a run left: a layer of its data_dir, or overlays beside the poses they are of."""
    in_data_dir = name in _LAYERS and bool(siblings & _LAYERS_WITH_PICTURES)
    return in_data_dir or (name == "overlays" and bool(siblings & _POSES_FILES))


def _is_linked_output(link: Path) -> bool:
    """The same of the folder that a link leads to, whatever the link is called."""
    target = link.resolve()
    try:
        return _is_output(target.name, {path.name for path in target.parent.iterdir()})
    except OSError:  # one may enter the folder, and not list the one that it is in
        return False


def _begins_like_an_image(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            start = stream.read(12)
    except OSError:  # told when its turn comes
        return True
    return start.startswith(_BEGINNINGS) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")


def _in_order(names: list[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=PurePath))
