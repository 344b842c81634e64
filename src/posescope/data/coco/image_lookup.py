"""Find the file that an image record means: other tools write other separators, prefixes, letter cases and normal forms.

A name is only ever replaced by one below the image folder, and only where exactly one file answers to it.
"""

import re
import unicodedata
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from posescope.data.coco.record_validation import is_storable, show_value
from posescope.data.coco.repair import Repair
from posescope.data.images.headers import ImageError, ImageLimits, read_header
from posescope.data.images.orientation import PixelFrame

__all__ = ["ImageLookup"]

_DRIVE = re.compile(r"[A-Za-z]:")
_NOT_PLAIN = "file_name is not written in the plainest way"


class ImageLookup:
    """The files below an image folder, looked up by the names that annotation files give them.

    Args:
        root: the folder, resolved; None: there are annotations only, and names are only made plain.
        frame: of the sizes: the pictures as they are stored, or turned upright by EXIF.
    """

    def __init__(self, root: Path | None, frame: PixelFrame = "stored") -> None:
        self.root, self.frame = root, frame
        self._listings: dict[Path, dict[str, list[str]]] = {}

    def repair_name(self, image: dict[str, Any]) -> tuple[dict[str, Any], list[Repair]]:
        """Replace `file_name` by the plain name of the file that is there; leave it as it is if there is none."""
        name = image.get("file_name")
        if not isinstance(name, str) or not is_storable(name) or not name:
            return image, []
        found = self._find(name)
        if found is None or found[0] == name:
            return image, []
        repaired, reason = found
        return {**image, "file_name": repaired}, [Repair("file_names", reason, f"file_name {show_value(name)}")]

    def read_size(self, name: Any) -> tuple[int, int] | None:
        """Return (height, width) px from the file's header, in the frame of the labels; None if it cannot be read."""
        if self.root is None or not isinstance(name, str) or not is_storable(name) or not self._is_file(name):
            return None
        path = self.root / name
        try:
            ImageLimits().check_file(path.stat().st_size, path)
            header = read_header(path.read_bytes(), path)
        except (OSError, ImageError):
            return None
        return header.upright_size if self.frame == "upright" else header.stored_size

    def _find(self, name: str) -> tuple[str, str] | None:
        """The plain name and why it differs, or None."""
        plain = _plain(name)
        slashed = _plain(name.replace("\\", "/")) if "\\" in name else ""
        if self.root is None:
            return (slashed, "file_name has backslashes as separators") if slashed else (plain, _NOT_PLAIN) if plain else None
        candidates = (
            (plain, _NOT_PLAIN),
            (slashed, "file_name has backslashes as separators"),
            (_without_folder(slashed or plain, self.root.name), "file_name repeats the name of the image folder"),
            (_plain(unquote(name)) if "%" in name else "", "file_name is quoted as in a URL"),
        )
        exact = next(((path, reason) for path, reason in candidates if path and self._is_file(path)), None)
        if exact is not None:
            return exact
        reason = "image file is missing under its file_name; one that differs in letter case or Unicode form was found"
        similar = (self._find_similar(path) for path, _ in candidates if path)
        return next(((path, reason) for path in similar if path), None)

    def _is_file(self, name: str) -> bool:
        if self.root is None or not _plain(name):
            return False
        try:
            return (self.root / name).is_file()
        except OSError:  # a name that no file system takes, for its length
            return False

    def _find_similar(self, name: str) -> str:
        """The only file whose name differs in letter case or Unicode normal form alone, or ''."""
        if self.root is None:
            return ""
        folder, found = self.root, []
        for part in PurePosixPath(name).parts:
            matches = self._listing(folder).get(_folded(part), [])
            chosen = part if part in matches else matches[0] if len(matches) == 1 else ""
            if not chosen:
                return ""
            folder /= chosen
            found.append(chosen)
        path = "/".join(found)
        return path if self._is_file(path) else ""

    def _listing(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._listings:
            names: dict[str, list[str]] = {}
            try:
                for entry in sorted(folder.iterdir()):
                    names.setdefault(_folded(entry.name), []).append(entry.name)
            except OSError:  # no folder, or none that may be listed: nothing similar can be found in it
                names = {}
            self._listings[folder] = names
        return self._listings[folder]


def _plain(name: str) -> str:
    """The name without `./`, `//` and a `/` at its end; '' for one that is absolute or leads out of its folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or _DRIVE.match(name):
        return ""
    return str(path)


def _without_folder(name: str, folder: str) -> str:
    """`train2017/a.jpg` as `a.jpg` where the folder is called `train2017`."""
    parts = PurePosixPath(name).parts
    return "/".join(parts[1:]) if len(parts) > 1 and parts[0] == folder else ""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
