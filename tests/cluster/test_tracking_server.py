"""A training with an MLflow server that is killed in the middle: it goes on without delay, and the server misses no epoch."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from posescope.core.plugins import ComponentSpec
from posescope.tracking.records import TrackedRun
from posescope.tracking.training_observer import TrainingTracker
from posescope.training.records import EpochRecord

pytestmark = pytest.mark.cluster
pytest.importorskip("mlflow", reason="needs the extra track")

RUN = "2026-01-01T10.00.00.000Z"
HISTORY = tuple(EpochRecord(number, 1.0 / number, 2.0 / number, 0.1 * number, 0.01, 3.0) for number in range(1, 8))
START_S = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run MLflow's server until the end of the block."""
    command = [
        sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/server.db",
        "--artifacts-destination", str(folder / "artifacts"), "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    environ = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"))
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def answers(address: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def wait_until(condition) -> None:
    end = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < end, "the server has not answered in time"
        time.sleep(0.2)


def test_killed_server_delays_nothing_and_gets_all_epochs_once_it_is_back(tmp_path, caplog):
    from mlflow import MlflowClient  # noqa: PLC0415 (extra `track`)

    port = free_port()
    address = f"http://127.0.0.1:{port}"
    client = MlflowClient(address)

    def logged() -> list[int]:
        experiment = client.get_experiment_by_name("posescope")
        runs = client.search_runs([experiment.experiment_id]) if experiment else []
        assert len(runs) <= 1
        return [metric.step for run in runs for metric in client.get_metric_history(run.info.run_id, "val_loss")]

    spec = ComponentSpec(name="mlflow", options={"uri": address})
    tracker = TrainingTracker(TrackedRun(RUN, tmp_path), RUN, [spec], timeout_s=60)
    with serve(tmp_path, port) as server:
        for count in (0, 1, 2, 3):
            tracker.update("f", HISTORY[:count], None)
        wait_until(lambda: logged() == [1, 2, 3])
        kill(server)
        started = time.monotonic()
        for count in (4, 5, 6):
            tracker.update("f", HISTORY[:count], None)
        assert time.monotonic() - started < 0.2
        wait_until(lambda: any(record.levelno == logging.WARNING for record in caplog.records))
    with serve(tmp_path, port):
        tracker.update("f", HISTORY, None)
        tracker.close()
        assert logged() == [1, 2, 3, 4, 5, 6, 7]
    own = [record for record in caplog.records if record.name.startswith("posescope")]
    # The message that the logger works again is of level INFO, which another test of the process may have switched on.
    warnings = [record.getMessage() for record in own if record.levelno >= logging.WARNING]
    assert len(warnings) == 1, warnings
