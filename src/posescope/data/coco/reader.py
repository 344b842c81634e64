"""Read COCO annotations into tables; invalid records go into the table of issues with their reasons.

COCO's boxes refer to the edges of pixels (pixel i spans [i, i + 1]), the tables to their centres: 0.5 is subtracted here.
Keypoints are indices of pixels and stay unchanged.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.errors import DataError
from posescope.core.files import read_json
from posescope.core.joint_matching import name_joints
from posescope.core.skeleton import Skeleton, skeleton_from_category
from posescope.core.tables import Issues, Keypoints, Persons, join_joints
from posescope.data.coco.annotation_validation import ValidAnnotations, validate_annotations, validate_images
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
    SplitLabels,
    check_plausibility,
    collect_labels,
    find_persons_in_both_splits,
)
from posescope.data.coco.project_split import assign_validation, groups_of_images
from posescope.data.coco.record_validation import EXPECTED_REASONS, IMAGE_WITHOUT_PERSONS, format_value, is_storable
from posescope.data.coco.repair import parse_int64

__all__ = ["Annotations", "load_annotation_file", "read_annotations", "read_category", "read_coco"]

MAX_JOINTS = 255  # the tables number joints as uint8

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


def load_annotation_file(path: Path) -> dict[str, Any]:
    """Return the content of a COCO annotation file, `.json` or `.json.gz`.

    Raises:
        DataError: if the file cannot be read, is no JSON, or lacks one of the lists images, annotations and categories.
    """
    if not path.is_file():
        raise DataError(f"{path}: the annotation file does not exist.")
    content = read_json(path, strict=False)  # records are validated one by one
    if not isinstance(content, dict):
        raise DataError(
            f"{path}: expected an object with the lists images, annotations and categories, found {type(content).__name__}."
        )
    for field in ("images", "annotations", "categories"):
        found = content.get(field)
        if not isinstance(found, list):
            raise DataError(f"{path}: field '{field}': expected a list, found {type(found).__name__}.")
    return content


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
    issues = [*(part.issues for part in parts), *map(_warned_issues, parts, implausible)]
    found = Annotations(
        persons=pd.DataFrame(Persons.validate(pd.concat([part.persons for part in parts], ignore_index=True))),
        keypoints=pd.DataFrame(Keypoints.validate(pd.concat([part.keypoints for part in parts], ignore_index=True))),
        issues=pd.DataFrame(Issues.validate(pd.concat(issues, ignore_index=True))),
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
        folder: Folder of the data set.
        **source: Fields of `SourceOptions` that differ from COCO 2017, such as `train_split="train"`.

    Raises:
        DataError: as `read_annotations`.

    Example:
        >>> annotations = read_coco("data/01_raw/coco")  # doctest: +SKIP
        >>> annotations.persons, annotations.skeleton.joints  # doctest: +SKIP
    """
    return read_annotations(CocoFolder(Path(folder)), SourceOptions(**source))


