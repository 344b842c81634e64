"""Thirty kills at random moments: of workers, of the scheduler, of the S3 server and of the driver, and the same final bytes."""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.cluster.killed_runs import StoredRun, contents_of
from tests.cluster.s3_servers import S3Server
from tests.cluster.test_dask import Processes

from posescope.core.object_store import ObjectStore

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

KILLS, LONGEST_S = 30, 25.0
# Cropping, uploads of every kind, and the extraction of features; training is killed in test_flow_on_s3.
PIPELINES = ("--pipelines", "data_engineering,modelling,evaluation,explainability")
PARAMETERS = ("data_engineering.crop.shard_persons=4", "data_engineering.sample.train_persons=160")


def test_thirty_kills_change_nothing(rclone_address: str, rclone: S3Server, tmp_path: Path) -> None:
    local = StoredRun(str(tmp_path / "data"), str(tmp_path / "raw"), tmp_path / "local", PARAMETERS)
    local.folder.mkdir()
    local.run(*PIPELINES)
    cluster = Processes(tmp_path)
    cluster.start_scheduler()
    port = int(cluster.address.rpartition(":")[2])
    chance, kills, ends = random.Random(0), Counter[str](), Counter[int]()
    data = ObjectStore(f"{rclone_address}/data")
    folder = tmp_path / "stored"
    folder.mkdir()
    parameters = (*PARAMETERS, "compute.backend=dask", f"compute.scheduler={cluster.address}", "compute.allowed_failures=1000")
    run = StoredRun(data.address, f"{rclone_address}/raw", folder, parameters)
    try:
        for _ in range(2):
            cluster.start_worker()
        process = run.start(*PIPELINES)
        while process.poll() is None or kills.total() < KILLS:
            if process.poll() is not None:
                ends[process.returncode] += 1
                if chance.random() < 0.3:
                    run.change_machine()
                process = run.start(*PIPELINES)
            if kills.total() >= KILLS:
                process.wait()
                continue
            time.sleep(chance.uniform(1.0, LONGEST_S))
            victim = chance.choice(["worker", "worker", "scheduler", "server", "driver"])
            kills[victim] += 1
            if victim == "worker":
                worker = cluster.workers.pop(0)
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
                cluster.start_worker()
            elif victim == "scheduler" and cluster.scheduler is not None:
                os.killpg(cluster.scheduler.pid, signal.SIGKILL)
                cluster.scheduler.wait()
                cluster.start_scheduler(port)
                for worker in cluster.workers:
                    os.killpg(worker.pid, signal.SIGKILL)
                    worker.wait()
                cluster.workers.clear()
                for _ in range(2):
                    cluster.start_worker()
            elif victim == "server":
                rclone.kill()
                time.sleep(chance.uniform(0.0, 3.0))
                rclone.start()
            elif process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode != 0:
            run.run(*PIPELINES)
    finally:
        cluster.stop()
    print(f"kills: {dict(kills)}; runs ended with: {dict(ends)}")  # noqa: T201 (for the log of the slow tests)
    assert kills.total() == KILLS
    assert contents_of(data) == contents_of(tmp_path / "data")
    assert not [one.name for one in data.list() if ".tmp" in one.name or "lease" in one.name]
