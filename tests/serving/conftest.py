"""Fixtures: a model without a network, images, and a client that runs the application in this process."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from posescope.artifacts.description import read_description
from posescope.core.records import CropJoints
from posescope.prediction.estimator import PoseEstimator
from posescope.serving.api_keys import ApiKeys
from posescope.serving.application import make_application
from posescope.serving.engine import ServingEngine
from posescope.serving.options import ServingOptions
from posescope.serving.server_metrics import metrics_of_model

MODEL = Path(__file__).parents[1] / "artifacts" / "model_format_2"
JOINT_COUNT = len(read_description(MODEL).skeleton)

MakeClient = Callable[..., TestClient]


class PixelBackend:
    """Computes joints and scores from pixels of the crop, so that they differ for every crop and do not depend on the batch."""

    name = "onnx"

    def run(self, crops: NDArray[np.uint8], flip_test: bool = False) -> CropJoints:
        values = crops.reshape(len(crops), -1)[:, : 3 * JOINT_COUNT].reshape(len(crops), JOINT_COUNT, 3).astype(np.float32)
        return CropJoints(values[:, :, :2] / 4, values[:, :, 2] / 256 * (0.5 if flip_test else 1))


@pytest.fixture(scope="session")
def served_estimator() -> PoseEstimator:
    """Return an estimator with the description of a stored model and a `PixelBackend`."""
    return PoseEstimator(read_description(MODEL), PixelBackend())


@pytest.fixture(scope="session")
def photo() -> bytes:
    """Return a JPEG file of 50 x 70 px (height x width)."""
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


@pytest.fixture
def make_client(served_estimator: PoseEstimator) -> Iterator[MakeClient]:
    """Return a function that starts the application with these options and returns its client."""
    clients: list[TestClient] = []

    def start(
        *,
        keys: ApiKeys | None = None,
        is_local: bool = True,
        names: Collection[str] = (),
        detector: Any = None,
        estimator: Any = None,
        **options: Any,
    ) -> TestClient:
        found = estimator or served_estimator
        engine = ServingEngine(found, ServingOptions(**options), metrics_of_model(found), detector)
        application = make_application(engine, keys, is_local=is_local, names=names)
        client = TestClient(application, "http://127.0.0.1", raise_server_exceptions=False)
        clients.append(client.__enter__())
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)
