"""Count the accepted and rejected records of data engineering, and the labels of the joints."""

import numpy as np
import pandas as pd

from posescope.core.origin import Origin, add_origin, origin_of_table
from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_statistics import CropStatistics
from posescope.data.crops.crop_store import CropStore

__all__ = ["STEPS", "count_rejected", "count_joint_labels", "persons_with_crops"]

STEPS = ("read", "filter", "box", "crop", "accepted")  # in the order of the pipeline


def persons_with_crops(persons: pd.DataFrame, crops: CropStore) -> pd.DataFrame:
    """Return the rows of a `Persons` table that have a crop.

    Args:
        persons: a `Persons` table.
        crops: the finished store.
    """
    return persons[persons["person_id"].isin(crops.person_ids())].reset_index(drop=True)


def count_rejected(persons_read: pd.DataFrame, issues: pd.DataFrame, distribution: pd.DataFrame) -> pd.DataFrame:
    """Count the records that each step rejected, by reason, and the accepted ones.

    A record is an annotated person or an image. The rows of persons add up to all persons of the annotation files; those of
    images do not, because an image whose persons were all rejected has no row.

    Args:
        persons_read: the `Persons` table of all valid records.
        issues: the `Issues` table of all steps; repaired and warned records are not counted.
        distribution: the `Distribution` table of the accepted persons.

    Returns:
        One row per step, kind of record and reason, in the order of the steps, persons before images, frequent reasons first:
        step (read, filter, box, crop, accepted), record (person, image), reason, records (count), fraction (0..1 of all records
        of the kind), and the origin of `distribution`.
    """
    issues = issues[issues["outcome"] == "rejected"]
    # Errors of image records are found in the step `read`; their reasons begin with these words.
    of_image = (issues["step"] == "read") & issues["reason"].str.startswith(("image ", "file_name "))
    record = np.where(of_image, "image", "person")
    counts = issues.assign(record=record).groupby(["step", "record", "reason"]).size().rename("records").reset_index()
    left = distribution[distribution["split"] == "all"].iloc[0]
    accepted = [
        {"step": "accepted", "record": "person", "reason": "persons with a crop", "records": int(left["persons"])},
        {"step": "accepted", "record": "image", "reason": "images of these persons", "records": int(left["images"])},
    ]
    table = pd.concat([counts, pd.DataFrame(accepted)], ignore_index=True)
    persons_total = int(table.loc[table["record"] == "person", "records"].sum())
    totals = {"person": persons_total, "image": _count_images(persons_read, issues)}
    table["fraction"] = table["records"] / table["record"].map(totals).clip(lower=1)
    place = table["step"].map({step: number for number, step in enumerate(STEPS)})
    ordered = table.assign(place=place).sort_values(
        ["place", "record", "records", "reason"], ascending=[True, False, False, True], ignore_index=True
    )
    counted = ordered[["step", "record", "reason", "records", "fraction"]]
    return add_origin(counted, origin_of_table(distribution) or Origin())


def count_joint_labels(
    targets: PoseTargets, persons: pd.DataFrame, crops: CropStore, skeleton: Skeleton, statistics: CropStatistics
) -> pd.DataFrame:
    """Count on how many persons each joint is visible, occluded and unlabelled.

    Args:
        targets: joints of at least these persons.
        persons: a `Persons` table; only persons with a crop are counted.
        crops: crops of the data set.
        skeleton: skeleton of the K joints.
        statistics: statistics of the data, whose fingerprint is the origin of the table.

    Returns:
        One row per joint, in the order of the skeleton: joint (name), visible, occluded, unlabelled (numbers of persons), and
        visible_fraction, occluded_fraction, unlabelled_fraction (0..1 of the persons whose data set annotates the joint). With
        several data sets also not_annotated: the number of persons whose data set does not annotate the joint, which are not
        counted as unlabelled.
    """
    person_ids = persons_with_crops(persons, crops)["person_id"].to_numpy()
    counted = targets.subset(np.flatnonzero(np.isin(targets.person_ids, person_ids)).astype(np.int64))
    annotated, visibility = counted.annotated, counted.visibility
    codes = (("visible", 2), ("occluded", 1), ("unlabelled", 0))
    counts = {name: (annotated & (visibility == code)).sum(axis=0) for name, code in codes}
    fractions = {f"{name}_fraction": count / np.maximum(annotated.sum(axis=0), 1) for name, count in counts.items()}
    absent = {} if counted.weights is None else {"not_annotated": (~annotated).sum(axis=0)}
    table = pd.DataFrame({"joint": skeleton.joints, **counts, **fractions, **absent})
    return add_origin(table, Origin(data=statistics.data_fingerprint))


def _count_images(persons_read: pd.DataFrame, issues: pd.DataFrame) -> int:
    columns = ["source_split", "image_id"]
    return len(pd.concat([persons_read[columns], issues[columns]]).drop_duplicates())
