"""Tests of the engine: a request whose time is over ends, and keeps its admission until its body is no longer used."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.serving.conftest import MakeClient

from posescope.prediction import person_crops
from posescope.prediction.estimator import PoseEstimator
from posescope.serving import engine as engine_module
from posescope.serving.engine import ServingEngine
from posescope.serving.options import ServingOptions
from posescope.serving.server_metrics import metrics_of_model

JPEG = {"Content-Type": "image/jpeg"}
TEN_BOXES = {"boxes": json.dumps([[1, 1, 30, 30]] * 10)}


class Gate:
    """Takes the place of `crop_box` and lets it wait. Attribute: count: number of calls."""

    def __init__(self) -> None:
        self.entered, self.opened, self.count = threading.Event(), threading.Event(), 0

    def __call__(self, *_: Any, out: Any) -> None:
        self.count += 1
        self.entered.set()
        assert self.opened.wait(10)
        out[...] = 0


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(person_crops, "crop_box", gate)
    yield gate
    gate.opened.set()


def unanswered(client: TestClient) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("posescope_unanswered_requests "))


def wait_until_free(client: TestClient) -> None:
    deadline = time.monotonic() + 5
    while unanswered(client):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_request_whose_time_is_over_makes_no_further_crops(make_client: MakeClient, photo: bytes, gate: Gate) -> None:
    client = make_client(timeout_s=0.3, decoding_threads=1)
    assert client.post("/predict", content=photo, headers=JPEG, params=TEN_BOXES).status_code == 504
    gate.opened.set()
    wait_until_free(client)
    assert gate.count == 1
    assert client.post("/predict", content=photo, headers=JPEG).status_code == 200


def test_admission_lasts_until_the_body_is_no_longer_used(make_client: MakeClient, photo: bytes, gate: Gate) -> None:
    client = make_client(timeout_s=0.3, decoding_threads=1)
    assert client.post("/predict", content=photo, headers=JPEG).status_code == 504
    assert unanswered(client) == 1  # its thread still has the body
    assert client.post("/predict", content=photo, headers=JPEG).status_code == 504
    assert unanswered(client) == 1  # the second waited for the thread, and its body is freed
    gate.opened.set()
    wait_until_free(client)


@pytest.mark.parametrize(("side", "status"), [(210, 200), (211, 422)])
def test_boxes_are_bounded_by_the_image(make_client: MakeClient, photo: bytes, side: int, status: int) -> None:
    answer = make_client().post("/predict", content=photo, headers=JPEG, params={"boxes": f"[[0, 0, 9, {side}]]"})
    assert answer.status_code == status


def test_closing_does_not_wait_for_ever(
    served_estimator: PoseEstimator, gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine_module, "_CLOSE_S", 0.2)
    engine = ServingEngine(served_estimator, ServingOptions(), metrics_of_model(served_estimator))
    pixels = np.zeros((9, 9, 3), dtype=np.uint8)
    model = served_estimator.description
    engine._pool.submit(
        lambda check: person_crops.crop_persons(pixels, np.array([[0.0, 0, 9, 9]]), model.crop, model.crop_size, check)
    )
    assert gate.entered.wait(5)
    started = time.monotonic()
    engine.close()
    assert time.monotonic() - started < 2
    assert not engine.is_ready
    assert [record.name for record in caplog.records] == ["posescope.serving.decoding_pool"]  # the idle network has ended
