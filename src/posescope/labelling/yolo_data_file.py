"""`data.yaml` of a YOLO-pose data set: the classes, the shape of the joints, and the folders of the images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from posescope.core.errors import DataError
from posescope.core.files import atomic_write
from posescope.core.skeleton import COCO_PERSON, Skeleton
from posescope.labelling.label_set import LabelError, LabelSet, skeleton_of_names

__all__ = ["DATA_FILE", "DataFile", "read_data_file", "write_data_file"]

DATA_FILE = "data.yaml"
_SPLITS = ("train", "val", "test")
_MAX_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class DataFile:
    """The content of `data.yaml`.

    Attributes:
        path: the file.
        joint_count: K.
        dimensions: numbers per joint: 3 with visibility, 2 without.
        names: names of the classes by number.
        folders: image folders below that of the file.
        skeleton: joints by `kpt_names`, or COCO's by their number and their partners in a flip; None: unknown.
        is_guessed: whether the skeleton is COCO's by number and partners.
    """

    path: Path
    joint_count: int
    dimensions: int
    names: Mapping[int, str]
    folders: tuple[PurePosixPath, ...]
    skeleton: Skeleton | None
    is_guessed: bool

    def find_class(self, category: str) -> int:
        """Return the number of a class; the only one is meant whatever its name.

        Raises:
            LabelError: if there is no such class.
        """
        found = [number for number, name in self.names.items() if name == category or len(self.names) == 1]
        if not found:
            known = ", ".join(self.names.values()) or "none"
            raise LabelError(f"{self.path}: names: expected a class {category}, found {known}. Name it: --category.")
        return found[0]


def read_data_file(path: Path) -> DataFile:
    """Read `data.yaml`.

    Args:
        path: the file.

    Raises:
        DataError: if it cannot be read, has no keypoints, or names a folder outside its own.
    """
    content = _load(path)
    shape = content.get("kpt_shape")
    if not isinstance(shape, list) or len(shape) != 2 or not all(type(one) is int for one in shape) or shape[1] not in (2, 3):
        raise LabelError(f"{path}: kpt_shape: expected [joints, 2 or 3] of a pose data set, found {shape!r:.100}.")
    names = content.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(type(number) is int for number in names):
        raise LabelError(f"{path}: names: expected the names of the classes, found {names!r:.100}.")
    folders = []
    for split in _SPLITS:
        entries = content.get(split) or []
        folders += [_inside(entry, path, split) for entry in (entries if isinstance(entries, list) else [entries])]
    skeleton, is_guessed = _read_skeleton(content, shape[0], path)
    classes = {number: str(name) for number, name in names.items()}
    return DataFile(path, shape[0], shape[1], classes, tuple(dict.fromkeys(folders)), skeleton, is_guessed)


def write_data_file(labels: LabelSet, folder: Path) -> None:
    """Write `data.yaml` for labels whose images are all in `images`.

    Args:
        labels: skeleton and category.
        folder: its folder.
    """
    skeleton = labels.skeleton
    content = {
        "train": "images",
        "val": "images",
        "names": {0: labels.category},
        "kpt_shape": [len(skeleton), 3],
        "flip_idx": list(skeleton.flip_indices),
        "kpt_names": {0: list(skeleton.joints)},
    }
    with atomic_write(folder / DATA_FILE) as temporary:
        text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, allow_unicode=True)
        temporary.write_text("# Split the images into train and val before training.\n" + text, encoding="utf-8")


def _load(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise LabelError(f"{path}: expected a small YAML file, found {path.stat().st_size:,} bytes.")
        text = path.read_text(encoding="utf-8")
        if "&" in text and "*" in text and any(isinstance(one, yaml.AliasToken) for one in yaml.scan(text)):
            raise LabelError(f"{path}: expected YAML without aliases (*name). Write the values out.")
        content = yaml.safe_load(text)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file. A YOLO-pose data set has a file {DATA_FILE}.") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise LabelError(f"{path}: not a YAML file ({' '.join(str(error).split())[:200]}).") from error
    if not isinstance(content, dict):
        raise LabelError(f"{path}: expected names and values, found {type(content).__name__}.")
    return content


def _inside(entry: Any, path: Path, split: str) -> PurePosixPath:
    """Return a folder below that of the file. Roboflow writes `../train/images` for `train/images`."""
    if not isinstance(entry, str) or not entry:
        raise LabelError(f"{path}: {split}: expected a folder of images, found {entry!r:.100}.")
    plain = PurePosixPath(entry.replace("\\", "/"))
    if not plain.parts:
        raise LabelError(f"{path}: {split}: expected the folder of the images, found {entry!r:.100}. Write images, for example.")
    if plain.parts[0] == ".." and (path.parent / PurePosixPath(*plain.parts[1:])).is_dir():
        plain = PurePosixPath(*plain.parts[1:])
    if plain.is_absolute() or ".." in plain.parts or ":" in plain.parts[0]:
        raise LabelError(f"{path}: {split}: expected a folder below that of the file, found {entry!r:.200}.")
    return plain


def _read_skeleton(content: Mapping[str, Any], joint_count: int, path: Path) -> tuple[Skeleton | None, bool]:
    named = content.get("kpt_names")
    if isinstance(named, dict) and named:
        named = next(iter(named.values()))
    if named is not None:
        if not isinstance(named, list) or len(named) != joint_count:
            raise LabelError(f"{path}: kpt_names: expected the names of {joint_count} joints, found {named!r:.200}.")
        limbs = COCO_PERSON.limbs if tuple(named) == COCO_PERSON.joints else ()
        return skeleton_of_names(named, limbs, str(path)), False
    if joint_count == len(COCO_PERSON) and content.get("flip_idx") == list(COCO_PERSON.flip_indices):
        return COCO_PERSON, True
    return None, False
