"""What the engine of tried photographs reads of an opened run: twelve persons with random crops, each in an image of its own."""

from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from posescope.artifacts.pose_model import PoseModel
from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.activations import read_activations
from posescope.explainability.features.feature_store import FeatureSet

PERSONS, FIRST_ID = 12, 100
CROPS = np.random.default_rng(1).integers(0, 256, (PERSONS, 32, 32, 3)).astype(np.uint8)


def small_run(model: PoseModel, **about: Any) -> Any:
    """Return the run of an untrained model with crops of 32 px.

    Args:
        model: the model.
        **about: changed metadata.
    """
    layer = str(model.network.bottleneck_layer)
    found = read_activations(model, torch.from_numpy(CROPS), [layer])[layer].float()
    ids = np.arange(PERSONS, dtype=np.int64) + FIRST_ID
    features = FeatureSet(ids, found.flatten(1).numpy().astype(np.float16), layer, tuple(found.shape[1:]))
    components = principal_components(features, 5)
    along = components.project(features.values, 3)
    persons = pd.DataFrame({"person_id": ids, "image_id": ids, "source_split": "val", "map_x": along[:, 0], "map_y": along[:, 1]})
    facts = {"map": "components", "components": (1, 2, 3), "generated": False, "skeleton": model.skeleton}
    return SimpleNamespace(
        data_dir=Path("absent"),
        allow=(),
        persons=persons,
        image_groups=persons.groupby(["source_split", "image_id"], sort=False).ngroup().to_numpy(),
        person_ids=ids,
        about=SimpleNamespace(**facts | about),
        rows_of=lambda wanted: np.array(list(wanted)) - FIRST_ID,
        thumbnails=lambda rows: [_jpeg(CROPS[row]) for row in rows],
        model=lambda: model,
        copy_model=lambda: deepcopy(model),
        features=lambda: features,
        components=lambda: components,
        uncertainty=lambda: None,
    )


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()
