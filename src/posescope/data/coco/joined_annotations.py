"""The annotations of several data sets as one: unique ids, one skeleton, and a weight of each joint."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.joint_matching import name_joints
from posescope.core.skeleton import Skeleton
from posescope.core.tables import DataQuality, Issues, Keypoints, Persons, join_joints, joints_of
from posescope.data.coco.annotation_stream import load_annotation_file
from posescope.data.coco.annotation_validation import validate_annotations
from posescope.data.coco.category import read_category
from posescope.data.coco.failure_limits import FailureLimits
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.reader import Annotations, read_annotations
from posescope.data.coco.repair import parse_int64
from posescope.data.coco.sources import ID_STRIDE, NamedSource, SourceFolders, merge_skeletons, naming_source, our_joints

__all__ = ["SourceTruth", "join_truths", "load_source_truths", "load_truth", "read_sources", "read_truth", "select_images"]


@dataclass(frozen=True, eq=False)
class SourceTruth:
    """The annotations of one of several data sets that its average precision is computed against.

    Attributes:
        name: name of the data set.
        skeleton: the joints that it annotates, with the names of the network, its own OKS sigmas, and the category of the joined
            data.
        content: content of an annotation file with these joints, and with the ids and the category of the joined data; malformed
            records are left out, as the reader does it.
        has_validation_file: whether its validation set has its own annotation file.
    """

    name: str
    skeleton: Skeleton
    content: Mapping[str, Any]
    has_validation_file: bool

    @property
    def image_ids(self) -> list[int]:
        """Ids of all images of its annotation file."""
        return [image["id"] for image in self.content["images"]]


def read_sources(folder: CocoFolder, source: SourceOptions, failures: FailureLimits | None = None) -> Annotations:
    """Read and validate the annotations of one data set, or of several as one.

    Args:
        folder: folder of the data set, or the folders of several (`combine_folders`).
        source: options of a single data set; not read if there are several.
        failures: maximum fractions of invalid records and implausible labels, for each data set; None: any.

    Returns:
        The annotations. Of several data sets, `persons` has the column `source` and `keypoints` the column `weight`, which is 0
        where a data set does not annotate a joint.

    Raises:
        DataError: as `read_annotations`; with several data sets the message names the one. Also if one of several has an id that
            is negative or too large.
    """
    if not isinstance(folder, SourceFolders):
        return read_annotations(folder, source, failures)
    found: list[tuple[NamedSource, Annotations]] = []
    for own in folder.sources:
        with naming_source(own.name):
            read = read_annotations(folder.folder_of(own), own, failures)
            _check_ids(read)
        found.append((own, read))
    skeleton = merge_skeletons([(own, read.skeleton) for own, read in found])
    parts: list[Annotations] = []
    for number, (own, read) in enumerate(found):
        first_id = sum(len(part.persons) for part in parts)
        parts.append(_join(own, read, skeleton, number * ID_STRIDE, first_id))
    persons = _concat([part.persons for part in parts])
    if "group" in persons:
        persons["group"] = persons["group"].fillna("")
    return Annotations(
        persons=pd.DataFrame(Persons.validate(persons)),
        keypoints=pd.DataFrame(Keypoints.validate(name_joints(_concat([part.keypoints for part in parts]), skeleton.joints))),
        issues=pd.DataFrame(Issues.validate(_concat([part.issues for part in parts]))),
        quality=pd.DataFrame(DataQuality.validate(_concat([part.quality for part in parts]))),
        skeleton=skeleton,
    )


def load_truth(folder: CocoFolder, source: SourceOptions, split: str, skeleton: Skeleton) -> Path | dict[str, Any]:
    """Return the annotations that average precision of a split is computed against.

    Args:
        folder: folder of the data set, or the folders of several.
        source: options of a single data set.
        split: train, val, test or calibration.
        skeleton: skeleton of the data.

    Returns:
        The annotation file of a single data set. Of several, the content of one file with the ids and the joints of the joined
        data; malformed records are left out, as the reader does it.

    Raises:
        DataError: if a file is missing or invalid as a whole.
    """
    if not isinstance(folder, SourceFolders):
        return folder.annotation_file(source, source.source_split_of(split))
    return join_truths(load_source_truths(folder, split, skeleton.category_id), skeleton)


def load_source_truths(folder: CocoFolder, split: str, category_id: int) -> tuple[SourceTruth, ...]:
    """Return the annotations of each of several data sets that average precision of a split is computed against.

    Args:
        folder: folder of the data set, or the folders of several.
        split: train, val, test or calibration.
        category_id: id of the category in the joined data.

    Returns:
        One per data set, in the order of the sources; empty for a single data set.

    Raises:
        DataError: if a file is missing or invalid as a whole.
    """
    if not isinstance(folder, SourceFolders):
        return ()
    truths = []
    for number, own in enumerate(folder.sources):
        with naming_source(own.name):
            path = folder.folder_of(own).annotation_file(own, own.source_split_of(split))
            truths.append(_truth_of(path, own, number * ID_STRIDE, category_id))
    return tuple(truths)


def join_truths(truths: Sequence[SourceTruth], skeleton: Skeleton) -> dict[str, Any]:
    """Return the annotations of several data sets as the content of one annotation file.

    Args:
        truths: the annotations of each data set.
        skeleton: skeleton of the joined data; a joint that a data set does not annotate is unlabelled in its records.
    """
    return {
        "images": [image for truth in truths for image in truth.content["images"]],
        "annotations": [record for truth in truths for record in _records_in(truth, skeleton)],
        "categories": [{"id": skeleton.category_id}],
    }


def read_truth(
    folder: CocoFolder, source: SourceOptions, split: str, skeleton: Skeleton, image_ids: Collection[int] | None
) -> dict[str, Any]:
    """Return the content of `load_truth`, with the records of some images only.

    Args:
        folder, source, split, skeleton: see `load_truth`.
        image_ids: ids of the images in the joined data. None: all images of the annotation file.
    """
    found = load_truth(folder, source, split, skeleton)
    content = load_annotation_file(found) if isinstance(found, Path) else found
    return content if image_ids is None else select_images(content, image_ids)


def select_images(content: Mapping[str, Any], image_ids: Collection[int]) -> dict[str, Any]:
    """Return the content of an annotation file with the records of some images only.

    Args:
        content: content of the file.
        image_ids: ids of the images; ids that the file writes as text or float are read as `read_annotations` reads them.
    """
    wanted = set(image_ids)

    def is_wanted(record: Any, field: str) -> bool:
        return isinstance(record, dict) and parse_int64(record.get(field)) in wanted

    return {
        **content,
        "images": [image for image in content["images"] if is_wanted(image, "id")],
        "annotations": [record for record in content["annotations"] if is_wanted(record, "image_id")],
    }


def _truth_of(path: Path, own: NamedSource, offset: int, category_id: int) -> SourceTruth:
    content = load_annotation_file(path)
    category, theirs = read_category(content, own, path)
    skeleton = replace(own.rename_joints(theirs), category_id=category_id)
    numbers = [parse_int64(image.get("id")) for image in content["images"] if isinstance(image, dict)]
    ids = [number for number in numbers if number is not None]
    checked = validate_annotations(content["annotations"], ids, len(theirs), category["id"])
    joints = _to_joints(checked.keypoints, own, theirs.joints, skeleton)
    annotations = []
    for record, keypoints in zip(checked.records, joints, strict=True):
        changed = {
            "id": record["id"] + offset,
            "image_id": record["image_id"] + offset,
            "category_id": category_id,
            "keypoints": keypoints.ravel().tolist(),
            "num_keypoints": int((keypoints[:, 2] > 0).sum()),
        }
        annotations.append({**record, **changed})
    images = [{"id": number + offset} for number in ids]
    joined = {"images": images, "annotations": annotations, "categories": [{"id": category_id}]}
    return SourceTruth(own.name, skeleton, joined, own.split is None)


def _records_in(truth: SourceTruth, skeleton: Skeleton) -> list[dict[str, Any]]:
    """Return the annotations of a data set with the joints of the joined data."""
    records = truth.content["annotations"]
    rows = [skeleton.index(name) for name in truth.skeleton.joints]
    joints = np.zeros((len(records), len(skeleton), 3))
    joints[:, rows] = np.array([record["keypoints"] for record in records]).reshape(len(records), len(rows), 3)
    return [{**record, "keypoints": own.ravel().tolist()} for record, own in zip(records, joints, strict=True)]


def _check_ids(read: Annotations) -> None:
    for name in ("image_id", "annotation_id"):
        ids = read.persons[name]
        wrong = ids[(ids < 0) | (ids >= ID_STRIDE)]
        if len(wrong):
            raise DataError(
                f"{name}: expected ids of 0 to {ID_STRIDE - 1:.0e}, so that they can be kept apart from those of other sources, "
                f"found {wrong.iloc[0]}. Renumber the records of this data set."
            )


def _join(own: NamedSource, read: Annotations, skeleton: Skeleton, offset: int, first_id: int) -> Annotations:
    """Return the annotations of a data set with the ids and joints of the joined data."""
    persons, person_ids = read.persons, read.persons["person_id"].to_numpy()
    values = joints_of(read.keypoints, person_ids)
    theirs = read.skeleton.joints
    joints = _to_joints(values, own, theirs, skeleton, missing=np.nan)
    weights = _to_joints(np.full((*values.shape[:2], 1), own.weight), own, theirs, skeleton)[..., 0]
    visibility = np.nan_to_num(joints[..., 2]).astype(np.uint8)
    keypoints = join_joints(person_ids + first_id, joints[..., :2], visibility, "visibility")
    return Annotations(
        persons=_with_ids(persons, own, offset).assign(person_id=person_ids + first_id, source=own.name),
        keypoints=keypoints.assign(weight=weights.ravel().astype(np.float32)),
        issues=_with_ids(read.issues, own, offset),
        quality=read.quality.assign(split=[f"{own.name}/{split}" for split in read.quality["split"]]),
        skeleton=skeleton,
    )


def _with_ids(table: pd.DataFrame, own: NamedSource, offset: int) -> pd.DataFrame:
    """Return a table with the split and the ids of the joined data; -1 stands for no annotation and stays."""
    ids = {name: table[name].where(table[name] < 0, table[name] + offset) for name in ("image_id", "annotation_id")}
    return table.assign(source_split=own.name + "/" + table["source_split"].astype(str), **ids)


def _to_joints(
    values: NDArray[np.float64], own: NamedSource, theirs: Sequence[str], skeleton: Skeleton, missing: float = 0.0
) -> NDArray[np.float64]:
    """Return values (N, K', C) of the joints of a data set as values (N, K, C) of the joints of the skeleton."""
    result = np.full((len(values), len(skeleton), values.shape[2]), missing)
    for row, name in enumerate(our_joints(own, theirs)):
        if name is not None:
            result[:, skeleton.index(name)] = values[:, row]
    return result


def _concat(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled or tables, ignore_index=True)
