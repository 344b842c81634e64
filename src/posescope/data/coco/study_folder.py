"""Photographs with annotations from which a model is explained: two sets that share no photograph, made from one or two files.

    one file     its photographs are dealt into two halves at random
    two files    a training and a validation file of one folder: both are used as they are

If a set has more persons than wanted, photographs are drawn at random. Both sets are written as annotation files of their own,
which refer to the images where they are; nothing else is copied.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from posescope.core.errors import DataError, pluralise
from posescope.core.files import fingerprint, sha256_of, write_json
from posescope.data.coco.annotation_stream import load_annotation_file
from posescope.data.coco.annotation_validation import validate_images
from posescope.data.coco.folder import SAMPLE_MARKER, CocoFolder, SourceOptions

__all__ = [
    "AnnotatedImages", "StudyFolder", "find_annotated_images", "fingerprint_of_images", "keypoint_category",
    "make_study_folder",
]  # fmt: skip

_FITTED, _JUDGED = "fitted", "judged"
_MAX_MISSING = 0.1  # of the photographs: more are an error of the folder
_LEAST_PERSONS = 3  # of each set


@dataclass(frozen=True)
class AnnotatedImages:
    """An annotation file and the folder of its images."""

    annotations: Path
    images: Path


@dataclass(frozen=True)
class StudyFolder(CocoFolder):
    """A data set whose annotation files are in `root` and whose images are elsewhere.

    Attributes:
        image_folders: folder of the images by split.
        generated: whether the images are those of the generated sample.
    """

    image_folders: Mapping[str, Path] = field(default_factory=dict)
    generated: bool = False

    @property
    def is_generated(self) -> bool:
        """Whether the images are those of the generated sample."""
        return self.generated

    def image_folder(self, source: SourceOptions, source_split: str) -> Path:
        """Return the folder of a split's images."""
        return self.image_folders[source_split]


def find_annotated_images(data: Path, images: Path | None = None) -> tuple[AnnotatedImages, ...]:
    """Find the annotation files of a data set and their images.

    Args:
        data: an annotation file, or a folder in the layout of COCO.
        images: folder of the images of a single annotation file; none: it is looked for beside the file.

    Returns:
        One file; or two, the training file first.

    Raises:
        DataError: if no file, or more than these, or no images are found.
    """
    if data.is_file():
        return (AnnotatedImages(data, images or _find_images(data)),)
    files = sorted([*data.glob("annotations/*.json*"), *data.glob("*.json*")])
    named = [file for file in files if file.name.startswith("person_keypoints_")] or files
    named = [file for file in named if file.name != SAMPLE_MARKER]
    train, val = ([file for file in named if part in file.name] for part in ("train", "val"))
    if len(named) == 1:
        return (AnnotatedImages(named[0], images or _find_images(named[0])),)
    if len(train) == len(val) == 1 and images is None:
        return tuple(AnnotatedImages(file, _find_images(file)) for file in (*train, *val))
    found = ", ".join(file.name for file in named[:5]) or "none"
    raise DataError(
        f"{data}: expected one annotation file (.json), or one for training and one for validation, found {found}. Name the "
        "file: --data FILE.json, and its images: --images FOLDER."
    )


def _find_images(annotations: Path) -> Path:
    """Return the folder beside an annotation file that has its first image."""
    records = load_annotation_file(annotations)["images"]
    name = next((record["file_name"] for record in records if isinstance(record, dict) and "file_name" in record), None)
    split = annotations.name.partition(".")[0].removeprefix("person_keypoints_")
    parent = annotations.parent
    places = [place / folder for place in (parent, parent.parent) for folder in (split, "images", f"images/{split}", ".")]
    found = next((place for place in places if isinstance(name, str) and (place / name).is_file()), None)
    if found is None:
        raise DataError(f"{annotations}: its image {name!r} was not found beside it. Name the folder: --images FOLDER.")
    return found


def fingerprint_of_images(source: AnnotatedImages) -> str:
    """Return 16 hexadecimal digits that change with the annotations, and with the size or time of an image.

    The images are not read. A copy that keeps neither times nor content is another data set.

    Raises:
        DataError: if the annotation file cannot be read.
    """
    names = sorted({name for image in load_annotation_file(source.annotations)["images"] if (name := _name_of(image))})
    stamps = [(name, *_stamp_of(source.images / name)) for name in names]
    return fingerprint([sha256_of(source.annotations), stamps])


def _stamp_of(path: Path) -> tuple[int, int]:
    """Return size and time of change of a file, -1 for a missing one."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # such as a name with a null character
        return -1, -1
    return found.st_size, found.st_mtime_ns


def keypoint_category(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the category whose joints are annotated.

    Args:
        content: content of an annotation file.
        path: its path, for the error.

    Raises:
        DataError: if none or several categories have keypoints, and none of them is `person`.
    """
    found = [category for category in content["categories"] if isinstance(category, dict) and category.get("keypoints")]
    chosen = found if len(found) == 1 else [category for category in found if category.get("name") == "person"]
    if len(chosen) != 1:
        names = ", ".join(str(category.get("name")) for category in found) or "none"
        raise DataError(
            f"{path}: expected one category with keypoints, found {names}. Leave one of them in the list 'categories'."
        )
    return dict(chosen[0])


