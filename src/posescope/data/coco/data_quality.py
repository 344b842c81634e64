"""Findings on the quality of a data set: repaired values, implausible labels, and the skeleton."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from posescope.core.skeleton import DEFAULT_OKS_SIGMA, KNOWN_OKS_SIGMAS, Skeleton, has_zero_based_limbs, unpaired_joints
from posescope.core.tables import DataQuality, table_of
from posescope.data.coco.record_validation import Issue

__all__ = [
    "QualityFinding", "duplicate_image_finding", "missing_category_finding", "repair_findings", "report_findings",
    "skeleton_findings",
]  # fmt: skip

_LEVELS = {"repaired": logging.WARNING, "warned": logging.WARNING, "refused": logging.ERROR}
_PERSON_CATEGORIES = frozenset({"person", "people", "human", "pedestrian", "man", "woman", "child", "player"})
_REMEDIES: Mapping[str, str] = {
    "numeric_ids": "Write ids as integers.",
    "image_sizes": "Write height and width as integers, px.",
    "file_names": "Write the path of the file below the image folder, with '/' as separator.",
    "crowd_flags": "Write iscrowd as 0 or 1.",
    "visibilities": "Write x, y and visibility (0, 1, 2) for each joint.",
    "unlabelled_coordinates": "Write 0, 0, 0 for a joint that is not labelled.",
    "boxes_from_keypoints": "Write the persons' boxes if metrics by box size matter (pck@).",
    "areas_from_boxes": "Write the segments' areas if OKS and AP are to be comparable with published values.",
    "keypoint_counts": "Write the number of keypoints with visibility > 0.",
}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class QualityFinding:
    """The result of one check of one split: a row of the table `DataQuality`.

    Attributes:
        severity: `repaired`: values were replaced. `warned`: the records are used unchanged. `refused`: the run stops.
        split: name of the split in the data set, or `all`.
        check: short identifier, lower case with underscores.
        records: number of persons, images or joints found.
        total: number of those checked.
        detail: one sentence on the finding, with an example record.
        remedy: one sentence on what to do.
    """

    severity: Literal["repaired", "warned", "refused"]
    split: str
    check: str
    records: int
    total: int
    detail: str
    remedy: str

    @property
    def fraction(self) -> float:
        """`records` / `total`, 0..1; 0 if nothing was checked."""
        return self.records / self.total if self.total else 0.0


def report_findings(findings: Sequence[QualityFinding]) -> pd.DataFrame:
    """Log one line per finding, and return all findings as a table.

    Args:
        findings: causes before consequences.

    Returns:
        A `DataQuality` table in the same order.
    """
    for finding in findings:
        logger.log(
            _LEVELS[finding.severity], "data quality: %s: %s: %s in %d of %d (%.3g %%). %s %s",
            finding.severity, finding.split, finding.check, finding.records, finding.total, 100 * finding.fraction,
            finding.detail, finding.remedy,
        )  # fmt: skip
    return table_of(DataQuality, findings)


def repair_findings(split: str, repaired: Sequence[Issue], image_count: int, record_count: int) -> list[QualityFinding]:
    """Return one finding per kind of replaced value in the records of a file.

    Args:
        split: name of the split in the data set.
        repaired: the replaced values of images and annotations.
        image_count: number of image records in the file.
        record_count: number of annotations of the category.
    """
    by_check: dict[str, list[Issue]] = {}
    for issue in repaired:
        by_check.setdefault(issue["check"], []).append(issue)
    findings = []
    for check, remedy in _REMEDIES.items():
        found = by_check.get(check)
        if not found:
            continue
        of_images = {issue["image_id"] for issue in found if issue["annotation_id"] == -1}
        of_records = {issue["annotation_id"] for issue in found if issue["annotation_id"] != -1}
        total = (image_count if of_images else 0) + (record_count if of_records else 0)
        first, reason = found[0], found[0]["reason"]
        where = f"image {first['image_id']}" if first["annotation_id"] == -1 else f"annotation {first['annotation_id']}"
        detail = f"{reason[:1].upper()}{reason[1:]}. The first: {where}, {first['detail']}."
        findings.append(QualityFinding("repaired", split, check, len(of_images) + len(of_records), total, detail, remedy))
    return findings


def missing_category_finding(split: str, count: int, total: int, categories: int) -> list[QualityFinding]:
    """Return the finding on annotations without a category, which are read as the wanted one.

    Args:
        split: name of the split in the data set.
        count: number of these annotations.
        total: number of annotations.
        categories: number of categories in the file.
    """
    if not count:
        return []
    detail = f"Annotations without category_id are read as the wanted category; the file has {categories}."
    remedy = "Write the category_id of every annotation."
    return [
        QualityFinding("repaired" if categories == 1 else "warned", split, "missing_categories", count, total, detail, remedy)
    ]


def duplicate_image_finding(split: str, images: pd.DataFrame) -> list[QualityFinding]:
    """Return the finding on image files that several records name.

    Args:
        split: name of the split in the data set.
        images: index image_id; column file_name.
    """
    twice = images["file_name"].duplicated(keep=False)
    if not twice.any():
        return []
    name = images.loc[twice, "file_name"].iloc[0]
    ids = ", ".join(map(str, images.index[images["file_name"] == name][:3]))
    detail = f"These image records name the same file as another record. The first: '{name}', images {ids}."
    remedy = "Write one record per image: persons of different records are treated as persons of different images."
    return [QualityFinding("warned", split, "duplicate_image_records", int(twice.sum()), len(images), detail, remedy)]


def skeleton_findings(skeleton: Skeleton, category: str, given: Mapping[str, float]) -> list[QualityFinding]:
    """Return the findings on joint names, limbs and OKS sigmas.

    Args:
        skeleton: skeleton of the file.
        category: name of the category.
        given: OKS sigmas of the parameters, by joint name.
    """
    return [*_find_unpaired(skeleton), *_find_limbs(skeleton), *_find_foreign_sigmas(skeleton, category, given),
            *_find_guessed_sigmas(skeleton)]  # fmt: skip


def _find_unpaired(skeleton: Skeleton) -> list[QualityFinding]:
    unpaired = unpaired_joints(skeleton.joints)
    if not unpaired:
        return []
    detail = f"A flip confuses left and right of these joints: {'; '.join(f'{name}: {how}' for name, how in unpaired.items())}."
    remedy = "Name pairs left_<joint> and right_<joint>, or train and predict without flips."
    return [QualityFinding("warned", "all", "unpaired_joints", len(unpaired), len(skeleton), detail, remedy)]


def _find_limbs(skeleton: Skeleton) -> list[QualityFinding]:
    if not has_zero_based_limbs(skeleton):
        return []
    a, b = skeleton.limbs[0]
    detail = f"The limbs seem to count from 0: the first, {[a + 1, b + 1]}, joins {skeleton.joints[a]} and {skeleton.joints[b]}."
    remedy = "Add 1 to each number of the category's skeleton; expected joint numbers from 1."
    return [QualityFinding("warned", "all", "limbs_from_zero", len(skeleton.limbs), len(skeleton.limbs), detail, remedy)]


def _find_foreign_sigmas(skeleton: Skeleton, category: str, given: Mapping[str, float]) -> list[QualityFinding]:
    """Find joints of another category than persons that have COCO's sigmas by their name."""
    taken = [name for name in skeleton.joints if name in KNOWN_OKS_SIGMAS and name not in given]
    few = 2 * len(taken) < len(skeleton) and len(taken) < len(KNOWN_OKS_SIGMAS)
    if not taken or (category.lower() in _PERSON_CATEGORIES and not few):
        return []
    pairs = ", ".join(f"{name} {KNOWN_OKS_SIGMAS[name]:g}" for name in taken)
    detail = f"The category is '{category}', and these joints have the OKS sigmas of COCO's persons by their names: {pairs}."
    remedy = "Set your own sigmas in data_engineering.source.oks_sigmas if OKS and AP matter."
    return [QualityFinding("warned", "all", "foreign_oks_sigmas", len(taken), len(skeleton), detail, remedy)]


def _find_guessed_sigmas(skeleton: Skeleton) -> list[QualityFinding]:
    guessed = skeleton.guessed_sigmas
    if not guessed:
        return []
    detail = f"No OKS sigma is known for {', '.join(guessed)}; {DEFAULT_OKS_SIGMA:g} is used."
    remedy = "Set them in data_engineering.source.oks_sigmas if OKS and AP matter."
    return [QualityFinding("warned", "all", "guessed_oks_sigmas", len(guessed), len(skeleton), detail, remedy)]
