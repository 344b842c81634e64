from collections.abc import Callable

import numpy as np
import pytest

from posescope.core.records import ScoredPersons
from posescope.core.skeleton import COCO_PERSON


@pytest.fixture
def make_scored() -> Callable[..., ScoredPersons]:
    """N persons whose crops are their images (identity map), boxes of 100 x 50 px, areas of 2,500 px^2 unless told otherwise."""

    def make(predicted, truth, visibility, **changes) -> ScoredPersons:
        count, joints = np.shape(visibility)
        fields = {
            "person_ids": np.arange(count),
            "image_ids": np.arange(count),
            "predicted": np.asarray(predicted, dtype=np.float64).reshape(count, joints, 2),
            "scores": np.ones((count, joints)),
            "truth": np.asarray(truth, dtype=np.float64).reshape(count, joints, 2),
            "visibility": np.asarray(visibility, dtype=np.uint8),
            "boxes": np.tile([0.0, 0.0, 100.0, 50.0], (count, 1)),
            "areas": np.full(count, 2500.0),
            "crop_from_image": np.tile(np.eye(2, 3), (count, 1, 1)),
            "crop_size": (256, 256),
            "oks_sigmas": COCO_PERSON.oks_sigmas if joints == len(COCO_PERSON) else (0.1,) * joints,
        }
        return ScoredPersons(**{**fields, **changes})

    return make
