"""The work of a run on a real Dask cluster: one scheduler and two workers, processes of their own on loopback."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from distributed import Client

from posescope.artifacts.pose_model import PoseModel
from posescope.core.compute import ComputeOptions, use_cluster
from posescope.core.dask_cluster import ClusterError, ClusterUnavailableError, DaskCluster, open_cluster
from posescope.core.records import PoseTargets
from posescope.core.worker_tasks import WorkerVersionError
from posescope.data.coco.folder import CocoFolder, SourceOptions
from posescope.data.coco.person_filters import filter_persons
from posescope.data.coco.reader import read_annotations
from posescope.data.crops.crop_boxes import box_persons
from posescope.data.crops.crop_set import CropSet
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.data.crops.options import CropOptions
from posescope.evaluation import bootstrap
from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.feature_extraction import FeatureSet, FeatureStore, extract_features
from posescope.prediction.crop_predictions import predict_crops
from posescope.prediction.options import PredictionOptions
from posescope.sample.generator import generate_sample
from posescope.sample.options import SampleOptions

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]

REPOSITORY = Path(__file__).resolve().parents[2]
START_S, END_S = 60.0, 20.0


@dataclass
class Processes:
    """A scheduler and its workers, each a process with its log."""

    folder: Path
    scheduler: subprocess.Popen[bytes] | None = None
    address: str = ""
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, name: str, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        paths = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
        variables = {**os.environ, "PYTHONPATH": paths, "DASK_TEMPORARY_DIRECTORY": str(self.folder), "GOMP_SPINCOUNT": "1000"}
        variables |= environment
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *command], stdout=log, stderr=log, env=variables, cwd=self.folder,
                start_new_session=True,
            )  # fmt: skip

    def start_scheduler(self, port: int = 0) -> None:
        place = self.folder / "scheduler.json"
        place.unlink(missing_ok=True)
        self.scheduler = self.start(
            "scheduler", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard",
            "--scheduler-file", str(place),
        )  # fmt: skip
        wait_until(lambda: place.is_file() and place.read_bytes().endswith(b"}"))
        self.address = json.loads(place.read_text())["address"]

    def start_worker(self, **environment: str) -> None:
        self.workers.append(
            self.start(
                f"worker-{len(self.workers)}", "worker", self.address, "--host", "127.0.0.1", "--nthreads", "1",
                "--memory-limit", "2GB", "--no-dashboard", "--death-timeout", "10", **environment,
            )
        )  # fmt: skip

    def stop(self) -> None:
        for process in [*self.workers, *([self.scheduler] if self.scheduler else [])]:
            kill_tree(process.pid)
            process.wait()


def kill_tree(pid: int) -> None:
    """Kill a process and its children, which this test has started."""
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=END_S)


def wait_until(condition: Callable[[], bool], timeout_s: float = START_S) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


@contextmanager
def connected(processes: Processes, **options: float) -> Iterator[DaskCluster]:
    cluster = open_cluster(ComputeOptions(backend="dask", scheduler=processes.address, **options))
    try:
        with use_cluster(cluster):
            yield cluster
    finally:
        cluster.close()


def started(folder: Path, workers: int = 2) -> Processes:
    processes = Processes(folder)
    processes.start_scheduler()
    for _ in range(workers):
        processes.start_worker()
    with connected(processes) as cluster:
        cluster.client.wait_for_workers(workers, timeout=START_S)
    return processes


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """One scheduler and two workers that no test of this module ends for good."""
    found = started(tmp_path_factory.mktemp("dask"))
    yield found
    found.stop()


@pytest.fixture
def own_processes(tmp_path: Path) -> Iterator[Processes]:
    """One scheduler and two workers that a test may kill."""
    folder = tmp_path / "dask"
    folder.mkdir()
    found = started(folder)
    yield found
    found.stop()


@dataclass
class Data:
    """A data set, and what is needed to crop it."""

    folder: CocoFolder
    persons: pd.DataFrame
    crop_boxes: pd.DataFrame
    options: CropOptions

    def crop(self, root: Path) -> pd.DataFrame:
        return write_crops(self.folder, SourceOptions(), self.persons, self.crop_boxes, CropStore(root), self.options)


SAMPLE = SampleOptions(train_persons=44, val_persons=12, workers=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    root = tmp_path_factory.mktemp("sample") / "sample"
    generate_sample(root, SAMPLE)
    folder, options = CocoFolder(root), CropOptions(size_px=[64, 64], shard_persons=4, workers=2)
    read = read_annotations(folder, SourceOptions())
    boxed = box_persons(filter_persons(read.persons, read.keypoints, ()).persons, read.keypoints, options)
    return Data(folder, boxed.persons, boxed.crop_boxes, options)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def local_crops(data: Data, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    root = tmp_path_factory.mktemp("local") / "crops"
    assert data.crop(root).empty
    found = bytes_of(root)
    assert len(found) > 20
    return found


def slow_square(item: int, seconds: float) -> int:
    time.sleep(seconds)
    return item**2


def fail(item: int) -> int:
    raise KeyError(item)


def end_worker(item: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return item


def process_and_time(item: int, seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


class TestMap:
    def test_results_have_the_order_of_the_items(self, processes: Processes) -> None:
        with connected(processes) as cluster:
            assert list(cluster.map(pow, range(50), shared=(2,), batch_size=7)) == [item**2 for item in range(50)]

    def test_results_without_order_are_complete(self, processes: Processes) -> None:
        with connected(processes) as cluster:
            assert sorted(cluster.map(pow, range(20), shared=(2,), ordered=False)) == [item**2 for item in range(20)]

    def test_no_items_give_no_results(self, processes: Processes) -> None:
        with connected(processes) as cluster:
            assert list(cluster.map(pow, [], shared=(2,))) == []

    def test_both_workers_take_part(self, processes: Processes) -> None:
        with connected(processes) as cluster:
            assert len(set(cluster.map(process_and_time, range(12), shared=(0.05,)))) == 2

    def test_an_error_of_a_task_is_raised_as_it_is(self, processes: Processes) -> None:
        with connected(processes) as cluster, pytest.raises(KeyError) as caught:
            list(cluster.map(fail, [3]))
        assert caught.value.args == (3,)

    def test_an_error_is_not_logged_by_the_worker(self, processes: Processes) -> None:
        with connected(processes) as cluster, pytest.raises(KeyError):
            list(cluster.map(fail, [3]))
        logs = "".join(path.read_text() for path in processes.folder.glob("worker-*.log"))
        assert "Compute Failed" not in logs
        assert "KeyError" not in logs

    def test_a_scheduler_that_is_stopped_ends_the_run_with_one_line(self, tmp_path: Path) -> None:
        alone = Processes(tmp_path)
        try:
            alone.start_scheduler()
            with connected(alone, connect_timeout_s=2) as cluster:
                assert alone.scheduler is not None
                alone.scheduler.send_signal(signal.SIGSTOP)
                with pytest.raises(ClusterUnavailableError) as caught:
                    cluster.window()
                alone.scheduler.send_signal(signal.SIGCONT)
        finally:
            alone.stop()
        assert alone.address in str(caught.value)

    def test_items_are_read_a_little_ahead_only(self, processes: Processes) -> None:
        read: list[int] = []

        def items() -> Iterator[int]:
            for item in range(1000):
                read.append(item)
                yield item

        with connected(processes) as cluster:
            found = cluster.map(slow_square, items(), shared=(0.01,))
            assert next(found) == 0
            found.close()
        assert len(read) < 20

    def test_a_task_that_ends_its_workers_ends_the_run_with_one_line(self, processes: Processes) -> None:
        with connected(processes, allowed_failures=1) as cluster, pytest.raises(ClusterError) as caught:
            list(cluster.map(end_worker, [1]))
        assert "2 workers" in str(caught.value)
        assert "end_worker" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_scheduler_without_workers_ends_the_run_with_one_line(self, tmp_path: Path) -> None:
        alone = Processes(tmp_path)
        try:
            alone.start_scheduler()
            with connected(alone, worker_timeout_s=2) as cluster, pytest.raises(ClusterError) as caught:
                list(cluster.map(pow, [1], shared=(2,)))
        finally:
            alone.stop()
        assert "no worker" in str(caught.value)
        assert alone.address in str(caught.value)

    def test_a_worker_of_other_versions_is_named(self, tmp_path: Path) -> None:
        """Metadata of another version stand before those of the installed package."""
        other = tmp_path / "other" / "numpy-1.2.3.dist-info"
        other.mkdir(parents=True)
        (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.2.3\n")
        message = message_for_worker(tmp_path, f"{other.parent}{os.pathsep}{REPOSITORY / 'src'}")
        assert f"numpy 1.2.3 (here {np.__version__})" in message
        assert "tcp://127.0.0.1:" in message

    def test_a_worker_without_posescope_is_named(self, tmp_path: Path) -> None:
        package = tmp_path / "other" / "posescope"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise ModuleNotFoundError('no posescope here')\n")
        message = message_for_worker(tmp_path, str(package.parent))
        assert "no posescope here" in message
        assert "tcp://127.0.0.1:" in message


def message_for_worker(folder: Path, paths: str) -> str:
    """Return the error for a cluster whose only worker imports from other folders first."""
    alone = Processes(folder)
    try:
        alone.start_scheduler()
        alone.start_worker(PYTHONPATH=paths)
        with Client(alone.address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=START_S)
        with pytest.raises(WorkerVersionError) as caught:
            open_cluster(ComputeOptions(backend="dask", scheduler=alone.address))
    finally:
        alone.stop()
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestData:
    def test_crops_are_equal_byte_by_byte(
        self, processes: Processes, data: Data, local_crops: dict[str, bytes], tmp_path: Path
    ) -> None:
        with connected(processes):
            assert data.crop(tmp_path / "crops").empty
        assert bytes_of(tmp_path / "crops") == local_crops

    def test_the_sample_is_equal_byte_by_byte(self, processes: Processes, data: Data, tmp_path: Path) -> None:
        with connected(processes):
            generate_sample(tmp_path / "sample", SAMPLE)
        assert bytes_of(tmp_path / "sample") == bytes_of(data.folder.root)

    def test_crops_survive_the_loss_of_workers(
        self, own_processes: Processes, data: Data, local_crops: dict[str, bytes], tmp_path: Path
    ) -> None:
        store = tmp_path / "crops"
        stop, killed = threading.Event(), []

        def kill_workers() -> None:
            rng = np.random.default_rng(0)
            while not stop.wait(0.01):
                if len(list(store.glob("shard-*.json"))) < len(killed) + 1 or len(killed) == 3:
                    continue
                nanny = psutil.Process(own_processes.workers[int(rng.integers(2))].pid)
                for child in nanny.children(recursive=True)[-1:]:
                    child.kill()
                    killed.append(child.pid)

        thread = threading.Thread(target=kill_workers)
        with connected(own_processes):
            thread.start()
            try:
                assert data.crop(store).empty
            finally:
                stop.set()
                thread.join()
        assert killed
        assert bytes_of(store) == local_crops

    def test_a_lost_scheduler_ends_the_run_with_one_line_and_the_same_command_resumes(
        self,
        own_processes: Processes,
        data: Data,
        local_crops: dict[str, bytes],
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        store, address = tmp_path / "crops", own_processes.address

        def kill_scheduler() -> None:
            wait_until(lambda: len(list(store.glob("shard-*.json"))) >= 3)
            os.kill(own_processes.scheduler.pid, signal.SIGKILL)

        thread = threading.Thread(target=kill_scheduler)
        begin = time.monotonic()
        thread.start()
        with connected(own_processes), pytest.raises(ClusterError) as caught:
            data.crop(store)
        thread.join()
        assert time.monotonic() - begin < START_S
        assert str(caught.value).startswith(f"{address}: ")
        assert "\n" not in str(caught.value)
        assert not CropStore(store).is_finished()
        own_processes.scheduler.wait()
        for worker in own_processes.workers:
            kill_tree(worker.pid)
        kept = {path.name: path.stat().st_mtime_ns for path in store.glob("shard-*.json")}
        assert kept
        own_processes.start_scheduler()
        own_processes.start_worker()
        with connected(own_processes), caplog.at_level(logging.INFO):
            assert data.crop(store).empty
        assert bytes_of(store) == local_crops
        assert {name: (store / name).stat().st_mtime_ns for name in kept} == kept, "finished shards stay"


@pytest.fixture(scope="module")
def noise() -> CropSet:
    """Crops of 300 persons in memory."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 32, 32, 3)).astype(np.uint8)
    joints = rng.uniform(0, 31, (300, 3, 2)).astype(np.float32)
    visibility = np.full((300, 3), 2, dtype=np.uint8)
    targets = PoseTargets(np.arange(300), joints, visibility, joint_names=("nose", "left_hand", "right_hand"))
    return CropSet(targets, (images[:200], images[200:]), np.array([(row // 200, row % 200) for row in range(300)]))


class TestNetworks:
    def test_predictions_are_equal_bit_by_bit(self, processes: Processes, untrained_model: PoseModel, noise: CropSet) -> None:
        options = PredictionOptions(batch_size=50, device="cpu", flip_test=True)
        expected = predict_crops(untrained_model, noise, options)
        with connected(processes):
            found = predict_crops(untrained_model, noise, options)
        for name in ("person_ids", "joints", "scores"):
            np.testing.assert_array_equal(getattr(found.predictions, name), getattr(expected.predictions, name))
        np.testing.assert_array_equal(found.person_mse, expected.person_mse)
        np.testing.assert_array_equal(found.person_weights, expected.person_weights)
        assert np.isfinite(expected.person_mse).all()

    def test_features_are_equal_byte_by_byte_though_a_worker_is_lost(
        self, own_processes: Processes, untrained_model: PoseModel, noise: CropSet, tmp_path: Path, one_thread: None
    ) -> None:
        extract_features(untrained_model, noise, None, FeatureStore(tmp_path / "local"), batch_size=8)

        def kill_worker() -> None:
            wait_until(lambda: any(path.suffix == ".npy" for path in tmp_path.rglob(".cluster*/*")))
            for child in psutil.Process(own_processes.workers[0].pid).children(recursive=True)[-1:]:
                child.kill()
                killed.append(child.pid)

        killed: list[int] = []
        thread = threading.Thread(target=kill_worker)
        with connected(own_processes):
            thread.start()
            extract_features(untrained_model, noise, None, FeatureStore(tmp_path / "cluster"), batch_size=8)
        thread.join()
        assert killed
        assert bytes_of(tmp_path / "cluster") == bytes_of(tmp_path / "local")

    @pytest.mark.parametrize(("rows", "width"), [(1_100_000, 60), (60, 1_100_000)], ids=["covariance", "Gram matrix"])
    def test_components_are_equal_bit_by_bit(self, processes: Processes, tmp_path: Path, rows: int, width: int) -> None:
        """More than one group of 16 blocks of 32 MB."""
        path = tmp_path / "values.npy"
        values = np.random.default_rng(0).standard_normal((rows, width), dtype=np.float32).astype(np.float16)
        np.save(path, values)
        features = FeatureSet(np.arange(rows), np.load(path, mmap_mode="r"), "layer", (width,))
        expected = principal_components(features, 8)
        with connected(processes):
            found = principal_components(features, 8)
        np.testing.assert_array_equal(found.variances, expected.variances)
        np.testing.assert_array_equal(found.axes, expected.axes)

    def test_intervals_are_equal_bit_by_bit(self, processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
        """The counts of 200 draws of 2,000 images, as a cluster gets those of many more."""
        monkeypatch.setattr(bootstrap, "_IN_BLOCKS_FROM", 1)
        monkeypatch.setattr(bootstrap, "_ON_CLUSTER_FROM", 1)
        images, values = np.arange(2000), np.random.default_rng(0).normal(size=2000)
        draws = bootstrap.resample_images(images, seed=0, resamples=200)
        expected = draws.mean_interval(values, images)
        with connected(processes):
            assert draws.mean_interval(values, images) == expected
