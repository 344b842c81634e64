"""Tests of the application in this process: predictions equal those of `posescope predict`, limits, errors, facts."""

import json
import threading
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from starlette.testclient import TestClient
from tests.serving.conftest import JOINT_COUNT, MODEL, MakeClient

import posescope
from posescope.cli import cli
from posescope.core.errors import DataError
from posescope.data.images.limits import ImageError
from posescope.prediction.detectors.detector import Detections
from posescope.prediction.estimator import PoseEstimator
from posescope.prediction.poses import DetectedPerson, ImageInfo
from posescope.serving.batching import Batcher
from posescope.serving.request_guard import SERVER_FAILED

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client()


def png_of(size: tuple[int, int]) -> bytes:
    """Return a PNG file that declares (height, width) px and has none."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = size[1].to_bytes(4, "big") + size[0].to_bytes(4, "big") + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_results_are_those_of_the_command_predict(
    client: TestClient, served_estimator: PoseEstimator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PoseEstimator, "load", lambda *_, **__: served_estimator)
    rng, photos = np.random.default_rng(1), tmp_path / "photos"
    photos.mkdir()
    for name, size in (("a.png", (60, 80)), ("000139.jpg", (90, 50)), ("b.jpg", (40, 40))):
        assert cv2.imwrite(str(photos / name), rng.integers(0, 256, (*size, 3)).astype(np.uint8))
    boxes = {
        "a.png": [[5, 6, 30, 40, 0.5], [20, 10, 50, 50, 0.25]],
        "000139.jpg": [[1.5, 2, 30, 60, 0.75]],
        "b.jpg": [[0, 0, 40, 40, 1]],
    }
    records = [
        {"file_name": name, "category_id": 1, "bbox": box[:4], "score": box[4]} for name, rows in boxes.items() for box in rows
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(records))
    for own, more in ((boxes, ["--boxes", str(tmp_path / "boxes.json")]), (None, [])):
        words = ["predict", str(photos), "--model", str(MODEL), "--out", str(tmp_path / "out"), *more]
        assert CliRunner().invoke(cli, words).exit_code == 0
        expected = json.loads((tmp_path / "out" / "poses.json").read_text())
        names = list(dict.fromkeys(record["file_name"] for record in expected))
        files = [("images", (name, (photos / name).read_bytes())) for name in names]
        answer = client.post(
            "/predict", files=files, data={} if own is None else {"boxes": [json.dumps(own[name]) for name in names]}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json() == expected
        assert len(expected) == (4 if own else 3)


def test_calibrated_model_has_radii(make_client: MakeClient, served_estimator: PoseEstimator, photo: bytes) -> None:
    class Radii:
        level = 0.9

        def radii(self, scores: NDArray[Any], flip_test: bool) -> NDArray[Any]:
            return np.full(scores.shape, 2.0 if flip_test else 1.0)

        def distrust(self, radii: NDArray[Any]) -> NDArray[np.bool_]:
            return radii > 1

    estimator = PoseEstimator(served_estimator.description, served_estimator.backend, Radii())  # type: ignore[arg-type]
    for flip_test in (False, True):
        client = make_client(estimator=estimator, flip_test=flip_test)
        record = client.post("/predict", content=photo, headers=JPEG).json()[0]
        expected = estimator.predict_one(photo, flip_test=flip_test).to_coco()[0]
        assert record["radii"] == expected["radii"]
        assert record["do_not_trust"] == [flip_test] * JOINT_COUNT
        assert client.get("/model").json()["radius_level"] == 0.9


def test_raw_image_takes_name_and_boxes_of_the_query(client: TestClient, photo: bytes) -> None:
    query = {"file_name": "x/12.jpg", "boxes": "[[1, 2, 30, 40]]"}
    records = client.post("/predict", content=photo, headers=JPEG, params=query).json()
    assert [(one["file_name"], one["image_id"], one["bbox"]) for one in records] == [("12.jpg", 12, [1, 2, 30, 40])]
    assert client.post("/predict", content=photo, headers=JPEG, params={"boxes": "[]"}).json() == []


def test_detector_finds_the_persons_of_images_without_boxes(make_client: MakeClient, photo: bytes) -> None:
    def two_persons(image: NDArray[np.uint8], info: ImageInfo, _: Detections) -> list[DetectedPerson]:
        boxes = ((9.5, 9.5, 20.0, 20.0), (19.5, 9.5, 20.0, 20.0), (500.0, 500.0, 9.0, 9.0))
        return [DetectedPerson(info, box, 0.5) for box in boxes]

    client = make_client(detector=two_persons, max_persons=2)
    found = client.post("/predict", files=[("images", ("a.jpg", photo))]).json()
    assert [one["bbox"] for one in found] == [[10, 10, 20, 20], [20, 10, 20, 20]]  # the third is outside the image
    found = client.post("/predict", files=[("images", ("a.jpg", photo))], data={"boxes": "[[1, 1, 9, 9]]"}).json()
    assert [one["bbox"] for one in found] == [[1, 1, 9, 9]]


def test_detector_that_fails_is_an_error_of_the_server(make_client: MakeClient, photo: bytes) -> None:
    fails: list[Exception] = []

    def detect(_: NDArray[np.uint8], info: ImageInfo, __: Detections) -> list[DetectedPerson]:
        if fails:
            raise fails[0]
        return []

    client = make_client(detector=detect)
    fails.append(DataError("/secret/detector.onnx: the network fails"))
    answer = client.post("/predict", content=photo, headers=JPEG)
    assert (answer.status_code, "secret" in answer.text) == (500, False)
    fails[0] = ImageError("image has another size", "photo: the image has another size")
    assert client.post("/predict", content=photo, headers=JPEG).status_code == 422
    with pytest.raises(ImageError):  # it is tried before the server listens
        make_client(detector=detect)


@pytest.mark.parametrize(
    ("raw", "query", "status"),
    [
        (b"no image", {}, 422),
        (b"\xff\xd8\xff\xe0 broken", {}, 422),
        (png_of((60, 60)), {}, 422),
        (png_of((3000, 3000)), {}, 413),
        (png_of((2**31 - 1, 2**31 - 1)), {}, 413),
        (None, {"boxes": "[[1, 2, 3]]"}, 422),
        (None, {"boxes": "[[1, 2, 30, NaN]]"}, 422),
        (None, {"boxes": "[[1e400, 2, 30, 40]]"}, 422),
        (None, {"boxes": "[[1, 2, -30, 40]]"}, 422),
        (None, {"boxes": "[[900, 2, 30, 40]]"}, 422),
        (None, {"boxes": "[[0, 0, 1e9, 1e9]]"}, 422),
        (None, {"boxes": json.dumps([[1, 2, 3, 4]] * 4)}, 422),
        (None, {"boxes": '[["1", 2, 3, 4]]'}, 422),
        (None, {"boxes": "photo.json"}, 422),
        (None, {"file_name": "x" * 2000}, 422),
        (b"", {}, 400),
        (b"x" * 300_000, {}, 413),
    ],
)
def test_unusable_requests_are_refused_in_one_line(
    make_client: MakeClient, photo: bytes, raw: bytes | None, query: dict[str, str], status: int
) -> None:
    client = make_client(max_megapixels=1, max_body_mb=0.2, max_persons=3)
    answer = client.post("/predict", content=photo if raw is None else raw, headers=JPEG, params=query)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    assert "\n" not in answer.json()["error"]
    assert "Traceback" not in answer.text
    assert client.post("/predict", content=photo, headers=JPEG).status_code == 200


def test_one_damaged_image_refuses_the_request(client: TestClient, photo: bytes) -> None:
    answer = client.post("/predict", files=[("images", ("a.jpg", photo)), ("images", ("b\n.jpg", photo[:500]))])
    assert answer.status_code == 422
    assert "b" in answer.json()["error"]


def test_failure_of_the_network_has_no_details(
    make_client: MakeClient, served_estimator: PoseEstimator, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()

    def fail(*_: Any) -> None:
        raise DataError("/secret/path: the network fails")

    monkeypatch.setattr(type(served_estimator.backend), "run", fail)
    answer = client.post("/predict", content=photo, headers=JPEG)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/json")
    assert answer.json() == {"error": SERVER_FAILED}
    monkeypatch.undo()
    assert client.post("/predict", content=photo, headers=JPEG).status_code == 200


def test_busy_server_refuses_and_slow_answers_end(
    make_client: MakeClient, served_estimator: PoseEstimator, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, gate, entered = make_client(max_requests=1, timeout_s=0.5), threading.Event(), threading.Event()
    run = type(served_estimator.backend).run

    def wait(self: Any, crops: Any, flip_test: bool = False) -> Any:
        entered.set()
        assert gate.wait(10)
        return run(self, crops, flip_test)

    monkeypatch.setattr(type(served_estimator.backend), "run", wait)
    slow: list[Any] = []
    thread = threading.Thread(target=lambda: slow.append(client.post("/predict", content=photo, headers=JPEG)))
    thread.start()
    assert entered.wait(10)
    busy = client.post("/predict", content=photo, headers=JPEG)
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "1")
    thread.join(10)
    assert slow[0].status_code == 504
    gate.set()
    assert client.post("/predict", content=photo, headers=JPEG).status_code == 200


def test_facts_of_the_model(client: TestClient, served_estimator: PoseEstimator) -> None:
    about = served_estimator.description
    facts = client.get("/model").json()
    assert facts["joints"] == list(about.skeleton.joints)
    assert (facts["crop_size"], facts["backend"], facts["detector"], facts["radius_level"]) == (
        list(about.crop_size),
        "onnx",
        None,
        None,
    )
    assert facts["limits"]["max_images"] == 16
    assert str(about.folder) not in json.dumps(facts)


def test_health_follows_the_thread_of_the_network(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = ("/health", "/health/ready", "/health/live")
    assert [client.get(path).status_code for path in paths] == [200, 200, 200]
    monkeypatch.setattr(Batcher, "is_running", property(lambda _: False))
    assert [client.get(path).status_code for path in paths] == [503, 503, 200]


def test_metrics_count_requests_and_persons(client: TestClient, photo: bytes) -> None:
    client.post("/predict", files=[("images", (name, photo)) for name in ("a.jpg", "b.jpg")])
    client.post("/predict", content=b"x", headers=JPEG)
    client.get("/no/such/path")
    text = client.get("/metrics").text
    for line in (
        'posescope_requests_total{path="/predict",status="200"} 1.0',
        'posescope_requests_total{path="/predict",status="422"} 1.0',
        'posescope_requests_total{path="other",status="404"} 1.0',
        "posescope_images_total 2.0",
        "posescope_persons_total 2.0",
        "posescope_batch_persons_sum 2.0",
        "posescope_unanswered_requests 0.0",
    ):
        assert line in text.splitlines()
    assert "process_resident_memory_bytes" in text
    assert "no/such" not in text


def test_document_and_page_need_no_other_address(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["info"]["version"] == posescope.__version__
    body = document["paths"]["/predict"]["post"]
    assert set(body["requestBody"]["content"]) == {"multipart/form-data", "image/*", "application/octet-stream"}
    assert {"200", "401", "413", "422", "503"} <= set(body["responses"])
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "/predict" in page.text
    assert "<script" not in page.text
    assert "src=" not in page.text
    assert "https://" not in page.text
    assert client.get("/").text == page.text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/predict", 405), ("GET", "/redoc", 404), ("POST", "/model", 405)]
)
def test_other_requests_are_refused_as_json(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
