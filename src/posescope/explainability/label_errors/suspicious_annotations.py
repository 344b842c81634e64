"""The listed persons as a table with their files, and as COCO annotations to open in an annotation tool."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.core.tables import joints_of, matrices_of
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
    category = {
        "id": skeleton.category_id,
        "name": source.category,
        "keypoints": list(skeleton.joints),
        "skeleton": [[first + 1, second + 1] for first, second in skeleton.limbs],
    }
    return {split: _document(listed[listed["split"] == split], persons, keypoints, category) for split in ("train", "val")}


def _document(listed: pd.DataFrame, persons: pd.DataFrame, keypoints: pd.DataFrame, category: dict[str, Any]) -> dict[str, Any]:
    ids = listed["person_id"].to_numpy(dtype=np.int64)
    rows = persons.set_index("person_id").loc[ids]
    joints = joints_of(keypoints, ids)
    images: list[Any] = list(rows.drop_duplicates("image_id").itertuples())
    annotations = [
        _annotation(person, own, suspicion, category["id"])
        for person, own, suspicion in zip(rows.itertuples(), joints, listed.to_dict("records"), strict=True)
    ]
    return {
        "info": {"description": "Annotations that posescope lists as doubtful"},
        "images": [
            {"id": int(row.image_id), "file_name": row.file_name, "width": int(row.image_w), "height": int(row.image_h)}
            for row in images
        ],
        "annotations": annotations,
        "categories": [category],
    }


def _annotation(person: Any, joints: NDArray[np.float64], suspicion: Mapping[Any, Any], category_id: int) -> dict[str, Any]:
    """Return a COCO record; its box refers to the edges of pixels."""
    triples = [[_number(x), _number(y), int(seen)] if seen > 0 else [0, 0, 0] for x, y, seen in joints]
    return {
        "id": int(person.annotation_id),
        "image_id": int(person.image_id),
        "category_id": category_id,
        "iscrowd": int(person.is_crowd),
        "bbox": [_number(value) for value in (person.bbox_x + 0.5, person.bbox_y + 0.5, person.bbox_w, person.bbox_h)],
        "area": _number(person.area),
        "segmentation": [],
        "keypoints": [value for triple in triples for value in triple],
        "num_keypoints": sum(triple[2] > 0 for triple in triples),
        "posescope": {
            "rank": int(suspicion["rank"]),
            **{name: suspicion[name] for name in ("kind", "joint", "other_joint")},
            "score": round(float(suspicion["score"]), _DECIMALS),
        },
    }


def _number(value: float) -> float | int:
    """Return an integer where COCO's files have one."""
    rounded = round(float(value), _DECIMALS)
    return int(rounded) if rounded == int(rounded) else rounded
