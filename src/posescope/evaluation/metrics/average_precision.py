"""COCO's average precision and recall of keypoints in image px, computed by pycocotools.

Matching by OKS, thresholds 0.50:0.05:0.95, at most 20 results per image; crowds and persons without keypoints are ignored. This
module adds the skeleton's own sigmas, named errors in place of 0 and -1, and keeps pycocotools from printing.
"""

import contextlib
import io
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posescope.data.coco.annotation_stream import load_annotation_file
from posescope.data.coco.annotation_validation import validate_annotations
from posescope.data.coco.record_validation import EXPECTED_REASONS, is_int64
from posescope.data.coco.repair import repair_ids
from posescope.evaluation.metrics.average_precision_bootstrap import PersonMatches, extract_matches
from posescope.evaluation.metrics.base import MetricError
from posescope.evaluation.result_validation import check_results

__all__ = ["COCO_METRICS", "CocoEvaluation", "evaluate_coco", "records_with_ids"]

# In the order of `COCOeval.stats` for keypoints.
COCO_METRICS = ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR", "AR50", "AR75", "AR_medium", "AR_large")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class CocoEvaluation:
    """The values of pycocotools, and the matches from which confidence intervals are resampled.

    Attributes:
        metric_values: `COCO_METRICS`, 0..1; NaN for a size class without persons.
        matches: see `average_precision_bootstrap`.
    """

    metric_values: Mapping[str, float]
    matches: PersonMatches


def evaluate_coco(
    ground_truth: Path | Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    sigmas: Sequence[float],
    image_ids: Collection[int] | None = None,
    category_id: int = 1,
    annotation_ids: Collection[int] | None = None,
) -> CocoEvaluation:
    """Compute average precision and recall of COCO keypoint results.

    Args:
        ground_truth: annotation file (.json or .json.gz), or its content. Records are repaired as the reader does it, so that the
            same persons count as in PCK and OKS: missing or wrong areas become 0.53 of the box, labelled joints are counted
            again. Malformed records are left out, and their number is logged.
        results: records with image_id, category_id, keypoints (3 K numbers, COCO's px) and score, checked by `check_results`.
            With an empty list all values are 0.
        sigmas: (K,) OKS sigmas, `Skeleton.oks_sigmas`.
        image_ids: images to evaluate; results of other images do not count. None: all images of the file.
        category_id: id of the persons' category.
        annotation_ids: annotations that count. Others are ignored as COCO ignores persons without keypoints: they are no misses,
            and a result that matches one is no false alarm. None: all.

    Raises:
        DataError: if the file is missing or not JSON.
        MetricError: if no person that counts has keypoints, or if a result is malformed or of an image that the file lacks.
    """
    content = load_annotation_file(ground_truth) if isinstance(ground_truth, Path) else ground_truth
    truth = _complete(content, category_id, len(sigmas))
    if annotation_ids is not None:
        truth["annotations"] = _ignore_others(truth["annotations"], set(annotation_ids))
    # pycocotools stores a match as the annotation's id, with 0 for no match, but data may have an annotation 0.
    truth["annotations"] = [{**record, "id": number} for number, record in enumerate(truth["annotations"], start=1)]
    evaluated = {image["id"] for image in truth["images"]} if image_ids is None else {int(image) for image in image_ids}
    checked = check_results(results, len(sigmas), category_id, truth["images"])
    _check_persons(truth, len(sigmas), evaluated)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        evaluation = _run(truth, checked, sigmas, sorted(evaluated))
    _log.debug("pycocotools:\n%s", printed.getvalue())
    # pycocotools returns -1 for a size class without persons.
    values = [float(value) if value >= 0 else float("nan") for value in evaluation.stats]
    return CocoEvaluation(dict(zip(COCO_METRICS, values, strict=True)), extract_matches(evaluation))


def _complete(truth: Mapping[str, Any], category_id: int, joint_count: int) -> dict[str, Any]:
    """Copy the well-formed records of the persons, each with all fields that pycocotools reads."""
    images = records_with_ids(truth["images"])
    checked = validate_annotations(truth["annotations"], [image["id"] for image in images], joint_count, category_id)
    malformed = [issue for issue in checked.issues if issue["reason"] not in EXPECTED_REASONS]
    if malformed:
        _log.warning(
            "average precision: %d malformed records of the annotation file are left out; the first: annotation %s, %s",
            len(malformed), malformed[0]["annotation_id"], malformed[0]["reason"],
        )  # fmt: skip
    if checked.repaired:
        first = checked.repaired[0]
        _log.info(
            "average precision: %d values of the annotation file were repaired by the reader; the first: annotation %s, %s (%s)",
            len(checked.repaired), first["annotation_id"], first["reason"], first["detail"],
        )  # fmt: skip
    annotations = [_complete_record(record, category_id, joint_count) for record in checked.records]
    return {"images": images, "annotations": annotations, "categories": [{"id": category_id}]}


def records_with_ids(records: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the image records that have an integer id, repaired as the reader does it."""
    repaired = [repair_ids(record, ("id",))[0] for record in records if isinstance(record, dict)]
    return [record for record in repaired if is_int64(record.get("id"))]


def _ignore_others(annotations: Sequence[dict[str, Any]], counted: set[int]) -> list[dict[str, Any]]:
    """Set the number of keypoints of the other records to 0: pycocotools then ignores them, and still matches results to them."""
    return [record if record["id"] in counted else {**record, "num_keypoints": 0} for record in annotations]


def _complete_record(record: Mapping[str, Any], category_id: int, joint_count: int) -> dict[str, Any]:
    keypoints = record.get("keypoints") or [0] * (3 * joint_count)
    return {
        "category_id": category_id,
        **record,
        "keypoints": keypoints,
        # The reader has repaired wrong counts; a missing count is computed here.
        "num_keypoints": sum(v > 0 for v in keypoints[2::3]),
        "iscrowd": int(bool(record.get("iscrowd", 0))),
    }


def _check_persons(truth: Mapping[str, Any], joint_count: int, evaluated: set[int]) -> None:
    if not any(a["image_id"] in evaluated and a["num_keypoints"] > 0 and not a["iscrowd"] for a in truth["annotations"]):
        raise MetricError(
            f"average precision: expected persons with labelled keypoints of {joint_count} joints, crowds excluded, found none "
            f"in {len(evaluated)} images. Check that annotation file, skeleton and image ids belong together."
        )


def _run(truth: Any, results: Sequence[Mapping[str, Any]], sigmas: Sequence[float], image_ids: list[int]) -> Any:
    """Return pycocotools' evaluator after its run, during which it prints."""
    expected = COCO()
    expected.dataset = truth
    expected.createIndex()
    if results:
        # pycocotools modifies the records.
        found = expected.loadRes([dict(result) for result in results])
    else:
        found = COCO()
        nothing: Any = {**truth, "annotations": []}
        found.dataset = nothing
        found.createIndex()
    evaluation = COCOeval(expected, found, iouType="keypoints")
    evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
    evaluation.params.imgIds = image_ids
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation
