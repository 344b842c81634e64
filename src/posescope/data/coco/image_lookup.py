"""Find the image file of a record whose `file_name` has another separator, prefix, letter case or Unicode normal form.

A name is replaced only by one below the image folder, and only if exactly one file matches.
"""

import re
import unicodedata
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from posescope.data.coco.record_validation import format_value, is_storable
from posescope.data.coco.repair import Repair
from posescope.data.images.decoding import read_bytes
from posescope.data.images.headers import read_header
from posescope.data.images.limits import ImageError, ImageLimits
from posescope.data.images.orientation import PixelFrame
from posescope.data.images.stored_images import list_stored_images

__all__ = ["ImageLookup"]

_DRIVE = re.compile(r"[A-Za-z]:")
_LARGEST = ImageLimits(max_megapixels=1000, max_side_px=65_535)  # the limits of the data set apply when the image is decoded
_NOT_NORMALISED = "file_name is not a normalised path"
_BACKSLASHES = "file_name has backslashes as separators"


class ImageLookup:
    """The files below an image folder, looked up by the names in annotation files.

    Args:
        root: the resolved folder; None: annotations only, names are normalised without a lookup.
        frame: pixel frame of the sizes.
    """

    def __init__(self, root: Path | None, frame: PixelFrame = "stored") -> None:
        self.root, self.frame = root, frame
        self._stored = None if root is None else list_stored_images(root)
        self._listings: dict[Path, dict[str, list[str]]] = {}

    @property
    def local_root(self) -> Path | None:
        """The folder if it is on this machine; None for one of an object store, and without images."""
        return self.root if self._stored is None else None

    def find_missing(self, image: dict[str, Any]) -> str:
        """Return the reason for which a valid record is rejected whose image is not in the object store; '' on this machine."""
        return "image file is missing" if self._stored is not None and image["file_name"] not in self._stored else ""

    def repair_name(self, image: dict[str, Any]) -> tuple[dict[str, Any], list[Repair]]:
        """Replace `file_name` by the normalised name of an existing file; keep it if there is none."""
        name = image.get("file_name")
        if not isinstance(name, str) or not is_storable(name) or not name:
            return image, []
        found = self._find(name)
        if found is None or found[0] == name:
            return image, []
        repaired, reason = found
        return {**image, "file_name": repaired}, [Repair("file_names", reason, f"file_name {format_value(name)}")]

    def read_size(self, name: Any) -> tuple[int, int] | None:
        """Return (height, width) px from the header of a file, in the frame of the labels; None if it cannot be read."""
        if self.root is None or not isinstance(name, str) or not is_storable(name) or not self._is_file(name):
            return None
        path = self.root / name
        try:
            header = read_header(read_bytes(path, _LARGEST), path, _LARGEST)
        except ImageError:
            return None
        return header.upright_size if self.frame == "upright" else header.stored_size

    def _find(self, name: str) -> tuple[str, str] | None:
        """Return the name of the file and the reason for which it differs, or None."""
        plain = _normalise(name)
        slashed = _normalise(name.replace("\\", "/")) if "\\" in name else ""
        if self.root is None:
            return (slashed, _BACKSLASHES) if slashed else (plain, _NOT_NORMALISED) if plain else None
        candidates = (
            (plain, _NOT_NORMALISED),
            (slashed, _BACKSLASHES),
            (_without_folder(slashed or plain, self.root.name), "file_name repeats the name of the image folder"),
            (_normalise(unquote(name)) if "%" in name else "", "file_name is percent-encoded as in a URL"),
        )
        exact = next(((path, reason) for path, reason in candidates if path and self._is_file(path)), None)
        if exact is not None:
            return exact
        reason = "image file is missing; one whose name differs in letter case or Unicode form was found"
        similar = (self._find_similar(path) for path, _ in candidates if path)
        return next(((path, reason) for path in similar if path), None)

    def _is_file(self, name: str) -> bool:
        if self.root is None or not _normalise(name):
            return False
        if self._stored is not None:
            return name in self._stored
        try:
            return (self.root / name).is_file()
        except OSError:  # a name that is too long for the file system
            return False

    def _find_similar(self, name: str) -> str:
        """Return the only file whose name differs in letter case or Unicode normal form alone, or ''."""
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
            for name in self._names_in(folder):
                names.setdefault(_folded(name), []).append(name)
            self._listings[folder] = names
        return self._listings[folder]

    def _names_in(self, folder: Path) -> list[str]:
        if self._stored is not None and self.root is not None:
            name = folder.relative_to(self.root).as_posix()
            return self._stored.names_in("" if name == "." else name)
        try:
            return sorted(entry.name for entry in folder.iterdir())
        except OSError:  # missing or not listable
            return []


def _normalise(name: str) -> str:
    """Return the name without `./`, `//` and a trailing `/`; '' if it is absolute or leaves its folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or _DRIVE.match(name):
        return ""
    return str(path)


def _without_folder(name: str, folder: str) -> str:
    """Return `a.jpg` for `train2017/a.jpg` if the folder is called `train2017`, else ''."""
    parts = PurePosixPath(name).parts
    return "/".join(parts[1:]) if len(parts) > 1 and parts[0] == folder else ""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