def make_study_folder(
    sources: Sequence[AnnotatedImages], root: Path, max_persons: int, seed: int
) -> tuple[StudyFolder, SourceOptions]:
    """Write the annotation files of the fitted and of the judged persons.

    Args:
        sources: one file, whose photographs are dealt into halves, or the file of the fitted and that of the judged persons.
        root: folder for the files; it exists.
        max_persons: maximum number of fitted and of judged persons.
        seed: random seed of the halves and of the photographs that are drawn.

    Returns:
        The data set, and the names of its files.

    Raises:
        DataError: if more than 10 % of the photographs are missing or cannot be used, or too few persons have labelled joints.
    """
    parts = [_read_photographs(source, seed + number) for number, source in enumerate(sources)]
    if len(parts) == 1:
        parts = [parts[0].subset(parts[0].names[start::2]) for start in (0, 1)]
    for split, part, source in zip((_FITTED, _JUDGED), parts, (sources[0], sources[-1]), strict=True):
        chosen = part.subset(part.names_up_to(max_persons))
        if chosen.person_count < _LEAST_PERSONS:
            raise DataError(
                f"{source.annotations}: expected at least {_LEAST_PERSONS} persons with labelled joints in each half of the "
                f"photographs, found {chosen.person_count}. Use a data set with more photographs."
            )
        write_json(root / f"{split}.json", chosen.content, compact=True)
    folders = {_FITTED: sources[0].images, _JUDGED: sources[-1].images}
    generated = any((place / SAMPLE_MARKER).is_file() for place in sources[0].images.parents[:1])
    category = keypoint_category(parts[0].content, sources[0].annotations)
    options = SourceOptions(
        train_split=_FITTED, val_split=_JUDGED, annotations="{split}.json", category=str(category.get("name"))
    )
    return StudyFolder(root, folders, generated), options


@dataclass(frozen=True)
class _Photographs:
    """Content of an annotation file, with its usable photographs in random order.

    Attributes:
        content: the file.
        names: file names of the photographs.
    """

    content: dict[str, Any]
    names: list[str]

    @property
    def person_count(self) -> int:
        """Number of persons with a labelled joint."""
        return sum(self._persons_by_name().values())

    def subset(self, names: Sequence[str]) -> "_Photographs":
        """Return the photographs with these names."""
        images = [image for image in self.content["images"] if _name_of(image) in set(names)]
        ids = {json.dumps(image.get("id")) for image in images}
        annotations = [record for record in self.content["annotations"] if json.dumps(_field(record, "image_id")) in ids]
        return _Photographs({**self.content, "images": images, "annotations": annotations}, list(names))

    def names_up_to(self, max_persons: int) -> list[str]:
        """Return the first photographs that together have at most so many persons with a labelled joint."""
        counts = self._persons_by_name()
        total = np.cumsum([counts.get(name, 0) for name in self.names])
        return self.names[: int(np.searchsorted(total, max_persons, side="right"))]

    def _persons_by_name(self) -> dict[str, int]:
        names = {json.dumps(image.get("id")): _name_of(image) for image in self.content["images"] if isinstance(image, dict)}
        counts: dict[str, int] = {}
        for record in self.content["annotations"]:
            name = names.get(json.dumps(_field(record, "image_id")))
            keypoints = _field(record, "keypoints")
            if name is not None and isinstance(keypoints, list) and any(keypoints[2::3]) and not _field(record, "iscrowd"):
                counts[name] = counts.get(name, 0) + 1
        return counts


def _read_photographs(source: AnnotatedImages, seed: int) -> _Photographs:
    content = load_annotation_file(source.annotations)
    checked = validate_images(content["images"], source.images)
    if len(checked.issues) > _MAX_MISSING * max(1, len(content["images"])):
        first = checked.issues[0]
        raise DataError(
            f"{source.annotations}: {pluralise(len(checked.issues), 'photograph')} of {len(content['images'])} cannot be used in "
            f"{source.images}, such as {first['file_name'] or first['image_id']} ({first['reason']}). Name the folder of the "
            "photographs: --images FOLDER."
        )
    refused = {issue["file_name"] for issue in checked.issues}
    names = sorted({name for image in content["images"] if (name := _name_of(image)) and name not in refused})
    order = np.random.default_rng(seed).permutation(len(names))
    return _Photographs(content, [names[place] for place in order])


def _name_of(image: Any) -> str:
    name = _field(image, "file_name")
    return name if isinstance(name, str) else ""


def _field(record: Any, name: str) -> Any:
    return record.get(name) if isinstance(record, dict) else None
