"""Thirty kills at random moments: of workers, of the scheduler, of the S3 server and of the driver, and the same final bytes."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.cluster.killed_runs import StoredRun, contents_of
from tests.cluster.s3_servers import S3Server
from tests.cluster.test_dask import Processes

from posescope.core.object_store import ObjectStore

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

KILLS, LONGEST_S, OTHER_MACHINE = 30, 25.0, 0.3
VICTIMS = ("worker", "worker", "scheduler", "server", "driver")
# Cropping, uploads of every kind, training and the extraction of features.
PIPELINES = ("--pipelines", "data_engineering,modelling,evaluation,explainability")
PARAMETERS = ("data_engineering.crop.shard_persons=4", "data_engineering.sample.train_persons=160")


@dataclass
class Victims:
    """The processes of a run on a cluster, which are killed and started again.

    Attributes:
        cluster: scheduler and two workers.
        server: S3 server, which keeps its objects on disk.
        run: the run; its process is the driver.
        chance: chooses victims and moments.
    """

    cluster: Processes
    server: S3Server
    run: StoredRun
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    ends: Counter[int] = field(default_factory=Counter)
    driver: subprocess.Popen[bytes] | None = None

    def go_on(self) -> None:
        """Start the driver if it has ended, sometimes on a machine that knows nothing of the run."""
        if self.driver is not None and self.driver.poll() is None:
            return
        if self.driver is not None:
            self.ends[self.driver.returncode] += 1
            if self.chance.random() < OTHER_MACHINE:
                self.run.change_machine()
        self.driver = self.run.start(*PIPELINES)

    def kill(self, victim: str) -> None:
        """Kill one kind of process, and start it again; the driver is started by `go_on`."""
        self.kills[victim] += 1
        if victim == "worker":
            kill_group(self.cluster.workers.pop(0))
            self.cluster.start_worker()
        elif victim == "scheduler" and self.cluster.scheduler is not None:
            port = int(self.cluster.address.rpartition(":")[2])
            kill_group(self.cluster.scheduler)
            self.cluster.start_scheduler(port)
            for _ in range(2):  # the workers of a lost scheduler end
                kill_group(self.cluster.workers.pop(0))
                self.cluster.start_worker()
        elif victim == "server":
            self.server.kill()
            time.sleep(self.chance.uniform(0.0, 3.0))
            self.server.start()
        elif self.driver is not None:
            kill_group(self.driver)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def open_cluster(folder: Path) -> Iterator[Processes]:
    cluster = Processes(folder)
    try:
        cluster.start_scheduler()
        for _ in range(2):
            cluster.start_worker()
        yield cluster
    finally:
        cluster.stop()


def test_thirty_kills_change_nothing(rclone_address: str, rclone: S3Server, tmp_path: Path) -> None:
    local = StoredRun(str(tmp_path / "data"), str(tmp_path / "raw"), tmp_path / "local", PARAMETERS)
    local.folder.mkdir()
    local.run(*PIPELINES)
    data = ObjectStore(f"{rclone_address}/data")
    (tmp_path / "stored").mkdir()
    with open_cluster(tmp_path) as cluster:
        on_dask = ("compute.backend=dask", f"compute.scheduler={cluster.address}", "compute.allowed_failures=1000")
        run = StoredRun(data.address, f"{rclone_address}/raw", tmp_path / "stored", (*PARAMETERS, *on_dask))
        victims = Victims(cluster, rclone, run, random.Random(0))
        while victims.kills.total() < KILLS:
            victims.go_on()
            time.sleep(victims.chance.uniform(1.0, LONGEST_S))
            victims.kill(victims.chance.choice(VICTIMS))
        assert victims.driver is not None
        if victims.driver.wait() != 0:
            run.run(*PIPELINES)
    print(f"kills: {dict(victims.kills)}; runs ended with: {dict(victims.ends)}")  # noqa: T201 (for the log of the slow tests)
    assert contents_of(data) == contents_of(tmp_path / "data")
    assert not [one.name for one in data.list() if ".tmp" in one.name or "lease" in one.name]
