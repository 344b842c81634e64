"""The listed persons as a table with their files, and as COCO annotations to open in an annotation tool."""

from typing import Any

import numpy as np
import pandas as pd

from posescope.core.skeleton import Skeleton
from posescope.core.tables import joints_of, matrices_of
from posescope.data.coco.annotation_writer import keypoint_category, keypoint_document
from posescope.data.coco.folder import SourceOptions
from posescope.explainability.base import AnalysisResult
from posescope.explainability.label_errors.suspicious_joints import COLUMNS
from posescope.geometry.affine import apply_affine, invert_affine

__all__ = ["list_suspicious_annotations", "suspicious_coco"]

_TABLE = "label_errors"
_IMAGE_PX = {"annotated_x", "annotated_y", "predicted_x", "predicted_y"}
_DECIMALS = 2


def list_suspicious_annotations(result: AnalysisResult, persons: pd.DataFrame, crop_boxes: pd.DataFrame) -> pd.DataFrame:
    """Return the listed persons with their files, in image px.

    Args:
        result: result of the analysis `label_errors`; an empty one gives a table without rows.
        persons, crop_boxes: `Persons` and `CropBoxes` of the same data.

    Returns:
        A row per person: the columns of the analysis, in image px (an integer is the centre of a pixel); distance between
        annotation and prediction, in fractions of the longer side of the person's box; image_id, annotation_id, file_name.
    """
    listed = result.tables.get(_TABLE, pd.DataFrame(columns=list(COLUMNS))).copy()
    ids = listed["person_id"].to_numpy(dtype=np.int64)
    rows = persons.set_index("person_id").loc[ids]
    image_from_crop = invert_affine(matrices_of(crop_boxes.set_index("person_id").loc[ids]))
    places = []
    for name in ("annotated", "predicted"):
        columns = [f"{name}_x", f"{name}_y"]
        crop_px = listed[columns].to_numpy(dtype=np.float64)
        places.append(apply_affine(image_from_crop, crop_px[:, None])[:, 0] if len(listed) else crop_px)
        listed[columns] = places[-1].round(_DECIMALS)
    longer = rows[["bbox_w", "bbox_h"]].max(axis=1).to_numpy(dtype=np.float64)
    listed["distance"] = np.linalg.norm(places[0] - places[1], axis=1) / np.maximum(longer, 1e-9)
    for name in ("image_id", "annotation_id", "file_name"):
        listed[name] = rows[name].to_numpy()
    return listed


def suspicious_coco(
    listed: pd.DataFrame, persons: pd.DataFrame, keypoints: pd.DataFrame, skeleton: Skeleton, source: SourceOptions
) -> dict[str, Any]:
    """Return COCO annotations of the listed persons of each split, since ids may be the same in two files.

    Args:
        listed: table of `list_suspicious_annotations`.
        persons, keypoints: `Persons` and `Keypoints` of the same data.
        skeleton: joints in the order of the annotation.
        source: has the name of the category.

    Returns:
        By `train` and `val`: the content of a keypoint annotation file with the original ids, in the order of the list. Each
        annotation has a field `posescope`: rank, kind, joint, other_joint and score.
    """
    category = keypoint_category(skeleton, source.category)
    return {split: _document(listed[listed["split"] == split], persons, keypoints, category) for split in ("train", "val")}


def _document(listed: pd.DataFrame, persons: pd.DataFrame, keypoints: pd.DataFrame, category: dict[str, Any]) -> dict[str, Any]:
    ids = listed["person_id"].to_numpy(dtype=np.int64)
    rows, joints = persons.set_index("person_id").loc[ids], joints_of(keypoints, ids)
    notes = [
        {
            "rank": int(suspicion["rank"]),
            **{name: suspicion[name] for name in ("kind", "joint", "other_joint")},
            "score": round(float(suspicion["score"]), _DECIMALS),
        }
        for suspicion in listed.to_dict("records")
    ]
    return keypoint_document(rows, joints, category, "Annotations that posescope lists as doubtful", notes)
