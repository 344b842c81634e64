"""YOLO-pose: `data.yaml`, and for each image a text file with a line per person.

    class  x y w h (centre and size)  x y v (each joint)        fractions of the image

With two numbers per joint (`kpt_shape: [K, 2]`) a joint at 0, 0 is unlabelled. Lines have no ids and no other fields of COCO, and
trainers refuse what is outside the image: `posescope.json` beside `data.yaml` has what a line cannot say, for unchanged lines.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from posescope.core.errors import DataError
from posescope.core.files import atomic_folder
from posescope.core.skeleton import Skeleton
from posescope.data.coco.image_lookup import ImageLookup
from posescope.labelling.coco_labels import box_around
from posescope.labelling.label_set import (
    UNLABELLED,
    Joint,
    LabelError,
    LabelledImage,
    LabelledPerson,
    LabelSet,
    Notes,
    check_image_name,
    round_px,
)
from posescope.labelling.yolo_data_file import DATA_FILE, DataFile, read_data_file, write_data_file
from posescope.labelling.yolo_side_file import SIDE_FILE, SideFile, read_side_file, write_side_file

__all__ = ["read_yolo", "write_yolo"]

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_MAX_LABEL_BYTES = 64 * 1024**2


def read_yolo(path: Path, skeleton: Skeleton | None = None, category: str = "person", images: Path | None = None) -> LabelSet:
    """Return the labels of a YOLO-pose data set.

    Args:
        path: the folder, or its `data.yaml`.
        skeleton: joints; None: those of `kpt_names`, or COCO's if number and partners of the joints are COCO's.
        category: name of the class; the only one is read whatever its name.
        images: folder of the images, whose sizes are needed; None: those beside the labels.

    Raises:
        DataError: if a file is malformed, an image is missing, or the names of the joints are unknown.
    """
    data = read_data_file(path / DATA_FILE if path.is_dir() else path)
    side = read_side_file(data.path.parent)
    known = skeleton or (side.skeleton if side else None) or data.skeleton
    if known is None or len(known) != data.joint_count:
        found = "no names" if known is None else f"{len(known)} names"
        raise LabelError(
            f"{data.path}: expected the names of {data.joint_count} joints (kpt_names), found {found}: --skeleton FILE."
        )
    reader = _Reader(data, side, known, data.find_class(category), images)
    labelled = tuple(reader.read_all())
    notes = (
        ["The joints are taken to be COCO's, by their number and partners."] if data.is_guessed and known is data.skeleton else []
    )
    if reader.other_count:
        notes.append(f"{reader.other_count} lines of other classes were left out.")
    return LabelSet(known, data.names[reader.number], labelled, Notes(tuple(notes)))


def write_yolo(labels: LabelSet, path: Path, images: Path | None = None) -> None:
    """Write a YOLO-pose data set: `data.yaml`, `labels/` and `posescope.json`.

    Boxes and joints are moved into the image, where trainers refuse others; crowds are in `posescope.json` only.

    Args:
        labels: the labels.
        path: the folder; `labels` of an earlier call is replaced.
        images: folder of the images, to which `images` will be a link; None: put the images there.

    Raises:
        LabelError: if the folder has labels of another program, or two images differ only by their suffix, so that their labels
            would be one file.
    """
    if (path / "labels").exists() and not (path / SIDE_FILE).is_file():
        raise LabelError(f"{path / 'labels'}: expected no labels of another program here. Choose another folder.")
    stems = [_stem(image.name) for image in labels.images]
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise LabelError(f"Two images are called {twice} apart from their suffix; their labels would be one file. Rename one.")
    path.mkdir(parents=True, exist_ok=True)
    write_data_file(labels, path)
    lines = {
        image.name: ["" if person.side.get("iscrowd") else _write_line(image, person) for person in image.persons]
        for image in labels.images
    }
    with atomic_folder(path / "labels") as folder:
        for image, stem in zip(labels.images, stems, strict=True):
            target = folder / f"{stem}.txt"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("".join(f"{line}\n" for line in lines[image.name] if line), encoding="utf-8")
    write_side_file(labels, lines, path)
    link = path / "images"
    if images is not None and not link.exists():
        link.symlink_to(images.resolve(), target_is_directory=True)


class _Reader:
    """Reads the label files of a data set.

    Args:
        data: `data.yaml`.
        side: what the lines cannot say.
        skeleton: the K joints.
        number: of the class.
        images: folder of the images, if they are elsewhere.
    """

    def __init__(self, data: DataFile, side: SideFile | None, skeleton: Skeleton, number: int, images: Path | None) -> None:
        self.number, self.other_count = number, 0
        self._data, self._side, self._skeleton, self._images = data, side, skeleton, images
        self._seen: set[str] = set()

    def read_all(self) -> Iterator[LabelledImage]:
        """Yield the images of all folders: those with a label file, and images without one."""
        root = self._data.path.parent
        for folder in self._data.folders:
            label_folder = root / _labels_folder(folder)
            if not label_folder.is_dir() and not (root / folder).is_dir():
                raise LabelError(
                    f"{self._data.path}: found neither {root / folder} nor {label_folder}. Write the folders of the images "
                    "relative to this file: lists of images (.txt) and `path` are not read."
                )
            names = {} if self._images is None and not (root / folder).is_dir() else self._image_names(folder)
            files = {path.relative_to(label_folder).with_suffix("").as_posix(): path for path in label_folder.rglob("*.txt")}
            for stem in sorted({*files, *(names if self._images is None else ())}):
                yield from self._read_image(folder, stem, names.get(stem), files.get(stem))

    def _image_names(self, folder: PurePosixPath) -> Mapping[str, str]:
        """Return the names of image files by their names without suffix."""
        at = self._data.path.parent / folder if self._images is None else self._images
        found = [path.relative_to(at).as_posix() for path in sorted(at.rglob("*")) if path.suffix.lower() in _SUFFIXES]
        return {_stem(name): name for name in found}

    def _read_image(self, folder: PurePosixPath, stem: str, found: str | None, labels: Path | None) -> Iterator[LabelledImage]:
        inside = PurePosixPath(*folder.parts[1:]) if folder.parts[0] == "images" else folder
        name = found if self._images is not None else None if found is None else str(inside / found)
        known = self._side.find_image(name or str(inside / stem)) if self._side else None
        name = name or (known.name if known else None)
        if name is None:
            raise DataError(f"{labels}: found no image of these labels. Give the folder of the images: --images FOLDER.")
        if name in self._seen:
            return
        self._seen.add(name)
        at = self._images or self._data.path.parent / folder
        size = ImageLookup(at, "upright").read_size(found)
        if size is None and known is None:
            raise DataError(
                f"{at / (found or stem)}: the image cannot be read, and its size is needed. Replace it, or remove its labels."
            )
        width, height = (known.width, known.height) if size is None and known else (size or (0, 0))[::-1]
        image = LabelledImage(
            check_image_name(name, str(labels)), width, height, (), known.id if known else None, known.side if known else {}
        )  # fmt: skip
        lines = [] if labels is None else _read_lines(labels)
        persons = [one for place, line in lines if (one := self._read_person(line, image, f"{labels}:{place}")) is not None]
        crowds = known.crowds if known else ()
        yield LabelledImage(image.name, width, height, (*persons, *crowds), image.id, image.side)

    def _read_person(self, line: str, image: LabelledImage, place: str) -> LabelledPerson | None:
        numbers = _numbers(line, place)
        expected = 5 + self._data.joint_count * self._data.dimensions
        if len(numbers) != expected:
            raise LabelError(f"{place}: expected {expected} numbers (class, box, joints), found {len(numbers)}.")
        if numbers[0] != self.number:
            self.other_count += 1
            return None
        stored = self._side.find_person(image.name, line) if self._side else None
        if stored is not None and stored.is_whole:
            return stored.person
        x, y, width, height = numbers[1:5]
        scaled = ((x - width / 2) * image.width, (y - height / 2) * image.height, width * image.width, height * image.height)
        left, top, box_width, box_height = (round_px(value, place) for value in scaled)
        joints = tuple(self._read_joint(numbers, at, image, place) for at in range(self._data.joint_count))
        about = stored.person if stored else LabelledPerson(())
        return LabelledPerson(joints, (left, top, box_width, box_height), about.id, about.side)

    def _read_joint(self, numbers: list[float], joint: int, image: LabelledImage, place: str) -> Joint:
        dimensions = self._data.dimensions
        x, y, *seen = numbers[5 + joint * dimensions : 5 + (joint + 1) * dimensions]
        visibility = seen[0] if seen else (0 if (x, y) == (0, 0) else 2)
        if visibility not in (0, 1, 2):
            raise LabelError(
                f"{place}: {self._skeleton.joints[joint]}: expected a visibility of 0, 1 or 2, found {visibility:g}."
            )
        if not visibility:
            return UNLABELLED
        return Joint(round_px(x * image.width, place), round_px(y * image.height, place), int(visibility))


def _labels_folder(folder: PurePosixPath) -> PurePosixPath:
    """Return the folder of the labels: the last part `images` is replaced, as trainers do."""
    parts = list(folder.parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return PurePosixPath(*parts)


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def _read_lines(path: Path) -> list[tuple[int, str]]:
    try:
        if path.stat().st_size > _MAX_LABEL_BYTES:
            raise LabelError(f"{path}: expected at most {_MAX_LABEL_BYTES:,} bytes of labels of one image.")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LabelError(f"{path}: not a text file of labels ({error.reason}).") from error
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _numbers(line: str, place: str) -> list[float]:
    try:
        return [float(word) for word in line.split()]
    except ValueError as error:
        raise LabelError(f"{place}: expected numbers separated by spaces ({error}).") from error


def _write_line(image: LabelledImage, person: LabelledPerson) -> str:
    x, y, width, height = box_around(person)
    left, right = (_clip(value / image.width) for value in (x, x + width))
    top, bottom = (_clip(value / image.height) for value in (y, y + height))
    numbers = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    words = ["0", *(_word(value) for value in numbers)]
    for joint in person.joints:
        place = (_clip(joint.x / image.width), _clip(joint.y / image.height)) if joint.visibility else (0, 0)
        words += [*(_word(value) for value in place), str(joint.visibility)]
    return " ".join(words)


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _word(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".") or "0"
