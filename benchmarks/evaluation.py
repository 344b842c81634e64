"""Measure the time of all metrics of a validation set with intervals, and the time of pycocotools alone.

    match once by OKS -> AP and AR of every resample of images -> PCK and OKS of every person, with the same resamples

Predictions are noisy copies of the ground truth; no network runs. The folder contains `person_keypoints_val2017.json` or
`.json.gz`; reading it is not timed. The last line is JSON: `seconds` of all metrics, `pycocotools_once_s` of pycocotools
(evaluate, accumulate, summarise), the number of persons and of resamples.
"""

import argparse
import contextlib
import copy
import io
import json
import time
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posescope.core.plugins import ComponentSpec
from posescope.core.skeleton import Skeleton
from posescope.core.tables import Predictions, join_joints, joints_of
from posescope.data.coco.annotation_stream import load_annotation_file
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import filter_persons
from posescope.data.coco.reader import read_annotations
from posescope.data.coco.results_writer import coco_results
from posescope.evaluation.metric_evaluation import evaluate_persons, evaluate_precision
from posescope.evaluation.scored_persons import ScoredPersons
from posescope.geometry.affine import apply_affine

SOURCE = SourceOptions(images=None, annotations="person_keypoints_{split}.json")
METRICS = tuple(ComponentSpec(name=name) for name in ("pck_thesis", "pck", "oks"))
CROP_PX = 256


def noisy_people(labels: Path, seed: int) -> tuple[ScoredPersons, list[dict], Skeleton]:
    """Return all labelled persons of the validation set, with predictions 2 % or 10 % of their size from the ground truth."""
    read = read_annotations(CocoFolder(labels), SOURCE)
    kept = filter_persons(read.persons, read.keypoints, ()).persons
    kept = kept[kept["split"] == "val"].sort_values("person_id")
    ids, rng = kept["person_id"].to_numpy(), np.random.default_rng(seed)
    truth = joints_of(read.keypoints, ids)
    sizes = np.sqrt(kept["area"].to_numpy(dtype=np.float64)) * rng.choice([0.02, 0.1], len(ids))
    predicted = np.nan_to_num(truth[..., :2]) + rng.normal(size=(*truth.shape[:2], 2)) * sizes[:, None, None]
    scores = rng.random(truth.shape[:2])
    results = coco_results(Predictions.validate(join_joints(ids, predicted, scores, "score")), kept, read.skeleton.category_id)
    boxes = kept[["bbox_x", "bbox_y", "bbox_w", "bbox_h"]].to_numpy(dtype=np.float64)
    crops = np.tile(np.eye(2, 3), (len(ids), 1, 1)) * (CROP_PX / boxes[:, 2:].max(axis=1).clip(1))[:, None, None]
    crops[:, :, 2] = -boxes[:, :2] * crops[:, 0, :1]
    scored = ScoredPersons(
        person_ids=ids,
        image_ids=kept["image_id"].to_numpy(),
        predicted=predicted,
        predicted_crop=apply_affine(crops, predicted),
        scores=scores,
        truth=truth[..., :2],
        truth_crop=apply_affine(crops, truth[..., :2]),
        visibility=truth[..., 2].astype(np.uint8),
        boxes=boxes,
        areas=kept["area"].to_numpy(dtype=np.float64),
        crop_from_image=crops,
        crop_size=(CROP_PX, CROP_PX),
        skeleton=read.skeleton,
    )
    return scored, results, read.skeleton


def time_pycocotools(truth: dict, results: list[dict]) -> float:
    """Return the seconds of pycocotools, including the creation of its evaluator."""
    with contextlib.redirect_stdout(io.StringIO()):
        expected = COCO()
        expected.dataset = copy.deepcopy(truth)
        expected.createIndex()
        found = expected.loadRes(copy.deepcopy(results))
        started = time.perf_counter()
        evaluation = COCOeval(expected, found, "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return time.perf_counter() - started


def main() -> None:
    """Measure once and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="folder of the annotation files")
    parser.add_argument("--resamples", type=int, default=1000, help="draws of images")
    arguments = parser.parse_args()
    scored, results, skeleton = noisy_people(arguments.labels, seed=0)
    truth = load_annotation_file(CocoFolder(arguments.labels).annotation_file(SOURCE, SOURCE.val_split))
    once = time_pycocotools(truth, results)
    print(f"pycocotools alone {once:.2f} s")

    started = time.perf_counter()
    precision, image_ids = evaluate_precision(truth, results, skeleton, 0, arguments.resamples)
    print(f"AP resampled after {time.perf_counter() - started:.2f} s")
    found = evaluate_persons(scored, METRICS, 0, image_ids, arguments.resamples)
    seconds = time.perf_counter() - started
    for name, figure in {**precision.by_name, **found.metric_values.by_name}.items():
        print(f"{name:<20} {figure.value:.4f}  {figure.low:.4f} to {figure.high:.4f}")
    metric_values = {"seconds": round(seconds, 2), "pycocotools_once_s": round(once, 2)}
    print(json.dumps(metric_values | {"persons": len(scored), "resamples": arguments.resamples}))


if __name__ == "__main__":
    main()
