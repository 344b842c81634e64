"""A file of boxes: its records are checked one by one, and matched to the images that they are of."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posescope.core.errors import DataError, pluralise
from posescope.core.files import read_json
from posescope.data.coco.file_name_matching import FileNameMatcher, NameMatches
from posescope.data.coco.record_validation import MAX_NUMBER, is_int64, show_value
from posescope.data.images.decoding import ImageError
from posescope.prediction.poses import ImageInfo, image_id_from_name

__all__ = ["BoxIndex", "BoxRules", "Detections", "MatchedImages", "index_boxes"]

_SHOWN_FAULTS = 10


@dataclass(frozen=True)
class Detections:
    """COCO detection results (or annotations) of a file, if there is one.

    Attributes:
        root: the file.
    """

    root: Path

    def is_finished(self) -> bool:
        """True if the file is there."""
        return self.root.is_file()

    def read(self) -> Sequence[Mapping[str, Any]]:
        """Return the records: a list of results, or the `annotations` of an annotation file.

        Raises:
            DataError: if the file is missing or neither.
        """
        return self.read_all().records

    def read_all(self) -> "BoxesContent":
        """Return the records, and the images of an annotation file.

        Raises:
            DataError: if the file is missing or neither, or if two of its images have the same id.
        """
        content = read_json(self.root, strict=False)
        records = content.get("annotations") if isinstance(content, dict) else content
        if not isinstance(records, list):
            raise DataError(f"{self.root}: expected COCO results (a list) or annotations, found {type(content).__name__}.")
        images = content.get("images") if isinstance(content, dict) else None
        known = [image for image in images if _is_image(image)] if isinstance(images, list) else []
        _check_ids(known, self.root)
        return BoxesContent(records, {image["id"]: image for image in known})


@dataclass(frozen=True)
class BoxesContent:
    """Attributes: records: as they stand in the file; images: those of an annotation file, by id."""

    records: Sequence[Any]
    images: Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True)
class BoxRules:
    """Which boxes are taken. Attributes as the options of `boxes_file`."""

    min_score: float
    category_id: int | None
    max_invalid_fraction: float


@dataclass(frozen=True)
class MatchedImages:
    """What a file of boxes says of the images that it is asked about.

    Attributes:
        ids: image_id in the file, by the image's name; of the images that the file knows.
        notes: what the user should be told, one sentence each.
    """

    ids: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Box:
    """Attributes: place: of the record in the file; box: (x, y, w, h) px, our convention; score; of_size: the image's."""

    place: int
    box: tuple[float, float, float, float]
    score: float
    of_size: tuple[int, int] | None


@dataclass(frozen=True)
class BoxIndex:
    """The boxes of a file, by what their records call the image; and which image has been known by which number so far.

    Attributes:
        path: of the file.
        by_name: boxes by the file name that their record gives.
        by_number: boxes of records without a name, by their image_id.
        ids: every image_id that stands beside a file name.
        passed_over: how many records are not taken, by reason.
        faults: what is wrong with invalid records, one sentence each.
        count: of all records.
    """

    path: Path
    by_name: Mapping[str, list[_Box]]
    by_number: Mapping[int, list[_Box]]
    ids: Mapping[str, frozenset[int]]
    passed_over: Mapping[str, int]
    faults: Sequence[str]
    count: int
    asked: dict[int, str] = field(default_factory=dict)

    def find(self, image: ImageInfo) -> list[_Box]:
        """Return the boxes of an image, in the order of the file.

        Raises:
            ImageError: if the file says another size of the image.
            DataError: if boxes are known by the number of two images.
        """
        number = image.id_from_name
        numbered = [] if number is None else self.by_number.get(number, [])
        if number is not None and numbered and self.asked.setdefault(number, image.name) != image.name:
            raise DataError(
                f"{image.name}: another image has the same number, {self.asked[number]}; {self.path} cannot tell them "
                "apart: give its records a file_name."
            )
        found = sorted(self.by_name.get(image.name, []) + numbered, key=lambda one: one.place)
        sizes = {one.of_size for one in found if one.of_size is not None}
        if sizes - {image.size}:
            raise ImageError(
                "image has another size",
                f"{image.name}: {self.path} speaks of a picture of {sizes.pop()} px (height, width), and upright it has "
                f"{image.size}: the boxes do not belong to it.",
            )
        return found

    def match(self, names: Sequence[str]) -> tuple["BoxIndex", MatchedImages]:
        """Match the records to images by name (`FileNameMatcher`).

        Args:
            names: of all images and videos that will be asked about.

        Returns:
            The index with the images' own names, and what the file says of these images.

        Raises:
            DataError: if a name may mean several images, or not one box belongs to one of the images.
        """
        matches = _match_names(names, {*self.by_name, *self.ids})
        if matches.ambiguous:
            raise DataError(f"{self.path}: ambiguous file names: {next(iter(matches.ambiguous.values()))}.")
        by_name: defaultdict[str, list[_Box]] = defaultdict(list)
        for name, boxes in self.by_name.items():
            if name in matches.found:
                by_name[matches.found[name]] += boxes
        numbers = {number: name for name in names if (number := image_id_from_name(name)) is not None}
        numbered = {number: name for number, name in numbers.items() if number in self.by_number}
        taken = sum(map(len, by_name.values())) + sum(len(self.by_number[number]) for number in numbered)
        if not taken:
            raise DataError(f"{self.path}: {self._why_none(names)}")
        every: defaultdict[str, frozenset[int]] = defaultdict(frozenset)
        for name, own in self.ids.items():
            if name in matches.found:
                every[matches.found[name]] |= own
        for number, name in numbered.items():
            every[name] |= {number}
        ids = _clear_ids(every)
        index = BoxIndex(self.path, by_name, self.by_number, every, self.passed_over, self.faults, self.count)
        return index, MatchedImages(ids, self._notes(taken, ids))

    def _notes(self, taken: int, ids: Mapping[str, int]) -> tuple[str, ...]:
        notes = []
        if self.faults:
            notes.append(
                f"{self.path}: {len(self.faults)} of {pluralise(self.count, 'record')} left out as invalid (counted from 0): "
                + "; ".join(self.faults[:_SHOWN_FAULTS])
            )
        if taken < self.count - len(self.faults):
            passed = "".join(f", {number} {reason}" for reason, number in self.passed_over.items())
            notes.append(f"{self.path}: {taken} of {pluralise(self.count, 'record')} are boxes of these images{passed}.")
        if not ids:
            notes.append(f"{self.path}: no image_id in it tells the images apart; image_id of the poses are numbers of our own.")
        return tuple(notes)

    def _why_none(self, names: Sequence[str]) -> str:
        passed = [f"{number} {reason}" for reason, number in self.passed_over.items()]
        if self.by_name:
            passed.append(
                f"{sum(map(len, self.by_name.values()))} with a name (file_name, or text as image_id) that no image has, "
                f"such as {show_value(next(iter(self.by_name)))}"
            )
        if self.by_number:
            passed.append(
                f"{sum(map(len, self.by_number.values()))} without a file_name whose image_id is the number of no image's name, "
                f"such as {next(iter(self.by_number))}"
            )
        if self.faults:
            passed.append(f"{len(self.faults)} invalid ({self.faults[0]})")
        found = "; ".join(passed) or "it has no records"
        asked = pluralise(len(names), "image") + "".join(f" ({name!r} for one)" for name in names[:1])
        return f"none of its {pluralise(self.count, 'record')} is a box of the {asked}. Found: {found}."


def index_boxes(detections: Detections, rules: BoxRules) -> BoxIndex:
    """Read and check a file of boxes.

    Raises:
        DataError: if the file is missing or no list of records, or if more records are invalid than the rules allow; it names the
            first ten.
    """
    content = detections.read_all()
    by_name: defaultdict[str, list[_Box]] = defaultdict(list)
    by_number: defaultdict[int, list[_Box]] = defaultdict(list)
    ids: defaultdict[str, frozenset[int]] = defaultdict(frozenset)
    passed_over: Counter[str] = Counter()
    faults: list[str] = []
    for image_id, image in content.images.items():
        if isinstance(image.get("file_name"), str):
            ids[image["file_name"]] |= {image_id}
    for place, record in enumerate(content.records):
        reason = _why_passed_over(record, rules)
        if reason:
            passed_over[reason] += 1
            continue
        fault = _find_fault(record)
        if fault:
            faults.append(f"record {place}: {fault}")
            continue
        name, number, size = _image_of(record, content.images)
        box = _Box(place, _our_box(record["bbox"]), float(record.get("score", 1.0)), size)
        if box.score < rules.min_score:
            passed_over[f"with a score below min_score {rules.min_score:g}"] += 1
            continue
        if name is None:
            by_number[number].append(box)  # type: ignore[index]
        else:
            by_name[name].append(box)
            ids[name] |= frozenset() if number is None else {number}
    _check_share(detections.root, faults, len(content.records), rules.max_invalid_fraction)
    return BoxIndex(detections.root, by_name, by_number, ids, passed_over, faults, len(content.records))


def _why_passed_over(record: Any, rules: BoxRules) -> str:
    """Why a record is none of ours, or ''."""
    if not isinstance(record, dict):
        return ""
    category = record.get("category_id", rules.category_id)
    if rules.category_id is not None and is_int64(category) and category != rules.category_id:
        return f"of category_id {category}, not {rules.category_id} (option category_id of boxes_file)"
    return "crowds" if record.get("iscrowd") in (1, True) else ""


def _find_fault(record: Any) -> str:
    """What is wrong with a record, or ''."""
    if not isinstance(record, dict):
        return f"expected image_id and bbox [x, y, w, h], found {show_value(record)[:60]}"
    if "bbox" not in record or not {"image_id", "file_name"} & record.keys():
        return f"expected image_id and bbox [x, y, w, h], found {', '.join(map(str, record))[:60] or 'nothing'}"
    box = record["bbox"]
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        return f"bbox: expected four finite numbers [x, y, w, h] below {MAX_NUMBER:g}, found {show_value(box)[:60]}"
    if min(box[2:]) <= 0:
        return f"bbox: expected w and h above 0, found {show_value(box)[:60]}"
    if not _is_number(record.get("score", 1.0)):
        return f"score: expected a finite number below {MAX_NUMBER:g}, found {show_value(record['score'])[:60]}"
    name, number = record.get("file_name"), record.get("image_id")
    if not isinstance(name, str | None) or (not name and not (_is_id(number) or isinstance(number, str))):
        return f"expected image_id or file_name, found {show_value(number)[:60]} and {show_value(name)[:60]}"
    if not is_int64(record.get("category_id", 0)):
        return f"category_id: expected a whole number, found {show_value(record['category_id'])[:60]}"
    return ""


def _image_of(
    record: Mapping[str, Any], images: Mapping[int, Mapping[str, Any]]
) -> tuple[str | None, int | None, tuple[int, int] | None]:
    """What a record calls its image, by name if it can: name, number, and the image's (height, width) px if it is known."""
    number = int(record["image_id"]) if _is_id(record.get("image_id")) else None
    image = {} if number is None else images.get(number, {})
    name = record.get("file_name") or image.get("file_name")
    if not isinstance(name, str):
        name = record["image_id"] if isinstance(record.get("image_id"), str) else None
    height, width = image.get("height"), image.get("width")
    size = (int(height), int(width)) if isinstance(height, int) and isinstance(width, int) else None
    return name if isinstance(name, str) else None, number, size


def _our_box(box: Sequence[float]) -> tuple[float, float, float, float]:
    """COCO's edges lose 0.5."""
    return float(box[0]) - 0.5, float(box[1]) - 0.5, float(box[2]), float(box[3])


def _check_share(path: Path, faults: Sequence[str], count: int, max_share: float) -> None:
    if len(faults) > max_share * count:
        more = f"\n  and {len(faults) - _SHOWN_FAULTS} more" if len(faults) > _SHOWN_FAULTS else ""
        raise DataError(
            f"{path}: {len(faults)} of {pluralise(count, 'record')} invalid (counted from 0), more than the share of "
            f"{max_share:g} that may be left out (option max_invalid_share of boxes_file):\n  "
            + "\n  ".join(faults[:_SHOWN_FAULTS])
            + more
        )


def _clear_ids(ids: Mapping[str, frozenset[int]]) -> dict[str, int]:
    """The number of each image, if no image has two and no number two images; else nothing."""
    numbers = [number for own in ids.values() for number in own]
    clear = len(set(numbers)) == len(numbers) and all(len(own) <= 1 for own in ids.values())
    return {name: next(iter(own)) for name, own in ids.items() if own} if clear else {}


def _match_names(names: Sequence[str], asked: set[str]) -> NameMatches:
    """A frame is known by the name of its video (`clip.mp4#3`)."""
    frames = {name: name.rpartition("#") for name in asked if name.rpartition("#")[2].isdecimal() and "#" in name}
    videos = {name: video for name, (video, _, _) in frames.items()}
    matches = FileNameMatcher(names).match(sorted({videos.get(name, name) for name in asked}), stems=True)
    found = {name: matches.found[videos.get(name, name)] for name in asked if videos.get(name, name) in matches.found}
    found |= {name: f"{found[name]}#{frames[name][2]}" for name in frames if name in found}
    return NameMatches(found, matches.ambiguous)


def _check_ids(images: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Accept each id once: a box of that id would otherwise go to whichever image stands last."""
    doubled = next((number for number, times in Counter(image["id"] for image in images).items() if times > 1), None)
    if doubled is not None:
        names = [image.get("file_name") for image in images if image["id"] == doubled]
        raise DataError(
            f"{path}: images: expected each id once, found id {doubled} more than once ({show_value(names)}). Mend the file."
        )


def _is_image(image: Any) -> bool:
    return isinstance(image, dict) and is_int64(image.get("id"))


def _is_id(value: Any) -> bool:
    return is_int64(value) or (isinstance(value, float) and abs(value) < 2**53 and value.is_integer())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -MAX_NUMBER < value < MAX_NUMBER
