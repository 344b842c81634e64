"""Write persons as COCO keypoint annotations, with the ids of the files that they were read from.

Boxes refer to the edges of pixels there, and to their centres in the tables: 0.5 is added here. Keypoints are unchanged.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton

__all__ = ["keypoint_category", "keypoint_document"]

_DECIMALS = 2


def keypoint_category(skeleton: Skeleton, name: str) -> dict[str, Any]:
    """Return a COCO category; its limbs count joints from 1.

    Args:
        skeleton: joints in the order of the annotation.
        name: name of the category.
    """
    return {
        "id": skeleton.category_id,
        "name": name,
        "keypoints": list(skeleton.joints),
        "skeleton": [[first + 1, second + 1] for first, second in skeleton.limbs],
    }


def keypoint_document(
    persons: pd.DataFrame,
    joints: NDArray[np.floating],
    category: Mapping[str, Any],
    description: str,
    notes: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the content of a keypoint annotation file.

    Args:
        persons: N rows of a `Persons` table, of files that do not use the same ids.
        joints: (N, K, 3) x and y in image px, NaN where unlabelled, and visibility.
        category: as of `keypoint_category`.
        description: what the file has.
        notes: N contents of the field `posescope` of the annotations.
    """
    images: list[Any] = list(persons.drop_duplicates("image_id").itertuples())
    annotations = [
        _annotation(person, own, category["id"], note)
        for person, own, note in zip(persons.itertuples(), joints, notes, strict=True)
    ]
    return {
        "info": {"description": description},
        "images": [
            {"id": int(row.image_id), "file_name": row.file_name, "width": int(row.image_w), "height": int(row.image_h)}
            for row in images
        ],
        "annotations": annotations,
        "categories": [dict(category)],
    }


def _annotation(person: Any, joints: NDArray[np.floating], category_id: int, note: Mapping[str, Any]) -> dict[str, Any]:
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
        "posescope": dict(note),
    }


def _number(value: float) -> float | int:
    """Return an integer where COCO's files have one."""
    rounded = round(float(value), _DECIMALS)
    return int(rounded) if rounded == int(rounded) else rounded
