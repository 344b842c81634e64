"""Read COCO annotations into tables; invalid records go into the table of issues with their reasons.

COCO's boxes refer to the edges of pixels (pixel i spans [i, i + 1]), the tables to their centres: 0.5 is subtracted here.
Keypoints are indices of pixels and stay unchanged.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.joint_matching import name_joints
from posescope.core.mirrors import local_path_of
from posescope.core.skeleton import Skeleton
from posescope.core.tables import Issues, Keypoints, Persons, join_joints
from posescope.data.coco.annotation_stream import read_in_pieces
from posescope.data.coco.annotation_validation import AnnotationValidator, ValidAnnotations, validate_images
from posescope.data.coco.category import read_category
from posescope.data.coco.data_quality import (
    QualityFinding,
    duplicate_image_finding,
    missing_category_finding,
    repair_findings,
    report_findings,
    skeleton_findings,
)
from posescope.data.coco.failure_limits import FailureLimits, check_failures, grade_findings, raise_refused
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.plausibility import (
    PlausibilityFinding,
    check_plausibility,
    find_persons_in_both_splits,
)
from posescope.data.coco.project_split import assign_validation, groups_of_images
from posescope.data.coco.record_validation import EXPECTED_REASONS, IMAGE_WITHOUT_PERSONS
from posescope.data.coco.split_labels import SplitLabels, collect_labels, drop_unlabelled

__all__ = ["Annotations", "read_annotations", "read_coco"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Annotations:
    """The annotations of a data set.

    Attributes:
        persons: a `Persons` table of all valid records, including crowds and persons without keypoints.
        keypoints: a `Keypoints` table.
        issues: an `Issues` table.
        quality: a `DataQuality` table of repairs and plausibility checks.
        skeleton: skeleton of the category.
    """

    persons: pd.DataFrame
    keypoints: pd.DataFrame
    issues: pd.DataFrame
    quality: pd.DataFrame
    skeleton: Skeleton


def read_annotations(folder: CocoFolder, source: SourceOptions, failures: FailureLimits | None = None) -> Annotations:
    """Read and validate all annotation files of a data set.

    Args:
        folder: folder of the data set.
        source: names of its splits and files.
        failures: maximum fractions of invalid records and implausible labels; None: any.

    Raises:
        DataError: if a file is missing or invalid as a whole, the splits have different skeletons or share images, or too many
            records are invalid or labels implausible.
    """
    parts: list[_Part] = []
    next_id = 0
    for split, source_split in source.splits().items():
        part = _read_split(folder, source, split, source_split, next_id)
        next_id += len(part.persons)
        if parts and part.skeleton != parts[0].skeleton:
            raise DataError(f"{part.path}: expected the skeleton of the split '{source.train_split}', found another one.")
        parts.append(part)
    _check_disjoint(folder, source, parts)
    implausible = [check_plausibility(part.labels) for part in parts]
    if len(parts) > 1 and source.train_split != source.val_split:
        implausible[-1] += find_persons_in_both_splits(parts[0].labels, parts[-1].labels)
    quality = _report_quality(parts, implausible, source, failures)
    warned = [_warned_issues(part, of_part) for part, of_part in zip(parts, implausible, strict=True)]
    del implausible
    for part in parts:
        part.drop_labels()
    issues = pd.concat([*(part.issues for part in parts), *warned], ignore_index=True)
    found = Annotations(
        persons=pd.DataFrame(Persons.validate(pd.concat([part.persons for part in parts], ignore_index=True))),
        keypoints=pd.DataFrame(Keypoints.validate(_keypoints_table(parts))),
        issues=pd.DataFrame(Issues.validate(issues)),
        quality=quality,
        skeleton=parts[0].skeleton,
    )
    if failures is not None:
        rejected = found.issues[found.issues["outcome"] == "rejected"]
        invalid = rejected[~rejected["reason"].isin(EXPECTED_REASONS)]
        check_failures(invalid, len(invalid) + len(found.persons), failures, step="read")
    return found


def read_coco(folder: str | Path, **source: Any) -> Annotations:
    """Read and check the keypoint annotations of a data set in COCO's layout.

    Args:
        folder: Folder of the data set, or its address in an object store.
        **source: Fields of `SourceOptions` that differ from COCO 2017, such as `train_split="train"`.

    Raises:
        DataError: as `read_annotations`.

    Example:
        >>> annotations = read_coco("data/01_raw/coco")  # doctest: +SKIP
        >>> annotations.persons, annotations.skeleton.joints  # doctest: +SKIP
    """
    return read_annotations(CocoFolder(Path(local_path_of(str(folder)))), SourceOptions(**source))


@dataclass(eq=False)
class _Part:
    """The content of one annotation file; see `Annotations`.

    Attributes:
        path: the file.
        persons, issues: tables.
        joints: (N, K, 2) float32 px, NaN where unlabelled.
        visibility: (N, K) uint8.
        skeleton: of the category.
        findings: repairs and the like.
        labels: the labels without rounding, for the checks of plausibility.
    """

    path: Path
    persons: pd.DataFrame
    issues: pd.DataFrame
    joints: NDArray[np.float32]
    visibility: NDArray[np.uint8]
    skeleton: Skeleton
    findings: tuple[QualityFinding, ...]
    labels: SplitLabels

    def drop_labels(self) -> None:
        """Free the memory of the labels: they are as large as the table of joints."""
        del self.labels


class _RecordReader:
    """Validates the records of one annotation file; see `RecordConsumer`."""

    def __init__(self, path: Path, source: SourceOptions, image_folder: Path | None) -> None:
        self._path, self._source, self._image_folder = path, source, image_folder
        self.groups: dict[int, str] = {}

    def begin(self, images: list[Any], categories: list[Any]) -> None:
        self.category_count, self.image_count = len(categories), len(images)
        category, self.skeleton = read_category({"categories": categories}, self._source, self._path)
        self.images = validate_images(images, self._image_folder, self._source.orientation)
        if self._source.split is not None and self._source.split.by == "group":
            self.groups = groups_of_images(images, self._source.split, self._path)
        ids = self.images.rows.index.to_numpy()
        self._validator = AnnotationValidator(ids, len(self.skeleton), category["id"], keep_records=False)

    def add(self, annotations: Sequence[Any]) -> None:
        self._validator.add(annotations)

    def finish(self) -> ValidAnnotations:
        """Return the valid annotations, and keep none of them."""
        return self._validator.finish()


def _check_disjoint(folder: CocoFolder, source: SourceOptions, parts: list[_Part]) -> None:
    """Check that no image is in both splits. With a folder per split, equal names may be different images."""
    if source.images is None or len(parts) == 1:
        return
    first, *others = (folder.image_folder(source, split).resolve() for split in source.splits().values())
    shared = set(parts[0].persons["file_name"]).intersection(*(part.persons["file_name"] for part in parts[1:]))
    if shared and all(other == first for other in others):
        raise DataError(
            f"{first}: expected splits that share no image, found {len(shared)} images with persons in both "
            f"'{source.train_split}' and '{source.val_split}', such as '{min(shared)}'. Remove them from one annotation file, "
            "or keep one file and let the project split it: data_engineering.source.split."
        )


def _report_quality(
    parts: Sequence[_Part],
    implausible: Sequence[list[PlausibilityFinding]],
    source: SourceOptions,
    failures: FailureLimits | None,
) -> pd.DataFrame:
    """Log all findings, raise an error if labels are refused, and return the table."""
    findings: list[QualityFinding] = []
    for part, of_part in zip(parts, implausible, strict=True):
        findings += [*part.findings, *grade_findings(of_part, failures)]
    findings += skeleton_findings(source.rename_joints(parts[0].skeleton), source.category, source.oks_sigmas)
    table = report_findings(findings)
    if failures is not None:
        raise_refused(findings, failures)
    return table


def _read_split(folder: CocoFolder, source: SourceOptions, split: str, source_split: str, first_id: int) -> _Part:
    path = folder.annotation_file(source, source_split)
    image_folder = None if source.images is None else folder.image_folder(source, source_split)
    reader = read_in_pieces(path, lambda: _RecordReader(path, source, image_folder))
    checks, images = drop_unlabelled(reader.finish()), reader.images
    empty = _images_without_persons(images.rows, checks)
    repaired = [*images.repaired, *checks.repaired]
    persons = _persons_table(checks, images.rows, split, source_split, first_id)
    if source.split is not None:
        if source.split.by == "group":
            persons["group"] = [reader.groups[image] for image in persons["image_id"].tolist()]
        persons = assign_validation(persons, source.split, path)
    logger.info(
        "%s: %d persons read, %d records rejected, %d of other categories ignored",
        path.name, len(persons), len(images.issues) + len(checks.issues) + len(empty), checks.other_count,
    )  # fmt: skip
    record_count = len(checks) + len(checks.issues)
    labels = collect_labels(checks, images.rows, source_split)
    return _Part(
        path=path,
        persons=persons,
        issues=_issues_table(
            [*images.issues, *checks.issues], empty, ({**issue, "outcome": "repaired"} for issue in repaired), split=source_split
        ),
        joints=checks.points.astype(np.float32, copy=False),
        visibility=checks.visibility,
        skeleton=reader.skeleton,
        findings=(
            *repair_findings(source_split, repaired, reader.image_count, record_count),
            *missing_category_finding(source_split, checks.uncategorised, record_count, reader.category_count),
            *duplicate_image_finding(source_split, images.rows),
        ),
        labels=labels,
    )


def _warned_issues(part: _Part, implausible: Sequence[PlausibilityFinding]) -> pd.DataFrame:
    """Return an `Issues` table with a row per record and plausibility finding."""
    labels = part.labels
    image_ids = part.persons.set_index("annotation_id")["image_id"]
    rows = [
        {
            "image_id": int(image_ids[annotation]),
            "annotation_id": int(annotation),
            "file_name": name,
            "outcome": "warned",
            "reason": found.reason,
            "detail": found.finding.check,
        }
        for found in implausible
        for annotation, name in zip(labels.annotation_ids[found.records], labels.file_names[found.records], strict=True)
    ]
    return _issues_table(rows, split=labels.split)


def _images_without_persons(images: pd.DataFrame, checks: ValidAnnotations) -> pd.DataFrame:
    # An invalid record has its own issue; its image is not empty.
    invalid = [issue["image_id"] for issue in checks.issues]
    with_persons = np.union1d(checks.image_ids, np.array(invalid, dtype=np.int64))
    empty = images[~np.isin(images.index.to_numpy(), with_persons)]
    columns = {"image_id": empty.index.to_numpy(), "file_name": empty["file_name"].to_numpy()}
    return pd.DataFrame(columns).assign(annotation_id=-1, reason=IMAGE_WITHOUT_PERSONS, detail="")


def _persons_table(checks: ValidAnnotations, images: pd.DataFrame, split: str, source_split: str, first_id: int) -> pd.DataFrame:
    count = len(checks.image_ids)
    of_person = images.loc[checks.image_ids]
    return pd.DataFrame(
        {
            "person_id": np.arange(first_id, first_id + count),
            "source_split": source_split,
            "annotation_id": checks.annotation_ids,
            "image_id": checks.image_ids,
            "file_name": of_person["file_name"].to_numpy(),
            "split": split,
            "image_h": of_person["height"].to_numpy(),
            "image_w": of_person["width"].to_numpy(),
            "bbox_x": checks.boxes[:, 0] - 0.5,
            "bbox_y": checks.boxes[:, 1] - 0.5,
            "bbox_w": checks.boxes[:, 2],
            "bbox_h": checks.boxes[:, 3],
            "area": checks.areas,
            "is_crowd": checks.is_crowd,
        }
    )


def _keypoints_table(parts: Sequence[_Part]) -> pd.DataFrame:
    person_ids = np.concatenate([part.persons["person_id"].to_numpy() for part in parts])
    joints = np.concatenate([part.joints for part in parts])
    visibility = np.concatenate([part.visibility for part in parts])
    return name_joints(join_joints(person_ids, joints, visibility, "visibility"), parts[0].skeleton.joints)


def _issues_table(*issues: pd.DataFrame | Iterable[dict[str, Any]], split: str) -> pd.DataFrame:
    columns = ["source_split", "image_id", "annotation_id", "file_name", "step", "outcome", "reason", "detail"]
    known = {"source_split": split, "step": "read", "outcome": "rejected"}
    tables = [
        part.assign(**known)[columns] if isinstance(part, pd.DataFrame)
        else pd.DataFrame([{**known, **issue} for issue in part], columns=columns)
        for part in issues
    ]  # fmt: skip
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]
