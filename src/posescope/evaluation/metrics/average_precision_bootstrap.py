"""COCO's AP and AR of resampled images. Persons are matched once, by pycocotools; each draw repeats the counting only.

The matches of an image do not depend on other images, so a draw that holds an image twice holds its hits and its false alarms
twice. With w[d] the number of times that the image of detection d was drawn, and detections in falling order of score:

    tp[d] = sum of w over the hits up to d     all[d] = sum of w over all detections up to d that are not ignored
    recall[d] = tp[d] / persons                precision[d] = max over e >= d of tp[e] / all[e]

AP is the mean of the precision at the first d that reaches each of 101 recalls. Evaluating the drawn images from scratch gives
the same, since precision only rises within the copies of a hit. A draw that holds every image once gives pycocotools' own values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import ImageResamples

__all__ = ["PersonMatches", "extract_matches", "resample_average_precision"]

_BLOCK_NUMBERS = 1_000_000  # weights held at once: bounds the memory and fits the cache
_EPSILON = np.spacing(1)  # as in pycocotools, against 0 / 0


@dataclass(frozen=True, eq=False)
class PersonMatches:
    """The matches of pycocotools in M images, for persons of all sizes.

    Attributes:
        image_ids: (M,) ascending: all images of the evaluation, those without persons included.
        persons: (M,) number of ground-truth persons of each image that count (no crowds, no persons without keypoints).
        thresholds: (T,) OKS.
        recalls: (P,) recalls at which precision is read.
        scores: (D,) of the detections, falling.
        image_of: (D,) row of the image of each detection.
        hits: (T, D) bool, matched to a person that counts.
        ignored: (T, D) bool, neither hit nor false alarm.
    """

    image_ids: NDArray[np.int64]
    persons: NDArray[np.int64]
    thresholds: NDArray[np.float64]
    recalls: NDArray[np.float64]
    scores: NDArray[np.float64]
    image_of: NDArray[np.int64]
    hits: NDArray[np.bool_]
    ignored: NDArray[np.bool_]


def extract_matches(evaluation: Any) -> PersonMatches:
    """Return the matches found by pycocotools.

    Args:
        evaluation: a `pycocotools.cocoeval.COCOeval` of one category, after its `evaluate`.
    """
    params = evaluation.params
    images = evaluation.evalImgs[: len(params.imgIds)]  # the first area range holds all sizes
    thresholds, limit = len(params.iouThrs), params.maxDets[-1]
    persons = [0 if image is None else int((np.asarray(image["gtIgnore"]) == 0).sum()) for image in images]
    known = [(row, image) for row, image in enumerate(images) if image is not None and len(image["dtScores"])]
    scores = np.concatenate([[], *(image["dtScores"][:limit] for _, image in known)])
    rows = np.repeat([row for row, _ in known], [len(image["dtScores"][:limit]) for _, image in known]).astype(np.int64)
    nothing = np.empty((thresholds, 0), dtype=bool)
    matched = np.concatenate([nothing, *(image["dtMatches"][:, :limit] != 0 for _, image in known)], axis=1)
    ignored = np.concatenate([nothing, *(image["dtIgnore"][:, :limit] != 0 for _, image in known)], axis=1)
    # As in pycocotools: among equal scores, images in ascending order.
    order = np.argsort(-scores, kind="mergesort")
    return PersonMatches(
        image_ids=np.asarray(params.imgIds, dtype=np.int64),
        persons=np.array(persons, dtype=np.int64),
        thresholds=np.asarray(params.iouThrs, dtype=np.float64),
        recalls=np.asarray(params.recThrs, dtype=np.float64),
        scores=scores[order],
        image_of=rows[order],
        hits=(matched & ~ignored)[:, order],
        ignored=ignored[:, order],
    )


def resample_average_precision(matches: PersonMatches, draws: ImageResamples) -> Mapping[str, NDArray[np.float64]]:
    """Return AP, AP50, AP75 and AR of every draw.

    Args:
        matches: result of `extract_matches`.
        draws: R draws; an image that is not among `draws.image_ids` counts as never drawn.

    Returns:
        (R,) values by name, 0..1; NaN for a draw without persons that count.
    """
    counts = _counts_of(matches.image_ids, draws)
    persons = counts.astype(np.float64) @ matches.persons
    shape = (len(counts), len(matches.thresholds))
    precision, recall = np.full(shape, np.nan), np.full(shape, np.nan)
    step = max(1, _BLOCK_NUMBERS // max(len(matches.scores), 1))
    for start in range(0, len(counts), step):
        rows = slice(start, start + step)
        weights = counts[rows].astype(np.float64)[:, matches.image_of]
        for place in range(len(matches.thresholds)):
            precision[rows, place], recall[rows, place] = _at_threshold(matches, place, weights, persons[rows])
    ap50, ap75 = (precision[:, np.abs(matches.thresholds - threshold).argmin()] for threshold in (0.5, 0.75))
    return {"AP": precision.mean(axis=1), "AP50": ap50, "AP75": ap75, "AR": recall.mean(axis=1)}


def _counts_of(image_ids: NDArray[np.int64], draws: ImageResamples) -> NDArray[np.float32]:
    """Return (R, M) how often each image was drawn."""
    counts = np.zeros((len(draws.counts), len(image_ids)), dtype=np.float32)
    _, here, there = np.intersect1d(image_ids, draws.image_ids, return_indices=True)
    counts[:, here] = draws.counts[:, there]
    return counts


def _at_threshold(
    matches: PersonMatches, place: int, weights: NDArray[np.float64], persons: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean precision and recall of each draw at one OKS threshold, from (R, D) weights and (R,) numbers of persons."""
    hits = np.flatnonzero(matches.hits[place])
    if not len(hits):
        nothing = np.where(persons > 0, 0.0, np.nan)
        return nothing, nothing
    counted = weights if not matches.ignored[place].any() else weights * ~matches.ignored[place]
    # Only hits matter: recall rises at no other detection, and precision is highest there.
    everything = np.cumsum(counted, axis=1)[:, hits]
    true = np.cumsum(weights[:, hits], axis=1)
    precision = true / (everything + _EPSILON)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    means = np.array([_mean_precision(*one, matches.recalls) for one in zip(true, envelope, persons, strict=True)])
    return means, np.divide(true[:, -1], persons, out=np.full(len(persons), np.nan), where=persons > 0)


def _mean_precision(
    true: NDArray[np.float64], envelope: NDArray[np.float64], persons: float, recalls: NDArray[np.float64]
) -> float:
    """Return the mean of the envelope at the first hit that reaches each recall; 0 beyond the last."""
    if not persons:
        return float("nan")
    places = np.searchsorted(true / persons, recalls, side="left")
    # The mean is over all recalls, those that are never reached included.
    return float(envelope[places[places < len(envelope)]].sum() / len(recalls))
