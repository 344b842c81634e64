"""The formats by name: how each is read and written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posescope.core.errors import DataError, OptionsError
from posescope.core.files import read_json
from posescope.core.skeleton import Skeleton
from posescope.labelling.archives import unpacked
from posescope.labelling.coco_labels import is_written_here, read_coco_labels, write_coco_labels
from posescope.labelling.cvat_labels import write_cvat_labels
from posescope.labelling.cvat_xml import read_cvat, write_cvat
from posescope.labelling.fiftyone_dataset import read_fiftyone, write_fiftyone
from posescope.labelling.label_set import LabelError, LabelSet, check_unique_names
from posescope.labelling.label_studio import read_label_studio, write_label_studio
from posescope.labelling.label_studio_interface import write_label_studio_interface
from posescope.labelling.restoring import drop_repeated_ids
from posescope.labelling.yolo_pose import read_yolo, write_yolo

__all__ = ["FORMATS", "LabelFormat", "ReadOptions", "find_format", "read_labels", "read_skeleton_file", "write_labels"]


@dataclass(frozen=True)
class ReadOptions:
    """What a file of labels may not say.

    Attributes:
        category: name of the persons' label.
        skeleton: joints in their order.
        images: folder of the images.
    """

    category: str = "person"
    skeleton: Skeleton | None = None
    images: Path | None = None


@dataclass(frozen=True)
class LabelFormat:
    """One format.

    Attributes:
        name: its name on the command line.
        title: its name in texts.
        pattern: name of its file in a folder or archive; '': the folder itself.
        read: reads a file or folder.
        write: writes into a folder, and returns the files.
    """

    name: str
    title: str
    pattern: str
    read: Callable[[Path, ReadOptions], LabelSet]
    write: Callable[[LabelSet, Path, Path | None, str], list[Path]]


def read_labels(path: Path, name: str, options: ReadOptions) -> LabelSet:
    """Read labels of a format from a file, a folder or a zip archive.

    Args:
        path: the export as it was downloaded.
        name: name of the format.
        options: what the file may not say.

    Raises:
        DataError: if the export is malformed or unsafe, or has an image twice.
    """
    kind = find_format(name)
    with unpacked(path, images=name == "yolo" and options.images is None) as place:
        found = kind.read(_find_file(place, kind, path), options)
    check_unique_names(found, str(path))
    return drop_repeated_ids(found)


def write_labels(labels: LabelSet, name: str, folder: Path, images: Path | None = None, image_prefix: str = "") -> list[Path]:
    """Write labels in a format.

    Args:
        labels: the labels.
        name: name of the format.
        folder: folder of the files; created if needed.
        images: folder of the images, for formats that name them.
        image_prefix: address of the images, for Label Studio; '': that of a local storage.

    Returns:
        The files, the one to import first.
    """
    return find_format(name).write(labels, folder, images, image_prefix)


def find_format(name: str) -> LabelFormat:
    """Return a format.

    Args:
        name: its name.

    Raises:
        OptionsError: if there is none of this name.
    """
    if name not in FORMATS:
        raise OptionsError(f"Expected a format of labels, one of {', '.join(FORMATS)}; found '{name}'.")
    return FORMATS[name]


def read_skeleton_file(path: Path, category: str = "person") -> Skeleton:
    """Return the skeleton of a COCO annotation file, or of a file `skeleton.json` of a run.

    Args:
        path: the file.
        category: name of the category.

    Raises:
        DataError: if the file has none.
    """
    content: Any = read_json(path, strict=False)
    if isinstance(content, dict) and "joints" in content:
        try:
            return Skeleton.from_dict(content)
        except (KeyError, TypeError, ValueError) as error:
            raise LabelError(f"{path}: expected the fields joints, limbs and oks_sigmas ({error}).") from error
    return read_coco_labels(path, category).skeleton


def _find_file(place: Path, kind: LabelFormat, path: Path) -> Path:
    """Return the file of a format in a folder: the one at the top, or the only one below."""
    if not place.is_dir():
        return place
    found = [place / kind.pattern] if (place / kind.pattern).is_file() else sorted(place.rglob(kind.pattern))
    if len(found) != 1:
        names = ", ".join(str(one.relative_to(place)) for one in found[:3]) or "none"
        raise DataError(f"{path}: expected one file {kind.pattern} of {kind.title}, found {names}. Give the file itself.")
    return found[0]


def _write_coco(labels: LabelSet, folder: Path, _: Path | None, __: str) -> list[Path]:
    target = folder / "annotations.json"
    if target.exists() and not is_written_here(target):
        raise LabelError(f"{target}: expected no annotation file of another program here. Choose another folder.")
    write_coco_labels(labels, folder / "annotations.json")
    return [folder / "annotations.json"]


def _write_cvat(labels: LabelSet, folder: Path, _: Path | None, __: str) -> list[Path]:
    write_cvat(labels, folder / "annotations.xml")
    write_cvat_labels(labels, folder / "labels.json")
    return [folder / "annotations.xml", folder / "labels.json"]


def _write_label_studio(labels: LabelSet, folder: Path, _: Path | None, image_prefix: str) -> list[Path]:
    write_label_studio(labels, folder / "tasks.json", **({"image_prefix": image_prefix} if image_prefix else {}))
    write_label_studio_interface(labels, folder / "interface.xml")
    return [folder / "tasks.json", folder / "interface.xml"]


def _write_fiftyone(labels: LabelSet, folder: Path, images: Path | None, _: str) -> list[Path]:
    write_fiftyone(labels, folder, images)
    return [folder / "samples.json", folder / "metadata.json"]


def _write_yolo(labels: LabelSet, folder: Path, images: Path | None, _: str) -> list[Path]:
    write_yolo(labels, folder, images)
    return [folder / "data.yaml", folder / "labels"]


FORMATS: Mapping[str, LabelFormat] = {
    one.name: one
    for one in (
        LabelFormat("coco", "COCO", "*.json", lambda path, own: read_coco_labels(path, own.category, own.skeleton), _write_coco),
        LabelFormat("cvat", "CVAT", "*.xml", lambda path, own: read_cvat(path, own.category), _write_cvat),
        LabelFormat(
            "fiftyone",
            "FiftyOne",
            "samples.json",
            lambda path, own: read_fiftyone(path, own.skeleton, own.category, own.images),
            _write_fiftyone,
        ),
        LabelFormat(
            "label_studio",
            "Label Studio",
            "*.json",
            lambda path, own: read_label_studio(path, own.skeleton, own.category),
            _write_label_studio,
        ),
        LabelFormat(
            "yolo",
            "YOLO-pose",
            "data.yaml",
            lambda path, own: read_yolo(path, own.skeleton, own.category, own.images),
            _write_yolo,
        ),
    )
}
