"""Evaluation protocols: which persons, images and annotations of a split count."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.tables import images_of
from posescope.data.coco.joined_annotations import SourceTruth
from posescope.evaluation.metric_values import Protocol

__all__ = ["annotations_to_find", "images_of_sources", "images_to_evaluate", "select_evaluated_persons"]


def select_evaluated_persons(
    protocol: Protocol,
    split: str,
    persons_read: pd.DataFrame,
    keypoints: pd.DataFrame,
    persons: pd.DataFrame,
    cropped: pd.DataFrame,
) -> pd.DataFrame:
    """Return the persons that count in the metrics per person.

    Args:
        protocol: `crops`: persons with a crop. `coco`: all persons with a labelled joint, crowds excluded, as in COCO's
            evaluation. That includes persons that were rejected by a filter or the crop rule, and persons of unreadable images.
        split: train, val or test.
        persons_read: all persons of the annotation files.
        keypoints: keypoints of all persons of the annotation files.
        persons: accepted persons of all splits. A rejected person belongs to the split of the accepted persons of its image. An
            image without accepted persons has the split of its annotation file, so it is never in the test set.
        cropped: the accepted persons that have a crop, since their image could be read.

    Returns:
        Rows of a `Persons` table, ascending by person_id.
    """
    if protocol == "crops":
        return cropped[cropped["split"] == split].sort_values("person_id").reset_index(drop=True)
    labelled = keypoints.loc[keypoints["visibility"] > 0, "person_id"].unique()
    annotated = persons_read[persons_read["person_id"].isin(labelled) & ~persons_read["is_crowd"]]
    # The splits are those of `persons`, not of `cropped`: an unreadable test image stays a test image, as for average precision.
    split_of_image = persons.drop_duplicates(["source_split", "image_id"]).set_index(["source_split", "image_id"])["split"]
    images = pd.MultiIndex.from_frame(annotated[["source_split", "image_id"]])
    splits = split_of_image.reindex(images).to_numpy()
    selected = annotated.assign(split=np.where(pd.isna(splits), annotated["split"], splits))
    return selected[selected["split"] == split].sort_values("person_id").reset_index(drop=True)


def images_to_evaluate(
    split: str, persons: pd.DataFrame, evaluated: pd.DataFrame, has_own_file: bool = True
) -> NDArray[np.int64] | None:
    """Return the ids of the images over which average precision is computed.

    Args:
        split: train, val, test or calibration.
        persons: accepted persons of all splits.
        evaluated: persons that count in the metrics per person.
        has_own_file: whether the validation set has its own annotation file.

    Returns:
        None for a split with its own annotation file: all images of the file, those without persons included. Otherwise the
        images of the accepted and of the evaluated persons, readable or not.
    """
    if split != "test" and has_own_file:
        return None
    return images_of(persons, split) if split == "test" else np.union1d(images_of(persons, split), evaluated["image_id"])


def images_of_sources(
    split: str, persons: pd.DataFrame, evaluated: pd.DataFrame, truths: Sequence[SourceTruth]
) -> NDArray[np.int64]:
    """Return the ids of the images over which average precision of several data sets is computed.

    The images of a data set are those of a run with this data set alone.

    Args:
        split, persons, evaluated: see `images_to_evaluate`.
        truths: the annotations of each data set.
    """
    images: list[NDArray[np.int64]] = []
    for truth in truths:
        accepted, counted = (table[table["source"] == truth.name] for table in (persons, evaluated))
        chosen = images_to_evaluate(split, accepted, counted, truth.has_validation_file)
        images.append(np.array(truth.image_ids, dtype=np.int64) if chosen is None else chosen)
    return np.unique(np.concatenate(images))


def annotations_to_find(protocol: Protocol, evaluated_persons: pd.DataFrame) -> list[int] | None:
    """Return the ids of the annotations that count in average precision.

    Args:
        protocol: `crops`: the annotations of `evaluated_persons`. `coco`: None, all annotations.
        evaluated_persons: a `Persons` table.
    """
    return None if protocol == "coco" else [int(annotation) for annotation in evaluated_persons["annotation_id"]]
