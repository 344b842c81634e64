"""COCO's average precision and recall of keypoints, by pycocotools itself, in image px against the untouched annotations.

Nothing is reimplemented, so the figures are the official ones: matching by OKS, thresholds 0.50:0.05:0.95, at most 20
results an image, crowds and persons without keypoints neither wanted nor punished. What is ours: the skeleton's own sigmas,
named errors in the place of 0 and -1, and silence.
"""

import contextlib
import io
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posescope.data.coco.reader import load_annotation_file
from posescope.data.coco.record_validation import EXPECTED_REASONS, is_int64
from posescope.data.coco.repair import repair_ids
from posescope.data.coco.validation import partition_records
from posescope.evaluation.metrics.average_precision_bootstrap import PersonMatches, extract_matches
from posescope.evaluation.metrics.base import MetricError, MetricResult
from posescope.evaluation.result_validation import check_results

__all__ = ["COCO_METRICS", "CocoEvaluation", "evaluate_coco", "match_coco"]

# In the order of `COCOeval.stats` for keypoints.
COCO_METRICS = ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR", "AR50", "AR75", "AR_medium", "AR_large")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class CocoEvaluation:
    """What pycocotools says, and what it has matched, for intervals.

    Attributes:
        precision: the figures `COCO_METRICS`.
        matches: one record a category; see `resampled_precision`.
        image_ids: (M,) ascending: all images of the evaluation, those without people included.
        persons: how many people were to be found.
    """

    precision: MetricResult
    matches: tuple[PersonMatches, ...]
    image_ids: NDArray[np.int64]
    persons: int


def evaluate_coco(
    ground_truth: Path | Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    sigmas: Sequence[float],
    image_ids: Collection[int] | None = None,
    category_id: int | None = None,
) -> MetricResult:
    """Average precision and recall of COCO keypoint results.

    Args:
        ground_truth: annotation file (.json or .json.gz), or its content. Every record is mended as the reader does it, so that
            the same persons count here as in PCK and OKS: areas that are missing or wrong are 0.53 of the box, labelled joints
            are counted again. Malformed records, as the reader's checks find them, are left out; how many is logged.
        results: each with image_id, category_id, keypoints (3 K numbers, COCO's px) and score. May be empty: all is 0 then.
            They are checked one by one, and a `file_name` decides over `image_id` (`check_results`).
        sigmas: (K,) OKS sigmas, `Skeleton.oks_sigmas`.
        image_ids: evaluate these images alone; none: every image of the file. Results of other images do not count.
        category_id: of the persons; none: every record that has keypoints.

    Returns:
        The figures `COCO_METRICS`, 0..1. Those of a size class without persons are NaN.

    Raises:
        DataError: if the file is missing or not JSON.
        MetricError: if no person to find has keypoints, or if a result is faulty or of an image that the file lacks.
    """
    return match_coco(ground_truth, results, sigmas, image_ids, category_id).precision


def match_coco(
    ground_truth: Path | Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    sigmas: Sequence[float],
    image_ids: Collection[int] | None = None,
    category_id: int | None = None,
    annotation_ids: Collection[int] | None = None,
) -> CocoEvaluation:
    """The same as `evaluate_coco`, with the matches that intervals are resampled from.

    Args:
        ground_truth, results, sigmas, image_ids, category_id: as there.
        annotation_ids: only these people are to be found; the others are neither wanted nor punished, as if they had no
            keypoints, though a result may be matched to one of them. None: everybody.
    """
    content = load_annotation_file(ground_truth) if isinstance(ground_truth, Path) else ground_truth
    truth = _complete(content, category_id, len(sigmas))
    if annotation_ids is not None:
        truth["annotations"] = _ignore_others(truth["annotations"], set(annotation_ids))
    # pycocotools notes whom a result was matched to by the id, and means nobody by 0: data may have an annotation 0.
    truth["annotations"] = [{**record, "id": number} for number, record in enumerate(truth["annotations"], start=1)]
    wanted = {image["id"] for image in truth["images"]} if image_ids is None else {int(image) for image in image_ids}
    checked = check_results(results, len(sigmas), category_id, truth["images"])
    _check_people(truth, len(sigmas), wanted)
    talk = io.StringIO()
    with contextlib.redirect_stdout(talk):
        evaluation = _run(truth, checked, sigmas, wanted)
    _log.debug("pycocotools:\n%s", talk.getvalue())
    stats = [float(value) for value in evaluation.stats]
    # pycocotools says -1 for a size class with nobody in it.
    metric_values = {name: v if v >= 0 else float("nan") for name, v in zip(COCO_METRICS, stats, strict=True)}
    matches = extract_matches(evaluation)
    return CocoEvaluation(
        precision=MetricResult(metric_values=metric_values),
        matches=matches,
        image_ids=np.array(sorted(wanted), dtype=np.int64),
        persons=sum(int(one.wanted.sum()) for one in matches),
    )


