"""Match the file names that one file has to those of another: of results to annotations, of boxes to the images of a folder."""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from posescope.data.coco.record_validation import show_value

__all__ = ["FileNameMatcher", "NameMatches"]


@dataclass(frozen=True)
class NameMatches:
    """What names mean.

    Attributes:
        found: the known image of each name that has exactly one.
        ambiguous: for each name that may mean several images, a sentence that says which.
    """

    found: Mapping[str, str]
    ambiguous: Mapping[str, str]


class FileNameMatcher:
    """The names of known images, relative to their folder.

    A name means the image of the same relative name. Otherwise it means the one image whose path ends alike (two parts or more:
    `/data/clip1/0001.jpg` is `clip1/0001.jpg`), and otherwise the one image with the same base name. Two names never mean the
    same image. Names that differ in Unicode normalisation, in a backslash for `/` or in a leading `./` are the same name. Case
    counts.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._exact: defaultdict[str, list[str]] = defaultdict(list)
        self._base: defaultdict[str, list[str]] = defaultdict(list)
        self._stem: defaultdict[str, list[str]] = defaultdict(list)
        for name in dict.fromkeys(known):
            plain = _plain(name)
            self._exact[plain].append(name)
            self._base[PurePosixPath(plain).name].append(name)
            self._stem[PurePosixPath(plain).stem].append(name)

    def match(self, asked: Iterable[str], stems: bool = False) -> NameMatches:
        """Find the known image of each name.

        Args:
            asked: all names of the other source. Of two that may mean the same image, the one that fits better means it; if both
                fit alike, they are ambiguous.
            stems: a name may also lack its suffix (`0001` for `0001.jpg`).
        """
        found: dict[str, str] = {}
        ambiguous: dict[str, str] = {}
        by_fit: tuple[dict[str, str], ...] = ({}, {}, {})
        for name in dict.fromkeys(asked):
            candidates, fit = self._candidates(_plain(name), stems)
            if len(candidates) > 1:
                ambiguous[name] = f"{show_value(name)} may be {_list_of(candidates)}"
            elif candidates:
                by_fit[fit][name] = candidates[0]
        meant: set[str] = set()
        for matches in by_fit:
            groups = _group_by_image(matches, without=meant)
            for image, spelled in groups.items():
                names = [name for same in spelled.values() for name in same]
                if len(spelled) == 1:
                    found |= dict.fromkeys(names, image)
                else:
                    ambiguous |= dict.fromkeys(names, f"{_list_of(names)} may all be {show_value(image)}")
            meant |= groups.keys()
        return NameMatches(found, ambiguous)

    def _candidates(self, plain: str, stems: bool) -> tuple[list[str], int]:
        """The images that a name may mean, and how well it fits: 0 the same name, 1 the same end of the path, 2 the base name."""
        if plain in self._exact:
            return self._exact[plain], 0
        path = PurePosixPath(plain)
        alike = self._base.get(path.name, [])
        ending = [name for name in alike if _end_alike(path.parts, PurePosixPath(_plain(name)).parts)]
        if ending:
            return ending, 1
        return alike or (self._stem.get(path.name, []) if stems else []), 2


def _plain(name: str) -> str:
    return str(PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/"))).lstrip("/")


def _end_alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one path is the end of the other, by two parts or more."""
    shared = min(len(one), len(other))
    return shared >= 2 and one[-shared:] == other[-shared:]


def _group_by_image(images: Mapping[str, str], without: Collection[str]) -> dict[str, dict[str, list[str]]]:
    """The names that may mean each image, by their plain form; images that other names fit better are left out."""
    groups: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for name, image in images.items():
        if image not in without:
            groups[image].setdefault(_plain(name), []).append(name)
    return groups


def _list_of(names: list[str]) -> str:
    shown = [show_value(name) for name in names[:3]]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
