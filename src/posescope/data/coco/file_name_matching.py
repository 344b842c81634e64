"""Match the image names of two sources: results to annotations, boxes to the images of a folder."""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from posescope.data.coco.record_validation import format_value

__all__ = ["FileNameMatcher", "NameMatches"]


@dataclass(frozen=True)
class NameMatches:
    """The result of a matching.

    Attributes:
        found: the known image per name that matches exactly one.
        ambiguous: a sentence per name that matches several images.
    """

    found: Mapping[str, str]
    ambiguous: Mapping[str, str]


class FileNameMatcher:
    """Matches names to known images.

    A name matches the image of the same relative path; otherwise the one image whose path has the same end (two parts or more:
    `/data/clip1/0001.jpg` matches `clip1/0001.jpg`); otherwise the one image of the same base name. Two names never match the
    same image. Names that differ in Unicode normalisation, a backslash for `/` or a leading `./` are equal. Case matters.

    Args:
        known: names of the images, relative to their folder.
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
            asked: all names of the other source. Of two that match the same image, the closer one gets it; equally close ones are
                ambiguous.
            stems: whether a name may lack its suffix (`0001` for `0001.jpg`).

        Example:
            >>> FileNameMatcher(["clip1/0001.jpg", "clip2/0001.jpg"]).match(["/data/clip1/0001.jpg"]).found
            {'/data/clip1/0001.jpg': 'clip1/0001.jpg'}
        """
        found: dict[str, str] = {}
        ambiguous: dict[str, str] = {}
        by_rank: tuple[dict[str, str], ...] = ({}, {}, {})
        for name in dict.fromkeys(asked):
            candidates, rank = self._candidates(_plain(name), stems)
            if len(candidates) > 1:
                ambiguous[name] = f"{format_value(name)} matches several images: {_list_of(candidates)}"
            elif candidates:
                by_rank[rank][name] = candidates[0]
        taken: set[str] = set()
        for matches in by_rank:
            groups = _group_by_image(matches, without=taken)
            for image, spelled in groups.items():
                names = [name for same in spelled.values() for name in same]
                if len(spelled) == 1:
                    found |= dict.fromkeys(names, image)
                else:
                    ambiguous |= dict.fromkeys(names, f"{_list_of(names)} all match {format_value(image)}")
            taken |= groups.keys()
        return NameMatches(found, ambiguous)

    def _candidates(self, plain: str, stems: bool) -> tuple[list[str], int]:
        """Return the candidate images and the rank of the match: 0 same name, 1 same end of the path, 2 same base name."""
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
    """Return whether one path is the end of the other, by two parts or more."""
    shared = min(len(one), len(other))
    return shared >= 2 and one[-shared:] == other[-shared:]


def _group_by_image(images: Mapping[str, str], without: Collection[str]) -> dict[str, dict[str, list[str]]]:
    """Return the names that match each image, by normalised name; images that are matched more closely are left out."""
    groups: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for name, image in images.items():
        if image not in without:
            groups[image].setdefault(_plain(name), []).append(name)
    return groups


def _list_of(names: list[str]) -> str:
    shown = [format_value(name) for name in names[:3]]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