def _complete(truth: Mapping[str, Any], category_id: int | None, joint_count: int) -> dict[str, Any]:
    """A copy with the persons' well-formed records alone, each with all that pycocotools reads."""
    images, categories = _with_whole_ids(truth["images"]), _with_whole_ids(truth["categories"])
    wanted = [
        record
        for record in truth["annotations"]
        # Where no category is named, having keypoints is what makes a record a person's.
        if category_id is not None or (isinstance(record, dict) and {"keypoints", "category_id"} <= record.keys())
    ]
    records = partition_records(wanted, [image["id"] for image in images], joint_count, category_id)
    malformed = [issue for issue in records.issues if issue["reason"] not in EXPECTED_REASONS]
    if malformed:
        _log.warning(
            "average precision: %d malformed records of the annotation file are left out; the first: annotation %s, %s",
            len(malformed), malformed[0]["annotation_id"], malformed[0]["reason"],
        )  # fmt: skip
    if records.repaired:
        first = records.repaired[0]
        _log.info(
            "average precision: %d values of the annotation file are mended, as for all other figures; the first: annotation %s, "
            "%s (%s)", len(records.repaired), first.issue["annotation_id"], first.repair.reason, first.repair.value,
        )  # fmt: skip
    annotations = [_complete_record(record, category_id, joint_count) for record in records.good]
    return {"images": images, "annotations": annotations, "categories": categories}


def _with_whole_ids(records: Sequence[Any]) -> list[dict[str, Any]]:
    repaired = [repair_ids(record, ("id",))[0] for record in records if isinstance(record, dict)]
    return [record for record in repaired if is_int64(record.get("id"))]


def _ignore_others(annotations: Sequence[dict[str, Any]], wanted: set[int]) -> list[dict[str, Any]]:
    """Pycocotools does not want a record whose count is 0, and still matches results to the keypoints that it has."""
    return [record if record["id"] in wanted else {**record, "num_keypoints": 0} for record in annotations]


def _complete_record(record: Mapping[str, Any], category_id: int | None, joint_count: int) -> dict[str, Any]:
    keypoints = record.get("keypoints") or [0] * (3 * joint_count)
    return {
        "category_id": category_id,
        **record,
        "keypoints": keypoints,
        # Written counts that were wrong have been mended; where none is written the labelled joints are counted here.
        "num_keypoints": sum(v > 0 for v in keypoints[2::3]),
        "iscrowd": int(bool(record.get("iscrowd", 0))),
    }


def _check_people(truth: Mapping[str, Any], joint_count: int, wanted: set[int]) -> None:
    people = [a for a in truth["annotations"] if a["image_id"] in wanted and a["num_keypoints"] > 0 and not a["iscrowd"]]
    if not people:
        raise MetricError(
            f"average precision: none of the {len(wanted)} images has a person (crowds aside) with labelled keypoints, "
            f"{joint_count} joints each. Check that annotation file, skeleton and image ids belong together."
        )


def _run(truth: Any, results: Sequence[Mapping[str, Any]], sigmas: Sequence[float], wanted: set[int]) -> Any:
    """The evaluator of pycocotools after its run; it prints as it goes."""
    expected = COCO()
    expected.dataset = truth
    expected.createIndex()
    if results:
        # pycocotools writes into the records that it is given.
        found = expected.loadRes([dict(result) for result in results])
    else:
        found = COCO()
        nothing: Any = {**truth, "annotations": []}
        found.dataset = nothing
        found.createIndex()
    evaluation = COCOeval(expected, found, iouType="keypoints")
    evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
    evaluation.params.imgIds = sorted(wanted)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation
