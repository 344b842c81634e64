"""A finished run on photographs that a small network of others can read."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from posescope.core.origin import Origin, add_origin
from posescope.core.skeleton import Skeleton
from posescope.core.tables import join_joints
from posescope.evaluation.metric_evaluation import evaluate_persons
from posescope.evaluation.per_joint import tabulate_joint_hits
from posescope.evaluation.scored_persons import gather_scored
from posescope.evaluation.scoring_options import ScoringOptions
from posescope.geometry.affine import crop_from_image

__all__ = ["RUN_ID", "write_run"]

RUN_ID = "2026-01-01T10.00.00.000Z"
ORIGIN = Origin("m" * 16, "d" * 16, "")
_SIDE, _COUNT = 64, 4
# Column and row of the cells of 4 x 4 px of each person's joints: red, green and blue in the image.
_CELLS = np.array([[[3, 5], [8, 2], [12, 9]], [[4, 4], [9, 3], [11, 13]], [[2, 12], [7, 7], [13, 1]], [[5, 10], [1, 1], [9, 14]]])


def write_run(
    folder: Path, joints: tuple[str, ...] = ("red", "green", "blue"), error_px: float = 12.0, data: str = "d" * 16
) -> Path:
    """Write a run of four persons, one per image, whose joints are dots of one channel each.

    Args:
        folder: for the data_dir and the images.
        joints: names of the red, the green and the blue dot.
        error_px: distance of the run's own predictions to the right of the dots.
        data: fingerprint of the current data; that of the run is "d" * 16.

    Returns:
        The data_dir.
    """
    root, raw = folder / "data", folder / "raw"
    skeleton = Skeleton(joints, (), (0.1,) * len(joints))
    ids = np.arange(1, _COUNT + 1)
    truth = _CELLS * 4 + 1.5
    (raw / "val2017").mkdir(parents=True, exist_ok=True)
    for number, cells in zip(ids, _CELLS, strict=True):
        image = np.zeros((_SIDE, _SIDE, 3), np.uint8)
        for channel, (column, row) in enumerate(cells):
            image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4, channel] = 255
        assert cv2.imwrite(str(raw / "val2017" / f"{number}.png"), image[..., ::-1])
    persons = pd.DataFrame(
        {
            "person_id": ids, "source_split": "val2017", "annotation_id": ids, "image_id": ids * 10,
            "file_name": [f"{number}.png" for number in ids], "split": "val", "image_h": _SIDE, "image_w": _SIDE,
            "bbox_x": -0.5, "bbox_y": -0.5, "bbox_w": float(_SIDE), "bbox_h": float(_SIDE), "area": _SIDE**2 / 2,
            "is_crowd": False,
        }
    )  # fmt: skip
    keypoints = join_joints(ids, truth, np.full(truth.shape[:2], 2, np.uint8), "visibility")
    keypoints["joint_name"] = pd.Categorical.from_codes(keypoints["joint"], categories=list(joints))
    matrix = crop_from_image(0, 0, _SIDE, (_SIDE, _SIDE)).ravel()
    boxes = pd.DataFrame({"person_id": ids, "left": 0, "top": 0, "side": _SIDE, **dict(zip("abcdef", matrix, strict=True))})
    predictions = join_joints(ids, truth + np.array([error_px, 0]), np.full(truth.shape[:2], 0.5, np.float32), "score")
    scored = gather_scored(predictions, persons, keypoints, boxes, skeleton, (_SIDE, _SIDE))
    scores = evaluate_persons(scored, ScoringOptions().metrics, 0, resamples=1).person_scores
    tables = {
        "persons_read": persons, "keypoints": keypoints, "crop_boxes": boxes,
            "predictions_val": add_origin(predictions, ORIGIN),
        "person_scores_val": add_origin(scores, ORIGIN),
        "joint_hits_val": add_origin(tabulate_joint_hits(scored), ORIGIN),
    }  # fmt: skip
    statistics: dict[str, Any] = {
        "mean_rgb": [0.5, 0.5, 0.5], "crop_size": [_SIDE, _SIDE], "data_fingerprint": data,
        "crop": {"rule": {"name": "padded_square", "options": {}}},
    }  # fmt: skip
    places = {name: root / "02_intermediate" / f"{name}.parquet" for name in tables}
    places |= {name: root / "02_intermediate" / f"{name}.json" for name in ("skeleton", "crop_statistics")}
    places["skeleton"].parent.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_parquet(places[name])
    places["skeleton"].write_text(json.dumps(skeleton.to_dict()))
    places["crop_statistics"].write_text(json.dumps(statistics))
    record = {
        "status": "completed", "run_id": RUN_ID, "pipelines": ["evaluation"], "inputs": {"raw_source": str(raw)},
        "outputs": {name: str(path) for name, path in places.items()}, "data_fingerprint": "d" * 16,
        "parameters": {"evaluation": {"scoring": {"seed": 0}}, "data_engineering": {"source": {"val_split": "val2017"}}},
    }  # fmt: skip
    place = root / "08_reporting" / "runs" / RUN_ID
    place.mkdir(parents=True, exist_ok=True)
    (place / "run.json").write_text(json.dumps(record))
    return root
