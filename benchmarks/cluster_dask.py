"""Cropping by two workers of a Dask cluster against two local processes, alternately.

    python benchmarks/cluster.py dask --data ../shared/data/coco_subset --split val2017 --image-repeats 8

The cluster has a scheduler and two workers, processes of their own on loopback, as `dask scheduler` and `dask worker` start
them. Both crop the same persons into a new store; the shards are compared byte by byte. Last line JSON: median seconds, and how
fast the cluster is relative to the local processes (1: equally fast).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from crop_engine import OPTIONS as CROP_OPTIONS
from crop_engine import Work, prepare

from posescope.core.compute import Cluster, ComputeOptions, use_cluster
from posescope.core.dask_cluster import open_cluster
from posescope.core.local_cluster import MALLOC_ENVIRONMENT
from posescope.data.crops.crop_store import CropStore
from posescope.data.crops.cropping import write_crops
from posescope.sample.generator import generate_sample
from posescope.sample.options import SampleOptions

OPTIONS = CROP_OPTIONS.model_copy(update={"workers": 2})
_START_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this measurement."""
    parser.add_argument("--data", type=Path, help="folder of COCO 2017 data; without it, a sample is generated")
    parser.add_argument("--split", default="train2017")
    parser.add_argument("--image-repeats", type=int, default=4, help="how often the images are cropped, by links to their folder")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each")


def main(arguments: argparse.Namespace) -> None:
    """Measure, and print the JSON line."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        links = root / "links"
        links.mkdir()
        work = prepare(arguments.data or _sample(root / "sample"), arguments.split, arguments.image_repeats, links)
        seconds: dict[str, list[float]] = {"processes": [], "dask": []}
        with _started(root, workers=2) as address:
            cluster = open_cluster(ComputeOptions(backend="dask", scheduler=address))
            for repeat in range(arguments.repeats + 1):  # the first is not counted: imports, file cache
                for backend, used in (("processes", None), ("dask", cluster)):
                    taken = _crop(work, root / backend, used)
                    if repeat:
                        seconds[backend].append(taken)
                    print(f"{backend:>9} {taken:6.2f} s{'' if repeat else '  (not counted)'}", flush=True)
                if _bytes_of(root / "processes") != _bytes_of(root / "dask"):
                    raise SystemExit("The shards differ.")
            cluster.close()
    medians = {backend: round(median(values), 3) for backend, values in seconds.items()}
    medians["relative_speed"] = round(medians["processes"] / medians["dask"], 3)
    print(json.dumps({"persons": len(work.persons), "repeats": arguments.repeats, **medians, "equal": True}))


def _crop(work: Work, root: Path, cluster: Cluster | None) -> float:
    """Return the seconds of cropping into a new store."""
    for path in root.glob("*"):
        path.unlink()
    start = time.perf_counter()
    with use_cluster(cluster):
        write_crops(work.folder, work.source, work.persons, work.crop_boxes, CropStore(root), OPTIONS)
    return time.perf_counter() - start


def _bytes_of(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(root.iterdir())}


def _sample(root: Path) -> Path:
    generate_sample(root, SampleOptions(train_persons=1500, val_persons=20, image_short_side=480, image_long_side=640))
    return root


@contextmanager
def _started(folder: Path, workers: int) -> Iterator[str]:
    """Yield the address of a scheduler with some workers, and end all of them."""
    place = folder / "scheduler.json"
    source = str(Path(__file__).resolve().parents[1] / "src")
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
    # As docs/how-to/cluster.md advises.
    variables["DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED"] = "False"
    variables |= {name: str(value) for name, value in MALLOC_ENVIRONMENT.items()}
    common = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(place))
    commands = [("scheduler", "--port", "0", *common)]
    commands += [("worker", "--nthreads", "1", "--memory-limit", "4GB", *common)] * workers
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "dask", *command], env=variables, cwd=folder, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )  # fmt: skip
            _wait_for(place)
        address = json.loads(place.read_text())["address"]
        _wait_for_workers(address, workers)
        yield address
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


def _wait_for(path: Path) -> None:
    end = time.monotonic() + _START_S
    while not path.is_file():
        if time.monotonic() > end:
            raise SystemExit("The scheduler did not start.")
        time.sleep(0.05)


def _wait_for_workers(address: str, count: int) -> None:
    cluster = open_cluster(ComputeOptions(backend="dask", scheduler=address))
    cluster.client.wait_for_workers(count, timeout=_START_S)
    cluster.close()
