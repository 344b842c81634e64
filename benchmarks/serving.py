"""Load on `posescope serve`: clients on loopback for some minutes, in turn with the plain predictor on the same images.

    python benchmarks/serving.py [--minutes 5] [--clients 8]

A round is: the clients load the server for `--round-s` seconds; then one process predicts the same images with
`PoseEstimator.predict` in batches of the same size, for as long; then the same with OMP_WAIT_POLICY=passive, under which threads
of ONNX Runtime do not spin, as in the server. All do the same work: bytes of a JPEG file, decoding, prediction, COCO records. The
clients and the HTTP part run on the same cores as the server. The server works for `--minutes` in total; its memory is read once
a second while it does.

The network is that of conf/base (64 channels, crops of 96 px), untrained, exported to ONNX; the images have 640 x 480 px and one
person. The last line is JSON: `errors` (expected 0), `requests`, `requests_per_s`, `plain_per_s`, `plain_passive_per_s`,
`ratio` (expected at least 0.8) and `ratio_passive` (medians of the rounds' ratios), `cpu_ms_per_image` of the server, of both
plain predictors and of the clients (it depends less on other programs of the machine), `latency_ms` (median and 99th
percentile), `persons_per_batch`, `rss_mb` (first and last), `rss_slope_mb_per_min` (least squares over all but the first fifth of
the time), `load_average` of the machine before and at the end, `different_results` (answers that differ from the plain predictor
by more than 0.002 px; expected 0).
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import numpy as np
import psutil
from inference import SMALL, make_models, make_photos

BOUNDARY = "posescope-benchmark"
IMAGES, MAX_BATCH, TOLERANCE_PX = 64, 16, 0.002
# Predicts all images again and again for the seconds that a line of its input states, and prints the images per second.
PLAIN_WORKER = """
import json, sys, time
from pathlib import Path
from posescope.prediction.estimator import PoseEstimator
estimator = PoseEstimator.load(sys.argv[1])
raws = [path.read_bytes() for path in sorted(Path(sys.argv[2]).iterdir())]
records = lambda: [poses.to_coco() for poses in estimator.predict(raws, batch_size=int(sys.argv[3]))]
print(json.dumps(records()), flush=True)
for line in sys.stdin:
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < float(line):
        count += len(records())
    print(count / (time.perf_counter() - started), flush=True)
"""


@dataclass
class Load:
    """What the clients saw, and the memory of the server."""

    latencies_s: list[float] = field(default_factory=list)
    errors: int = 0
    different: int = 0
    memory: list[tuple[float, float]] = field(default_factory=list)  # (seconds under load, MB)
    loaded_s: float = 0.0
    cpu_s: dict[str, float] = field(default_factory=dict)  # by process, in the rounds
    images: dict[str, float] = field(default_factory=dict)

    def count(self, name: str, images: float, cpu_s: float) -> None:
        """Add the images of a process and its CPU time."""
        self.images[name] = self.images.get(name, 0) + images
        self.cpu_s[name] = self.cpu_s.get(name, 0) + cpu_s


def start_server(model: Path) -> tuple[subprocess.Popen[str], int]:
    """Start the server and return its process and its port."""
    words = [sys.executable, "-c", "from posescope.cli import cli; cli()", "serve", str(model), "--port", "0"]
    process = subprocess.Popen(
        [*words, "--max-batch", str(MAX_BATCH)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise SystemExit("The server did not start.")
    return process, int(line.split()[0].rpartition(":")[2])


def start_plain(model: Path, photos: Path, *, passive: bool) -> tuple[subprocess.Popen[str], list]:
    """Start a process with the plain predictor and return it with its records of all images."""
    environment = (
        {**os.environ, "OMP_WAIT_POLICY": "passive"}
        if passive
        else {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    )
    words = [sys.executable, "-c", PLAIN_WORKER, str(model), str(photos), str(MAX_BATCH)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    return process, json.loads(process.stdout.readline())


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def run_plain(process: subprocess.Popen[str], seconds: float, name: str, load: Load) -> float:
    """Return the images per second of a plain predictor."""
    before, started = cpu_seconds(process.pid), time.perf_counter()
    process.stdin.write(f"{seconds}\n")
    process.stdin.flush()
    rate = float(process.stdout.readline())
    load.count(name, rate * (time.perf_counter() - started), cpu_seconds(process.pid) - before)
    return rate


def make_bodies(photos: Path) -> list[bytes]:
    """Return a form for each photograph."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="images"; filename="%s"\r\n\r\n'
    return [
        (head % path.name).encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode() for path in sorted(photos.iterdir())
    ]


def same_joints(found: list, expected: list) -> bool:
    """Return whether the joints of one image agree."""
    differences = np.abs(np.array(found[0]["keypoints"]) - np.array(expected[0]["keypoints"]))
    return len(found) == len(expected) and float(differences.max()) <= TOLERANCE_PX


