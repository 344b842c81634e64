"""The images and videos of a folder, and every other file with the reason why it is skipped.

Links to files and folders are followed, wherever they lead: images are only read. A folder that is reached twice is listed once,
so a link to a parent folder never loops. Hidden and system files, output of posescope, and files with other suffixes are skipped.
A file without a suffix is an image if its first bytes are those of an image.
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

# What `data.images` reads.
IMAGE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
        *(".pbm", ".pgm", ".ppm", ".pnm"),
    }
)
# Photographs that cannot be read; they are reported as unreadable images.
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
VIDEO = "video: only posescope predict reads videos"

_MARK = ".posescope_output"
_SYSTEM_NAMES = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information"}
)
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")
# The folders of a run's data_dir beside its raw data; a run that wrote images has one of the last two.
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
    """A file or folder that is not predicted.

    Attributes:
        name: relative to the folder.
        reason: one of a few fixed texts, or the kind of an `ImageError`.
        detail: more about this file, or ''.
    """

    name: str
    reason: str
    detail: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"file_name": self.name, "reason": self.reason, "detail": self.detail}


@dataclass(frozen=True)
class FolderListing:
    """The content of a folder, names relative to it, in alphabetical order.

    Attributes:
        images, videos: names of the files that can be predicted.
        skipped_files: everything else.
    """

    images: tuple[str, ...]
    videos: tuple[str, ...]
    skipped_files: tuple[SkippedFile, ...]


def list_media(root: Path) -> FolderListing:
    """List a folder with all folders below it, or a single file, which is taken for an image whatever its name.

    Args:
        root: the folder or the file. A missing one is empty.
    """
    if root.is_file():
        is_video = root.suffix.lower() in VIDEO_SUFFIXES
        return FolderListing(() if is_video else (root.name,), (root.name,) if is_video else (), ())
    traversal = _Traversal(root)
    if root.is_dir():
        traversal.run()
    return FolderListing(
        _in_order(traversal.images), _in_order(traversal.videos), tuple(sorted(traversal.skipped_files, key=lambda one: one.name))
    )


def mark_output(folder: Path) -> None:
    """Create a folder if it is missing, and mark it as output of posescope, so that `list_media` skips it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).write_text("posescope wrote this folder and does not predict its images.\n", encoding="utf-8")


def count_reasons(skipped_files: Iterable[SkippedFile]) -> str:
    """Return the number of skipped files by reason, for messages: `3 hidden or system file, 1 link to nothing`."""
    counts = Counter(one.reason for one in skipped_files)
    return ", ".join(f"{number} {reason}" for reason, number in counts.most_common())


class _Traversal:
    """One pass over a folder. Linked folders come after all others, so that a link never hides a name."""

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
                    self._skip(folder, LISTED_ALREADY, f"as {first or 'the folder itself'}")
                    continue
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                self._skip(folder, UNREADABLE, error.strerror or "")
                continue
            names = {entry.name for entry in entries}
            if _MARK in names:
                self._skip(folder, OUTPUT)
                continue
            for entry in entries:
                self._add(entry, names, folders, linked)

    def _add(self, entry: os.DirEntry[str], siblings: set[str], folders: deque[Path], linked: deque[Path]) -> None:
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_NAMES:
            self._skip(path, HIDDEN)
            return
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            self._skip(path, LINK_TO_NOTHING if entry.is_symlink() else UNREADABLE, error.strerror or "")
            return
        if stat.S_ISDIR(mode):
            if _is_output(entry.name, siblings) or (entry.is_symlink() and _is_linked_output(path)):
                self._skip(path, OUTPUT)
            else:
                (linked if entry.is_symlink() else folders).append(path)
        elif not stat.S_ISREG(mode):  # reading a pipe would block
            self._skip(path, NOT_REGULAR)
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            self.videos.append(self._name(path))
        elif path.suffix.lower() in IMAGE_SUFFIXES or (not path.suffix and _starts_like_an_image(path)):
            self.images.append(self._name(path))
        elif path.suffix.lower() in _OTHER_IMAGE_SUFFIXES:
            self._skip(path, OTHER_KIND, "convert it to JPEG or PNG")
        else:
            self._skip(path, NOT_AN_IMAGE)

    def _skip(self, path: Path, reason: str, detail: str = "") -> None:
        self.skipped_files.append(SkippedFile(self._name(path) or ".", reason, detail))

    def _name(self, path: Path) -> str:
        return "" if path == self.root else str(path.relative_to(self.root))


def _is_output(name: str, siblings: set[str]) -> bool:
    """Return True for the output of a run: a layer of its data_dir, or overlays beside a file of poses."""
    in_data_dir = name in _LAYERS and bool(siblings & _LAYERS_WITH_PICTURES)
    return in_data_dir or (name == "overlays" and bool(siblings & _POSES_FILES))


def _is_linked_output(link: Path) -> bool:
    """Return True if a link leads to the output of a run, whatever the link is called."""
    target = link.resolve()
    try:
        return _is_output(target.name, {path.name for path in target.parent.iterdir()})
    except OSError:  # the parent folder cannot be listed
        return False


def _starts_like_an_image(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            start = stream.read(12)
    except OSError:  # reported when it is read
        return True
    return start.startswith(_SIGNATURES) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")


def _in_order(names: list[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=PurePath))
