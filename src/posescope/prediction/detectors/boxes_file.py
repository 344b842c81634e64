"""The detector `boxes_file`: boxes of a file, matched with the images that they belong to."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import DataError, pluralise
from posescope.core.plugins import Component
from posescope.data.coco.file_name_matching import FileNameMatcher, NameMatches
from posescope.data.coco.record_validation import format_value
from posescope.data.images.limits import ImageError
from posescope.prediction.detectors.box_records import SHOWN_ERRORS, Box, BoxesFileOptions, BoxRecords, read_box_records
from posescope.prediction.detectors.detector import Detections, MatchedImages
from posescope.prediction.poses import DetectedPerson, ImageInfo, image_id_from_name

__all__ = ["BoxesFile", "BoxesFileOptions"]


class BoxesFile(Component[BoxesFileOptions]):
    """Boxes of a file of COCO detection results or annotations, matched with the images by `file_name`, else by `image_id`.

    Names match as `FileNameMatcher` defines; text as `image_id` is a name, with or without suffix. A number matches only the
    image whose name it is (`000000000139.jpg`). Annotation files state names and sizes of the images: boxes belong to the upright
    image in full size. The file is read and validated at the first use, and kept.
    """

    def __init__(self, options: BoxesFileOptions) -> None:
        super().__init__(options)
        self._records: BoxRecords | None = None
        self._name_of_number: dict[int, str] = {}  # of the images so far

    def prepare(self, names: Sequence[str], detections: Detections) -> MatchedImages:
        """Match the boxes with all images of a run.

        Args:
            names: names of all images and videos.
            detections: the file.

        Raises:
            DataError: if too many records are invalid, a name is ambiguous, or no box belongs to any of the images.
        """
        records, self._name_of_number = read_box_records(detections.root, self.options), {}
        self._records, matched = _match_images(records, names)
        return matched

    def __call__(self, image: NDArray[np.uint8], info: ImageInfo, detections: Detections) -> list[DetectedPerson]:
        """Return the boxes of an image, in the order of the file; COCO's edges lose 0.5.

        Raises:
            ImageError: if the file states another size of the image.
            DataError: if too many records are invalid, or two images have the number by which boxes are known.
        """
        if self._records is None or self._records.path != detections.root:
            self._records, self._name_of_number = read_box_records(detections.root, self.options), {}
        return [DetectedPerson(info, one.box, one.score) for one in self._find(self._records, info)]

    def _find(self, records: BoxRecords, image: ImageInfo) -> list[Box]:
        number = image.id_from_name
        numbered = [] if number is None else records.by_id.get(number, [])
        if number is not None and numbered and self._name_of_number.setdefault(number, image.name) != image.name:
            raise DataError(
                f"{image.name}: another image has the same number, {self._name_of_number[number]}; {records.path} cannot tell "
                "them apart: give its records a file_name."
            )
        found = sorted(records.by_name.get(image.name, []) + numbered, key=lambda one: one.index)
        sizes = {one.image_size for one in found if one.image_size is not None}
        if sizes - {image.size}:
            raise ImageError(
                "image has another size",
                f"{image.name}: {records.path} states a size of {sizes.pop()} px (height, width), the upright image has "
                f"{image.size}: the boxes do not belong to it.",
            )
        return found


def _match_images(records: BoxRecords, names: Sequence[str]) -> tuple[BoxRecords, MatchedImages]:
    """Return the records by the images' own names, and what the file says of these images."""
    matches = _match_names(names, records.ids)
    if matches.ambiguous:
        raise DataError(f"{records.path}: ambiguous file names: {next(iter(matches.ambiguous.values()))}.")
    by_name: defaultdict[str, list[Box]] = defaultdict(list)
    all_ids: defaultdict[str, frozenset[int]] = defaultdict(frozenset)
    for name, ids in records.ids.items():
        if name in matches.found:
            by_name[matches.found[name]] += records.by_name.get(name, [])
            all_ids[matches.found[name]] |= ids
    names_by_number = {number: name for name in names if (number := image_id_from_name(name)) is not None}
    numbered = {number: name for number, name in names_by_number.items() if number in records.by_id}
    for number, name in numbered.items():
        all_ids[name] |= {number}
    taken = sum(map(len, by_name.values())) + sum(len(records.by_id[number]) for number in numbered)
    if not taken:
        raise DataError(f"{records.path}: {_explain_no_match(records, names)}")
    clear = _unambiguous_ids(all_ids)
    return replace(records, by_name=by_name, ids=all_ids), MatchedImages(clear, _notes(records, taken, clear))


def _match_names(names: Sequence[str], asked: Collection[str]) -> NameMatches:
    """Match names; a frame goes by the name of its video (`clip.mp4#3`)."""
    frames = {name: name.rpartition("#") for name in asked if name.rpartition("#")[2].isdecimal() and "#" in name}
    videos = {name: video for name, (video, _, _) in frames.items()}
    matches = FileNameMatcher(names).match(sorted({videos.get(name, name) for name in asked}), stems=True)
    found = {name: matches.found[videos.get(name, name)] for name in asked if videos.get(name, name) in matches.found}
    found |= {name: f"{found[name]}#{frames[name][2]}" for name in frames if name in found}
    return NameMatches(found, matches.ambiguous)


def _unambiguous_ids(ids: Mapping[str, frozenset[int]]) -> dict[str, int]:
    """Return the id of each image if no image has two and no id belongs to two images; else nothing."""
    numbers = [number for own in ids.values() for number in own]
    clear = len(set(numbers)) == len(numbers) and all(len(own) <= 1 for own in ids.values())
    return {name: next(iter(own)) for name, own in ids.items() if own} if clear else {}


def _notes(records: BoxRecords, taken: int, ids: Mapping[str, int]) -> tuple[str, ...]:
    notes = []
    if records.errors:
        notes.append(
            f"{records.path}: {len(records.errors)} of {pluralise(records.count, 'record')} ignored as invalid (counted from 0): "
            + "; ".join(records.errors[:SHOWN_ERRORS])
        )
    if taken < records.count - len(records.errors):
        ignored = "".join(f", {number} {reason}" for reason, number in records.ignored.items())
        notes.append(f"{records.path}: {taken} of {pluralise(records.count, 'record')} are boxes of these images{ignored}.")
    if not ids:
        notes.append(f"{records.path}: its image_ids do not identify the images; image_id of the poses are numbers of our own.")
    return tuple(notes)


def _explain_no_match(records: BoxRecords, names: Sequence[str]) -> str:
    reasons = [f"{number} {reason}" for reason, number in records.ignored.items()]
    if records.by_name:
        reasons.append(
            f"{sum(map(len, records.by_name.values()))} with a name (file_name, or text as image_id) that no image has, "
            f"such as {format_value(next(iter(records.by_name)))}"
        )
    if records.by_id:
        reasons.append(
            f"{sum(map(len, records.by_id.values()))} without a file_name whose image_id is the number of no image's name, "
            f"such as {next(iter(records.by_id))}"
        )
    if records.errors:
        reasons.append(f"{len(records.errors)} invalid ({records.errors[0]})")
    found = "; ".join(reasons) or "it has no records"
    images = pluralise(len(names), "image") + "".join(f" (such as {name!r})" for name in names[:1])
    return f"none of its {pluralise(records.count, 'record')} is a box of the {images}. Found: {found}."
