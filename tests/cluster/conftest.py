"""Fixtures of the tests of clusters: S3 servers on loopback, a proxy with faults, a local disk with latency.

moto, rclone          an S3 server of the session; objects in memory, or in a folder
s3_address            an empty folder of an object store, over moto and over rclone
moto_address          the same over moto alone; rclone_address
faulty                a proxy before rclone (`faulty.faults`), and `faulty_address`, an empty folder reached through it
slow_address          an empty folder of a local disk whose calls take 20 ms
"""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.fault_proxy import FaultProxy, Faults
from tests.cluster.s3_servers import S3Server
from tests.cluster.slow_storage.slow_files import SLOW_DELAY_VARIABLE, make_importable

BUCKET = "posescope-tests"


def _serve(kind: str, factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(kind, factory.mktemp(kind))
    server.start()
    server.make_bucket(BUCKET)
    yield server
    server.kill()


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    yield from _serve("moto", tmp_path_factory)


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    yield from _serve("rclone", tmp_path_factory)


def _use(server: S3Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, endpoint: str | None = None) -> str:
    for name, value in server.environment(endpoint).items():
        monkeypatch.setenv(name, value)
    name = re.sub(r"\W+", "-", request.node.name).strip("-").lower()
    return f"s3://{BUCKET}/{name}-{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=["moto", "rclone"])
def s3_address(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return _use(request.getfixturevalue(request.param), request, monkeypatch)


@pytest.fixture
def moto_address(moto: S3Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return _use(moto, request, monkeypatch)


@pytest.fixture
def rclone_address(rclone: S3Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return _use(rclone, request, monkeypatch)


@pytest.fixture(scope="session")
def faulty_proxy(rclone: S3Server) -> Iterator[FaultProxy]:
    proxy = FaultProxy(rclone.port)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def faulty(faulty_proxy: FaultProxy) -> Iterator[FaultProxy]:
    faulty_proxy.faults = Faults()
    yield faulty_proxy
    faulty_proxy.faults = Faults()


@pytest.fixture
def faulty_address(faulty: FaultProxy, rclone: S3Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    return _use(rclone, request, monkeypatch, faulty.endpoint)


@pytest.fixture
def slow_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PYTHONPATH", make_importable(tmp_path / "slow-package"))
    monkeypatch.setenv(SLOW_DELAY_VARIABLE, "0.02")
    (tmp_path / "slow").mkdir()
    return f"slow://{tmp_path}/slow"