@dataclass(frozen=True, eq=False)
class _Part:
    """The content of one annotation file; see `Annotations`."""

    path: Path
    persons: pd.DataFrame
    keypoints: pd.DataFrame
    issues: pd.DataFrame
    skeleton: Skeleton
    findings: tuple[QualityFinding, ...]
    labels: SplitLabels


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
    content = load_annotation_file(path)
    category, skeleton = read_category(content, source, path)
    images = validate_images(content["images"], image_folder, source.orientation)
    checks = validate_annotations(content["annotations"], images.rows.index.tolist(), len(skeleton), category["id"])
    issues = [*images.issues, *checks.issues, *_images_without_persons(images.rows, checks)]
    repaired = [*images.repaired, *checks.repaired]
    persons = _persons_table(checks, images.rows, split, source_split, first_id)
    if source.split is not None:
        if source.split.by == "group":
            groups = groups_of_images(content["images"], source.split, path)
            persons["group"] = [groups[image] for image in persons["image_id"].tolist()]
        persons = assign_validation(persons, source.split, path)
    logger.info(
        "%s: %d persons read, %d records rejected, %d of other categories ignored",
        path.name, len(persons), len(issues), checks.other_count,
    )  # fmt: skip
    record_count = len(checks.records) + len(checks.issues)
    uncategorised = sum("category_id" not in record for record in checks.records)
    return _Part(
        path=path,
        persons=persons,
        keypoints=_keypoints_table(checks, persons["person_id"].to_numpy(), skeleton),
        issues=_issues_table([*issues, *({**issue, "outcome": "repaired"} for issue in repaired)], source_split),
        skeleton=skeleton,
        findings=(
            *repair_findings(source_split, repaired, len(content["images"]), record_count),
            *missing_category_finding(source_split, uncategorised, record_count, len(content["categories"])),
            *duplicate_image_finding(source_split, images.rows),
        ),
        labels=collect_labels(checks, images.rows, source_split),
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
    return _issues_table(rows, labels.split)


def read_category(content: Mapping[str, Any], source: SourceOptions, path: Path) -> tuple[dict[str, Any], Skeleton]:
    """Return the category of the persons, with an integer id, and its skeleton.

    Args:
        content: content of the annotation file.
        source: name of the category and OKS sigmas.
        path: the file, for error messages.

    Raises:
        DataError: if the category is missing, or its joints, limbs or id are malformed.
    """
    category = _find_category(content["categories"], source, path)
    return category, _read_skeleton(category, source, path)


def _find_category(categories: list[Any], source: SourceOptions, path: Path) -> dict[str, Any]:
    named = [item for item in categories if isinstance(item, dict) and isinstance(item.get("name"), str)]
    found = [item for item in named if item["name"] == source.category]
    if len(found) != 1:
        names = [item["name"] for item in named]
        raise DataError(
            f"{path}: categories: expected one named '{source.category}' (data_engineering.source.category), found {names}."
        )
    category_id = parse_int64(found[0].get("id"))
    if category_id is None:
        raise DataError(
            f"{path}: categories: '{source.category}': expected an integer id, found {format_value(found[0].get('id'))}."
        )
    return {**found[0], "id": category_id}


def _read_skeleton(category: dict[str, Any], source: SourceOptions, path: Path) -> Skeleton:
    names = category.get("keypoints")
    if not isinstance(names, list) or not names:
        raise DataError(
            f"{path}: categories: '{source.category}': expected a list of joint names in the field 'keypoints', found "
            f"{format_value(names)}. Check that this is a file of keypoints, not of boxes or captions."
        )
    if len(names) > MAX_JOINTS or not all(isinstance(name, str) and name and is_storable(name) for name in names):
        raise DataError(
            f"{path}: categories: keypoints: expected at most {MAX_JOINTS} names as text, found {format_value(names)}."
        )
    try:
        return skeleton_from_category(category, source.oks_sigmas, source=str(path))
    except RecursionError as error:
        raise DataError(f"{path}: categories: '{source.category}': expected names and pairs, found deeper nesting.") from error


def _images_without_persons(images: pd.DataFrame, checks: ValidAnnotations) -> list[dict[str, Any]]:
    # An invalid record has its own issue; its image is not empty.
    with_persons = {*checks.image_ids.tolist(), *(issue["image_id"] for issue in checks.issues)}
    empty = images[~images.index.isin(with_persons)]
    return [
        {"image_id": int(i), "annotation_id": -1, "file_name": name, "reason": IMAGE_WITHOUT_PERSONS, "detail": ""}
        for i, name in zip(empty.index, empty["file_name"], strict=True)
    ]


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


def _keypoints_table(checks: ValidAnnotations, person_ids: NDArray[np.int64], skeleton: Skeleton) -> pd.DataFrame:
    visibility = checks.keypoints[..., 2].astype(np.uint8)
    joints = np.where(visibility[..., None] > 0, checks.keypoints[..., :2], np.nan)
    return name_joints(join_joints(person_ids, joints, visibility, "visibility"), skeleton.joints)


def _issues_table(issues: list[dict[str, Any]], source_split: str) -> pd.DataFrame:
    columns = ["source_split", "image_id", "annotation_id", "file_name", "step", "outcome", "reason", "detail"]
    known = {"source_split": source_split, "step": "read", "outcome": "rejected"}
    return pd.DataFrame([{**known, **issue} for issue in issues], columns=columns)
