"""`posescope serve` as a process of its own: parity with `posescope predict`, load, garbage, and its end."""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from posescope.cli import cli

pytestmark = pytest.mark.cluster

KEY = "0123456789abcdef-key"
CLIENTS, SECONDS = 8, 30.0
# Steps of a thousandth of a px, in which results are written: convolutions of one crop and of several round differently.
STEP_PX = 0.002


@contextmanager
def running_server(model: Path, *words: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start the command on a free port; yield its process and the port."""
    program = [sys.executable, "-c", "from posescope.cli import cli; cli()", "serve", str(model), "--port", "0", *words]
    clean = {name: value for name, value in os.environ.items() if name != "POSESCOPE_API_KEY"} | environment
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            assert line.startswith("http://"), process.stderr.read()
            yield process, int(line.split()[0].rpartition(":")[2])
        finally:
            process.kill()


def post(port: int, body: bytes, query: str = "", **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        names = {"Content-Type": "image/png", **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.request("POST", f"/predict{query}", body, names)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(6):
        pixels = rng.integers(0, 256, (60 + 10 * number, 90, 3)).astype(np.uint8)
        assert cv2.imwrite(str(folder / f"{number}.png"), pixels)
    return folder


@pytest.fixture(scope="module")
def expected(photos: Path, model_folders: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the record of each photograph that `posescope predict` writes."""
    out = tmp_path_factory.mktemp("out")
    result = CliRunner().invoke(cli, ["predict", str(photos), "--model", str(model_folders.onnx), "--out", str(out)])
    assert result.exit_code == 0, result.output
    return {record["file_name"]: record for record in json.loads((out / "poses.json").read_text())}


def joints_of(record: dict[str, Any]) -> NDArray[np.float64]:
    return np.array(record["keypoints"])


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert {**found, "keypoints": 0, "score": 0} == {**expected, "keypoints": 0, "score": 0}
    np.testing.assert_allclose(joints_of(found), joints_of(expected), atol=STEP_PX)
    assert found["score"] == pytest.approx(expected["score"], abs=1e-5)


def test_results_of_the_process_are_those_of_predict(photos: Path, expected: dict[str, Any], model_folders: Any) -> None:
    with running_server(model_folders.onnx, POSESCOPE_API_KEY=KEY) as (process, port):
        for name, record in expected.items():
            raw = (photos / name).read_bytes()
            status, found = post(port, raw, f"?file_name={name}", X_API_Key=KEY)
            assert (status, len(found)) == (200, 1)
            assert_same(found[0], record)
            assert post(port, raw)[0] == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr is not None
        log = process.stderr.read()
        assert KEY not in log
        assert "Traceback" not in log


def test_client_of_the_page(photos: Path, model_folders: Any, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "serve.md").read_text()
    (tmp_path / "client.py").write_text(page.split("```python\n", 1)[1].split("```", 1)[0])
    with running_server(model_folders.onnx) as (_, port):
        program = (tmp_path / "client.py").read_text().replace(":8000", f":{port}")
        done = subprocess.run([sys.executable, "-c", program, photos / "0.png"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[0.0, 0.0, 90.0, 60.0] ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_in_progress_are_answered_at_the_end(photos: Path, model_folders: Any, number: signal.Signals) -> None:
    with running_server(model_folders.onnx) as (process, port):
        raw = (photos / "5.png").read_bytes()
        begun = socket.create_connection(("127.0.0.1", port), timeout=20)
        begun.sendall(
            b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\ncontent-length: %d\r\n\r\n" % len(raw)
        )
        begun.sendall(raw[:100])
        time.sleep(0.3)
        process.send_signal(number)
        time.sleep(0.5)
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", port), timeout=1)
        begun.sendall(raw[100:])
        assert begun.recv(100).startswith(b"HTTP/1.1 200")
        begun.close()
        assert process.wait(20) == 0


def garbage(rng: random.Random, photo: bytes) -> bytes:
    """Return the bytes of a malformed request."""
    body = bytearray(photo)
    for _ in range(rng.randint(1, 50)):
        body[rng.randrange(len(body))] = rng.randrange(256)
    cut = bytes(body[: rng.randrange(len(body))])
    form = b'--x\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n' + cut + b"\r\n--x--\r\n"
    head = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"
    return rng.choice(
        [
            rng.randbytes(rng.randint(1, 5000)),
            b"\0" * 100,
            head % (b"image/png", len(cut)) + cut,
            head % (b"image/png", 10**12) + cut,
            head % (b"image/png", len(cut) + 9) + cut,
            head % (b"multipart/form-data; boundary=x", len(form)) + form,
            head % (b"multipart/form-data; boundary=y", len(form)) + form,
            head % (rng.randbytes(20).hex().encode(), len(cut)) + cut,
            b"GET /" + rng.randbytes(8).hex().encode() + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
            b"GET /health HTTP/1.1\r\nhost: localhost\r\n" + b"x: y\r\n" * rng.randint(1, 20_000) + b"\r\n",
        ]
    )


@pytest.mark.slow
def test_load_and_garbage_for_half_a_minute(photos: Path, expected: dict[str, Any], model_folders: Any) -> None:
    """Eight clients get right answers only, while a ninth sends garbage and cuts connections off. Memory does not grow."""
    import psutil  # noqa: PLC0415

    names, wrong, answered = sorted(expected), [], [0] * CLIENTS
    raws = {name: (photos / name).read_bytes() for name in names}

    def send_photos(client: int, port: int, end: float) -> None:
        while time.monotonic() < end:
            name = names[(client + answered[client]) % len(names)]
            status, found = post(port, raws[name], f"?file_name={name}")
            if status != 200 or np.abs(joints_of(found[0]) - joints_of(expected[name])).max() > STEP_PX:
                wrong.append((status, found))
            answered[client] += 1

    def send_garbage(port: int, end: float) -> None:
        rng = random.Random(0)
        while time.monotonic() < end:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                try:
                    connection.sendall(garbage(rng, raws[names[0]]))
                    if rng.random() < 0.5:
                        connection.settimeout(0.2)
                        answer = connection.recv(4000)
                        assert b"Traceback" not in answer
                        if b" 500 " in answer[:20]:
                            wrong.append((500, answer))
                except (ConnectionError, TimeoutError):
                    continue

    with running_server(model_folders.onnx, "--header-timeout-s", "2") as (process, port):
        end, memory = time.monotonic() + SECONDS, []
        threads = [threading.Thread(target=send_photos, args=(number, port, end)) for number in range(CLIENTS)]
        threads.append(threading.Thread(target=send_garbage, args=(port, end)))
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.5)
            memory.append(psutil.Process(process.pid).memory_info().rss)
        assert not wrong, wrong[:3]
        assert min(answered) > 5
        middle = memory[len(memory) // 2]
        assert memory[-1] < middle * 1.1 + 20e6, [round(size / 1e6) for size in memory]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
        assert "posescope_unanswered_requests 0.0" in text
        assert 'status="500"' not in text
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
    with running_server(model_folders.onnx) as (_, port):  # a killed server leaves nothing behind
        assert post(port, raws[names[0]])[0] == 200
