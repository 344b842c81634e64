"""What data engineering left over and what it set aside, counted: small tables for people, however many persons there are."""

import numpy as np
import pandas as pd

from posescope.core.records import PoseTargets
from posescope.core.skeleton import Skeleton
from posescope.data.crops.crop_store import CropStore

__all__ = ["STEPS", "count_rejected", "count_joint_labels", "persons_with_crops"]

STEPS = ("read", "filter", "box", "crop", "accepted")  # in the order in which a record meets them


def persons_with_crops(persons: pd.DataFrame, crops: CropStore) -> pd.DataFrame:
    """The rows of a `Persons` table whose crop was cut: those that Table 1 counts."""
    return persons[persons["person_id"].isin(crops.person_ids())].reset_index(drop=True)


def count_rejected(persons_read: pd.DataFrame, issues: pd.DataFrame, distribution: pd.DataFrame) -> pd.DataFrame:
    """How many records each step set aside for which reason, and how many are left at the end.

    A record is an annotated person, or an image where the image itself is meant. The rows of persons add up to all persons of
    the annotation files; those of images do not: an image whose people were all set aside has no row of its own.

    Args:
        persons_read: the `Persons` table of all well-formed records.
        issues: the `Issues` table of all steps; records that were only mended or warned of are not counted.
        distribution: the `Distribution` table of those who are left.

    Returns:
        A row a step, kind of record and reason, in the order of the steps, persons before images, the most frequent reason
        first: step (read, filter, crop, cut, kept), record (person, image), reason, records (count), share (0..1 of all records
        of the kind).
    """
    issues = issues[issues["outcome"] == "rejected"]
    # What is wrong with an image itself is found when the annotations are read, and its reasons begin so.
    of_image = (issues["step"] == "read") & issues["reason"].str.startswith(("image ", "file_name "))
    record = np.where(of_image, "image", "person")
    counts = issues.assign(record=record).groupby(["step", "record", "reason"]).size().rename("records").reset_index()
    left = distribution[distribution["split"] == "all"].iloc[0]
    kept = [
        {"step": "accepted", "record": "person", "reason": "persons with a crop", "records": int(left["persons"])},
        {"step": "accepted", "record": "image", "reason": "images of these persons", "records": int(left["images"])},
    ]
    table = pd.concat([counts, pd.DataFrame(kept)], ignore_index=True)
    persons_total = int(table.loc[table["record"] == "person", "records"].sum())
    everything = {"person": persons_total, "image": _count_images(persons_read, issues)}
    table["fraction"] = table["records"] / table["record"].map(everything).clip(lower=1)
    place = table["step"].map({step: number for number, step in enumerate(STEPS)})
    return table.assign(place=place).sort_values(
        ["place", "record", "records", "reason"], ascending=[True, False, False, True], ignore_index=True
    )[["step", "record", "reason", "records", "fraction"]]  # fmt: skip


def count_joint_labels(targets: PoseTargets, persons: pd.DataFrame, skeleton: Skeleton) -> pd.DataFrame:
    """How each joint is labelled, over all persons of a table.

    Args:
        targets: of these persons, and of others perhaps.
        persons: a `Persons` table.
        skeleton: of the K joints.

    Returns:
        A row a joint, in the skeleton's order: joint (name), visible, hidden, unlabelled (counts of persons), and
        visible_share, hidden_share, unlabelled_share (0..1).
    """
    visibility = targets.visibility[np.isin(targets.person_ids, persons["person_id"].to_numpy())]
    counts = {name: (visibility == code).sum(axis=0) for name, code in (("visible", 2), ("occluded", 1), ("unlabelled", 0))}
    shares = {f"{name}_fraction": count / max(len(visibility), 1) for name, count in counts.items()}
    return pd.DataFrame({"joint": skeleton.joints, **counts, **shares})


def _count_images(persons_read: pd.DataFrame, issues: pd.DataFrame) -> int:
    columns = ["source_split", "image_id"]
    return len(pd.concat([persons_read[columns], issues[columns]]).drop_duplicates())
