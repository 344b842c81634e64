"""Convert predictions to COCO results, the JSON format that pycocotools reads."""

from typing import Any

import numpy as np
import pandas as pd

from posescope.core.tables import joints_of

__all__ = ["coco_results"]


def coco_results(predictions: pd.DataFrame, persons: pd.DataFrame, category_id: int = 1) -> list[dict[str, Any]]:
    """Return one COCO result per person.

    Args:
        predictions: a `Predictions` table, image px; COCO has the same convention for keypoints.
        persons: a `Persons` table that holds the predicted persons.
        category_id: id of the person category in the annotation file.

    Returns:
        Records with image_id, category_id, keypoints (3 K numbers: x, y, 1) and score, the mean of the joints' scores: the boxes
        are the annotated ones, with score 1.
    """
    person_ids = np.unique(predictions["person_id"].to_numpy())
    values = joints_of(predictions, person_ids)
    image_ids = persons.set_index("person_id").loc[person_ids, "image_id"].to_numpy()
    scores = values[..., 2].mean(axis=1) if len(values) else np.empty(0)
    triples = np.concatenate([values[..., :2].round(3), np.ones_like(values[..., :1])], axis=-1)
    return [
        {
            "image_id": int(image),
            "category_id": category_id,
            "keypoints": numbers.ravel().tolist(),
            "score": round(float(score), 6),
        }
        for image, numbers, score in zip(image_ids, triples, scores, strict=True)
    ]
