"""Findings on the quality of a data set: what was mended, what is doubtful, what makes every number wrong."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from posescope.core.skeleton import DEFAULT_OKS_SIGMA, KNOWN_OKS_SIGMAS, Skeleton, has_zero_based_limbs, unpaired_joints
from posescope.core.tables import DataQuality, table_of
from posescope.data.coco.validation import RecordRepair

__all__ = [
    "Finding",
    "report_findings",
    "repair_findings",
    "missing_category_finding",
    "duplicate_image_finding",
    "skeleton_findings",
]

_LEVELS = {"repaired": logging.WARNING, "warned": logging.WARNING, "refused": logging.ERROR}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """What one check found in one split: a row of the table `DataQuality`.

    Attributes:
        severity: `repaired`: a value was replaced. `warned`: the records are used as they are. `refused`: the run stops.
        split: the data set's own name of the split, or `all`.
        check: short identifier, lower case with underscores.
        records: how many persons, images or joints were found.
        total: how many were checked.
        detail: one sentence that says what was found, with an example record.
        remedy: one sentence that says what to do.
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
        """`records` / `total`, 0..1; 0 where nothing was checked."""
        return self.records / self.total if self.total else 0.0


def report_findings(findings: Sequence[Finding]) -> pd.DataFrame:
    """Log one line for each finding and return all of them as a table.

    Args:
        findings: in the order in which people should read them: causes before consequences.

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


# MERGED from findings: The findings on an annotation file: what was mended in its records, and what is doubtful in its
# skeleton.

_PEOPLE = frozenset({"person", "people", "human", "pedestrian", "man", "woman", "child", "player"})
_REMEDIES: Mapping[str, str] = {
    "numeric_ids": "Write ids as whole numbers.",
    "image_sizes": "Write height and width as whole numbers of px.",
    "file_names": "Write the file's name as it is below the image folder, with '/' as separator.",
    "crowd_flags": "Write iscrowd as 0 or 1.",
    "visibilities": "Write x, y and visibility (0, 1, 2) for each joint.",
    "unlabelled_coordinates": "Write 0, 0, 0 for a joint that is not labelled.",
    "boxes_from_keypoints": "Write the persons' boxes if scores by box size matter (pck@).",
    "areas_from_boxes": "Write the segments' areas if OKS and AP are to compare with those of others.",
    "keypoint_counts": "Write the number of keypoints with visibility > 0.",
}


def repair_findings(split: str, repaired: Sequence[RecordRepair], image_count: int, record_count: int) -> list[Finding]:
    """Return one finding for each kind of value that was replaced in the records of a file.

    Args:
        split: the data set's own name of it.
        repaired: of images and of annotations.
        image_count: how many image records the file has.
        record_count: how many annotations of the category it has.
    """
    by_check: dict[str, list[RecordRepair]] = {}
    for one in repaired:
        by_check.setdefault(one.repair.check, []).append(one)
    findings = []
    for check, remedy in _REMEDIES.items():
        found = by_check.get(check)
        if not found:
            continue
        of_images = {one.issue["image_id"] for one in found if one.issue["annotation_id"] == -1}
        of_records = {one.issue["annotation_id"] for one in found if one.issue["annotation_id"] != -1}
        total = (image_count if of_images else 0) + (record_count if of_records else 0)
        first = found[0]
        image, annotation = first.issue["image_id"], first.issue["annotation_id"]
        where = f"image {image}" if annotation == -1 else f"annotation {annotation}"
        detail = f"{_sentence(first.repair.reason)} The first: {where}, {first.repair.value}."
        findings.append(Finding("repaired", split, check, len(of_images) + len(of_records), total, detail, remedy))
    return findings


def missing_category_finding(split: str, count: int, total: int, categories: int) -> list[Finding]:
    """Return the finding on annotations that state no category: they are read as being of the wanted one."""
    if not count:
        return []
    detail = f"Annotations without category_id are read as the wanted category; the file has {categories}."
    remedy = "Write the category_id of every annotation."
    return [Finding("repaired" if categories == 1 else "warned", split, "missing_categories", count, total, detail, remedy)]


def duplicate_image_finding(split: str, images: pd.DataFrame) -> list[Finding]:
    """Return the finding on images that several records name.

    Args:
        split: the data set's own name of it.
        images: index image_id; column file_name.
    """
    twice = images["file_name"].duplicated(keep=False)
    if not twice.any():
        return []
    name = images.loc[twice, "file_name"].iloc[0]
    ids = ", ".join(map(str, images.index[images["file_name"] == name][:3]))
    detail = f"These image records name a file that another one names too. The first: '{name}', images {ids}."
    remedy = "Give each image one record: persons of the others are not seen as being in the same picture."
    return [Finding("warned", split, "duplicate_image_records", int(twice.sum()), len(images), detail, remedy)]


def skeleton_findings(skeleton: Skeleton, category: str, given: Mapping[str, float]) -> list[Finding]:
    """Return the findings on joint names, limbs and OKS sigmas.

    Args:
        skeleton: as read from the file.
        category: its name.
        given: the OKS sigmas that the parameters give, by joint name.
    """
    return [*_find_unpaired(skeleton), *_find_limbs(skeleton), *_find_foreign_sigmas(skeleton, category, given),
            *_find_guessed_sigmas(skeleton)]  # fmt: skip


def _find_unpaired(skeleton: Skeleton) -> list[Finding]:
    unpaired = unpaired_joints(skeleton.joints)
    if not unpaired:
        return []
    detail = (
        f"A mirrored person's left and right are mixed up at {'; '.join(f'{name}: {how}' for name, how in unpaired.items())}."
    )
    remedy = "Name pairs left_<joint> and right_<joint>, or train and predict without flips."
    return [Finding("warned", "all", "unpaired_joints", len(unpaired), len(skeleton), detail, remedy)]


def _find_limbs(skeleton: Skeleton) -> list[Finding]:
    if not has_zero_based_limbs(skeleton):
        return []
    a, b = skeleton.limbs[0]
    detail = f"The limbs seem to count from 0: the first, {[a + 1, b + 1]}, joins {skeleton.joints[a]} and {skeleton.joints[b]}."
    remedy = "Add 1 to each number of the category's skeleton: expected joint numbers from 1."
    return [Finding("warned", "all", "limbs_from_zero", len(skeleton.limbs), len(skeleton.limbs), detail, remedy)]


def _find_foreign_sigmas(skeleton: Skeleton, category: str, given: Mapping[str, float]) -> list[Finding]:
    """COCO's sigmas are of persons; a joint of the same name of something else has another spread."""
    taken = [name for name in skeleton.joints if name in KNOWN_OKS_SIGMAS and name not in given]
    few = 2 * len(taken) < len(skeleton) and len(taken) < len(KNOWN_OKS_SIGMAS)
    if not taken or (category.lower() in _PEOPLE and not few):
        return []
    pairs = ", ".join(f"{name} {KNOWN_OKS_SIGMAS[name]:g}" for name in taken)
    detail = f"The category is '{category}', and these joints have the OKS sigmas of COCO's persons by their name alone: {pairs}."
    remedy = "Give sigmas of your own in data_engineering.source.oks_sigmas if OKS and AP matter."
    return [Finding("warned", "all", "foreign_oks_sigmas", len(taken), len(skeleton), detail, remedy)]


def _find_guessed_sigmas(skeleton: Skeleton) -> list[Finding]:
    guessed = skeleton.guessed_sigmas
    if not guessed:
        return []
    detail = f"No OKS sigma is known for {', '.join(guessed)}; {DEFAULT_OKS_SIGMA:g} is used."
    remedy = "Give them in data_engineering.source.oks_sigmas if OKS and AP matter."
    return [Finding("warned", "all", "guessed_oks_sigmas", len(guessed), len(skeleton), detail, remedy)]


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."
