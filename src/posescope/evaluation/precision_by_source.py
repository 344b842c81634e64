"""Average precision and recall of each of several data sets, each as if it were evaluated alone.

    joints of the network   nose  left_hand  neck       average precision of the data set
    data set `street`        x        x                 its persons, nose and left_hand, its OKS sigmas
    data set `sport`                  x        x        its persons, left_hand and neck, its OKS sigmas

A joint that a data set does not annotate counts neither in OKS nor in the score that ranks the persons.
"""

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from posescope.core.skeleton import Skeleton
from posescope.data.coco.joined_annotations import SourceTruth, join_truths
from posescope.data.coco.results_writer import coco_results
from posescope.evaluation.metric_evaluation import PRECISION_NAMES, evaluate_precision
from posescope.evaluation.metric_values import MetricValue, MetricValues
from posescope.evaluation.protocols import annotations_to_find, images_of_sources
from posescope.evaluation.scoring_options import ScoringOptions

__all__ = ["evaluate_sources", "results_of_source"]

_log = logging.getLogger(__name__)


def evaluate_sources(
    truths: Sequence[SourceTruth],
    results: Sequence[Mapping[str, Any]],
    predictions: pd.DataFrame,
    persons: pd.DataFrame,
    evaluated_persons: pd.DataFrame,
    skeleton: Skeleton,
    split: str,
    scoring: ScoringOptions,
) -> tuple[MetricValues, list[int]]:
    """Compute COCO's average precision and recall of all data sets together and, if there are at least two, of each.

    Args:
        truths: the annotations of each data set.
        results, predictions: COCO results of the split, and the same as a `Predictions` table with the joints of the network.
        persons, evaluated_persons: `Persons` tables, accepted persons of all splits and those that count.
        skeleton: skeleton of the joined data.
        split: train, val, test or calibration.
        scoring: protocol, seed and resamples.

    Returns:
        oks_ap, oks_ap50, oks_ap75 and oks_ar of all data sets, and `oks_ap/<source>`, ... of each, which are NaN for a data set
        without persons that count; and the ids of all evaluated images, ascending, for the draws of other metrics.
    """
    images = images_of_sources(split, persons, evaluated_persons, truths)
    seed, resamples, protocol = scoring.seed, scoring.resamples, scoring.precision_protocol
    joined = join_truths(truths, skeleton)
    values, image_ids = evaluate_precision(joined, results, skeleton, seed, resamples, protocol, evaluated_persons, images)
    for truth in truths if len(truths) > 1 else ():
        own = evaluated_persons[evaluated_persons["source"] == truth.name]
        own_images = set(image_ids).intersection(truth.image_ids)
        if _has_persons(truth, own_images, annotations_to_find(protocol, own)):
            found = results_of_source(truth, predictions, own, skeleton)
            part, _ = evaluate_precision(truth.content, found, truth.skeleton, seed, resamples, protocol, own, own_images)
        else:
            _log.warning("The average precision of the data set %s is unknown: none of its persons counts.", truth.name)
            part = MetricValues({name: MetricValue(math.nan, persons=0, protocol=protocol) for name in PRECISION_NAMES})
        values = values.and_others(part.of_source(truth.name))
    return values, image_ids


def results_of_source(
    truth: SourceTruth, predictions: pd.DataFrame, persons: pd.DataFrame, skeleton: Skeleton
) -> list[dict[str, Any]]:
    """Return the COCO results of the persons of a data set, with the joints that it annotates.

    Args:
        truth: the annotations of the data set.
        predictions: a `Predictions` table with the joints of the network.
        persons: a `Persons` table of the data set.
        skeleton: skeleton of the joined data.
    """
    place = {skeleton.index(name): row for row, name in enumerate(truth.skeleton.joints)}
    own = predictions[predictions["person_id"].isin(persons["person_id"]) & predictions["joint"].isin(list(place))]
    renumbered = own.assign(joint=own["joint"].map(place).astype(np.uint8))
    return coco_results(renumbered, persons, truth.content["categories"][0]["id"])


def _has_persons(truth: SourceTruth, image_ids: Collection[int], annotation_ids: Collection[int] | None) -> bool:
    """Return whether a person counts, as `evaluate_coco` counts them."""
    counted = None if annotation_ids is None else set(annotation_ids)
    return any(
        record["image_id"] in image_ids
        and record["num_keypoints"] > 0
        and not record.get("iscrowd", 0)
        and (counted is None or record["id"] in counted)
        for record in truth.content["annotations"]
    )