def run_client(port: int, number: int, end: float, bodies: list[bytes], expected: list, load: Load) -> None:
    """Send one image after the other over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    index = number * len(bodies) // 8
    while time.perf_counter() < end:
        started = time.perf_counter()
        try:
            connection.request("POST", "/predict", bodies[index % len(bodies)], headers)
            answer = connection.getresponse()
            content = answer.read()
            load.errors += answer.status != 200
        except (OSError, http.client.HTTPException):
            load.errors += 1
            connection.close()
            continue
        load.latencies_s.append(time.perf_counter() - started)
        if answer.status == 200 and not same_joints(json.loads(content), expected[index % len(bodies)]):
            load.different += 1
        index += 1
    connection.close()


def run_clients(port: int, pid: int, clients: int, seconds: float, bodies: list[bytes], expected: list, load: Load) -> float:
    """Load the server and return the answered requests per second."""
    started, before, server = time.perf_counter(), len(load.latencies_s), psutil.Process(pid)
    server_s, clients_s = cpu_seconds(pid), time.process_time()
    threads = [
        threading.Thread(target=run_client, args=(port, number, started + seconds, bodies, expected, load))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(1)
        load.memory.append((load.loaded_s + time.perf_counter() - started, server.memory_info().rss / 1e6))
    for thread in threads:
        thread.join()
    lasted = time.perf_counter() - started
    load.loaded_s += lasted
    answered = len(load.latencies_s) - before
    load.count("server", answered, cpu_seconds(pid) - server_s)
    load.count("clients", answered, time.process_time() - clients_s)
    return answered / lasted


def read_batch_size(port: int) -> float:
    """Return the mean number of persons per forward pass of the server."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    return float(lines["posescope_batch_persons_sum"]) / float(lines["posescope_batch_persons_count"])


def summarise(load: Load, rounds: list[tuple[float, float, float]]) -> dict[str, object]:
    """Return the fields of the last line that are known at the end of the rounds."""
    late = [(at, size) for at, size in load.memory if at >= load.loaded_s / 5]
    slope = np.polyfit(*zip(*late, strict=True), 1)[0] * 60 if len(late) > 2 else float("nan")
    cuts = quantiles(load.latencies_s, n=100)
    return {
        "errors": load.errors,
        "different_results": load.different,
        "requests": len(load.latencies_s),
        "loaded_s": round(load.loaded_s, 1),
        "requests_per_s": round(median(one[0] for one in rounds), 1),
        "plain_per_s": round(median(one[1] for one in rounds), 1),
        "plain_passive_per_s": round(median(one[2] for one in rounds), 1),
        "ratio": round(median(server / plain for server, plain, _ in rounds), 3),
        "ratio_passive": round(median(server / passive for server, _, passive in rounds), 3),
        "cpu_ms_per_image": {name: round(load.cpu_s[name] / load.images[name] * 1e3, 2) for name in load.cpu_s},
        "latency_ms": [round(cuts[49] * 1e3, 1), round(cuts[98] * 1e3, 1)],
        "rss_mb": [round(late[0][1], 1), round(late[-1][1], 1)],
        "rss_slope_mb_per_min": round(float(slope), 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--round-s", type=float, default=15.0)
    options = parser.parse_args()
    before = os.getloadavg()
    with tempfile.TemporaryDirectory() as folder:
        _, model = make_models(Path(folder), *SMALL)
        photos = make_photos(Path(folder) / "photos", IMAGES)[0].parent
        server, port = start_server(model)
        workers = {name: start_plain(model, photos, passive=name == "passive") for name in ("plain", "passive")}
        load, bodies, expected = Load(), make_bodies(photos), workers["plain"][1]
        rounds: list[tuple[float, float, float]] = []
        try:
            run_clients(port, server.pid, options.clients, 3, bodies, expected, Load())  # does not count
            while load.loaded_s < options.minutes * 60:
                answered = run_clients(port, server.pid, options.clients, options.round_s, bodies, expected, load)
                plain, passive = (run_plain(process, options.round_s, name, load) for name, (process, _) in workers.items())
                rounds.append((answered, plain, passive))
                print("server {:.1f}  plain {:.1f}  plain, passive {:.1f} per s".format(*rounds[-1]), flush=True)
            found = {**summarise(load, rounds), "persons_per_batch": round(read_batch_size(port), 2)}
        finally:
            for process in (server, *(process for process, _ in workers.values())):
                process.terminate()
                process.wait(60)
    loads = [[round(one, 1) for one in average] for average in (before, os.getloadavg())]
    print(json.dumps({**found, "server_exit_code": server.returncode, "load_average": loads, "cpus": os.cpu_count()}))


if __name__ == "__main__":
    main()
