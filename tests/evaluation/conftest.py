from collections.abc import Callable

import numpy as np
import pytest

from posescope.core.skeleton import COCO_PERSON, Skeleton
from posescope.evaluation.scored_persons import ScoredPersons
from posescope.geometry.affine import apply_affine

JOINTS = ("nose", "left_hand", "right_hand", "left_foot", "right_foot")


@pytest.fixture
def make_scored() -> Callable[..., ScoredPersons]:
    """Make N persons whose crops are their images, with boxes of 100 x 50 px and areas of 2,500 px^2 by default."""

    def make(predicted, truth, visibility, joint_names=None, **changes) -> ScoredPersons:
        count, joints = np.shape(visibility)
        predicted, truth = (np.asarray(points, dtype=np.float64).reshape(count, joints, 2) for points in (predicted, truth))
        crop_from_image = changes.get("crop_from_image", np.tile(np.eye(2, 3), (count, 1, 1)))
        fields = {
            "person_ids": np.arange(count),
            "image_ids": np.arange(count),
            "predicted": predicted,
            "predicted_crop": apply_affine(crop_from_image, predicted),
            "scores": np.ones((count, joints)),
            "truth": truth,
            "truth_crop": apply_affine(crop_from_image, truth),
            "visibility": np.asarray(visibility, dtype=np.uint8),
            "boxes": np.tile([0.0, 0.0, 100.0, 50.0], (count, 1)),
            "areas": np.full(count, 2500.0),
            "crop_from_image": crop_from_image,
            "crop_size": (256, 256),
            "skeleton": COCO_PERSON
            if joints == len(COCO_PERSON)
            else Skeleton(joint_names or JOINTS[:joints], (), (0.1,) * joints),
        }
        return ScoredPersons(**{**fields, **changes})

    return make
