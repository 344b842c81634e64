"""Time and memory of PCA and clustering for many persons, beside scikit-learn on the same coordinates and on the raw features.

    posescope                       exact PCA -> coordinates with 95 % of the variance -> k-means, k = 2..10 with 10 starts each
    ->
                                    silhouettes
    scikit-learn, same coordinates  KMeans on these coordinates, k = 2..10, n_init=10, and silhouette_score on as large a sample:
                                    the comparison of the implementations
    scikit-learn, raw features      the same on the features without PCA: what a user would do without the pipeline

The features are synthetic: a Gaussian of rank 100 plus noise. It has no clusters, which is the slow case for k-means. posescope
is timed completely; of scikit-learn one fit (k = 6, one start) and one silhouette_score are timed and **extrapolated** to 90 fits
and 9 scores. CPU seconds are those of all threads; they are the better measure on cores that are shared. `--device` is that of
the PCA. The last line is JSON: `device`, `pca_seconds`, `clustering_seconds`, `seconds` (both), `peak_gb` (of the process, before
scikit-learn runs), `sklearn_seconds_same_coordinates` with `speedup_same_coordinates` (over the clustering),
`sklearn_seconds_raw_features` with `speedup_raw_features` (over both), and the same in CPU seconds.

`--raw` measures the analysis `clusters` with `space: raw` on features stored as float16 in a memory map: k-means, silhouettes and
distances, and the evidence for every number of clusters, which clusters once more. Its JSON has the seconds of each step and
two peaks: `peak_gb`, which includes the pages of the map in memory, and `peak_own_gb`, which does not (Linux; ten samples a
second).
"""

import argparse
import json
import re
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from posescope.artifacts.devices import resolve_gpu
from posescope.explainability.clustering.kmeans import KMeansClusterer, KMeansOptions
from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.features.row_blocks import row_slices

Floats = NDArray[np.floating]

RANK = 100
OPTIONS = KMeansOptions()
TIMED_K = 6

Result = TypeVar("Result")


@dataclass(frozen=True)
class Spent:
    """Wall-clock seconds and CPU seconds of all threads."""

    wall: float
    cpu: float

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.wall + other.wall, self.cpu + other.cpu)

    def __mul__(self, factor: int) -> "Spent":
        return Spent(self.wall * factor, self.cpu * factor)


def timed(function: Callable[[], Result]) -> tuple[Result, Spent]:
    """Call a function; return its result and the time."""
    started, worked = time.perf_counter(), time.process_time()
    result = function()
    return result, Spent(time.perf_counter() - started, time.process_time() - worked)


def synthetic_features(persons: int, width: int, seed: int, file: Path | None = None) -> FeatureSet:
    """Sample a Gaussian of rank 100 with falling standard deviations, plus noise; with a file as float16 in a memory map."""
    rng, shape = np.random.default_rng(seed), (persons, width)
    scores = rng.standard_normal((persons, RANK), dtype=np.float32) * np.linspace(3, 0.3, RANK, dtype=np.float32)
    axes = np.linalg.qr(rng.standard_normal((width, RANK)))[0].astype(np.float32)
    values = np.lib.format.open_memmap(file, mode="w+", dtype="float16", shape=shape) if file else np.empty(shape, np.float32)
    for rows in row_slices(*shape):
        noise = rng.standard_normal((rows.stop - rows.start, width), dtype=np.float32)
        values[rows] = scores[rows] @ axes.T + 0.02 * noise
    return FeatureSet(np.arange(persons), np.load(file, mmap_mode="r") if file else values, "synthetic", (width, 1, 1))


def reduce(features: FeatureSet, device: str) -> Floats:
    """Coordinates along the components with 95 % of the variance."""
    components = principal_components(features, device=resolve_gpu(device))
    return components.project(features.values, components.components_for(0.95)).astype(np.float32)


def scikit_learn(points: Floats, seed: int, name: str) -> Spent:
    """Time one fit and one silhouette, extrapolated to all numbers of clusters and starts."""
    model = KMeans(n_clusters=TIMED_K, n_init=1, random_state=seed)
    _, fit = timed(lambda: model.fit(points))
    sample = min(OPTIONS.silhouette_persons, len(points))
    _, score = timed(lambda: silhouette_score(points, model.labels_, sample_size=sample, random_state=seed))
    print(f"scikit-learn, {name}: one fit {fit.wall:.2f} s ({model.n_iter_} iterations), one silhouette {score.wall:.2f} s")
    return (fit * OPTIONS.restarts + score) * (OPTIONS.largest - OPTIONS.smallest + 1)


def name_of(device: str) -> str:
    """Name of the device of the PCA."""
    gpu = resolve_gpu(device)
    return "cpu" if gpu is None else f"{gpu} ({torch.cuda.get_device_name(gpu)})"


def raw(arguments: argparse.Namespace) -> dict[str, float | str]:
    """Cluster raw features as the analysis does."""
    # They need pandas, which a GPU host may lack.
    from posescope.explainability.clusters.cluster_evidence import EvidenceOptions, examine_clusters  # noqa: PLC0415
    from posescope.explainability.clusters.cluster_members import measure_members  # noqa: PLC0415

    seed, values = arguments.seed, {"device": "cpu"}
    clusterer = KMeansClusterer(OPTIONS.model_copy(update={"restarts": arguments.restarts}))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder, own_memory() as peak:
        features = synthetic_features(arguments.persons, arguments.features, seed, Path(folder) / "values.npy")
        groups, started = np.arange(len(features)), time.perf_counter()

        def note(step: str) -> None:
            values[f"{step}_after_s"] = round(time.perf_counter() - started, 1)
            print(f"{step}: {values[f'{step}_after_s']} s, peak {max(peak):.2f} GB without the map", flush=True)

        points = np.asarray(features.values, dtype=np.float32)
        note("float32")
        clustering = clusterer(points, seed=seed)
        note("k_means")
        measure_members(points, clustering.labels, clustering.centres, OPTIONS.silhouette_persons, seed)
        note("persons")
        evidence = examine_clusters(points, groups, clusterer, EvidenceOptions(), seed, OPTIONS.silhouette_persons)
        note("evidence")
        print(f"supported numbers of clusters: {evidence.supported}, separate groups: {evidence.has_groups}")
    return {**values, "peak_gb": peak_gb(), "peak_own_gb": round(max(peak), 2)}


@contextmanager
def own_memory() -> Iterator[list[float]]:
    """Sample the memory without file pages, in GB."""
    found, over = [0.0], threading.Event()

    def sample() -> None:
        while not over.wait(0.1):
            own = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
            found.append(int(own[1]) / 2**20 if own else 0.0)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def peak_gb() -> float:
    """Peak memory of the process in GB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def compare(arguments: argparse.Namespace) -> dict[str, float | str]:
    """PCA and clustering beside scikit-learn."""
    features = synthetic_features(arguments.persons, arguments.features, arguments.seed)
    points, pca = timed(lambda: reduce(features, arguments.device))
    print(f"PCA: {pca.wall:.1f} s, {points.shape[1]} components with 95 % of the variance")
    found, clustering = timed(lambda: KMeansClusterer(OPTIONS)(points, seed=arguments.seed))
    both, peak = pca + clustering, peak_gb()
    print("silhouettes " + ", ".join(f"{k}: {silhouette:.3f}" for k, silhouette in found.silhouettes.items()))
    print(f"posescope: {both.wall:.1f} s, {both.cpu:.1f} s of CPU, peak {peak:.2f} GB")
    same = scikit_learn(points, arguments.seed, "same coordinates")
    raw_features = scikit_learn(features.values, arguments.seed, "raw features")
    print(f"speed-up of the clustering over scikit-learn on the same coordinates: {same.wall / clustering.wall:.1f}")
    print(f"speed-up of PCA and clustering over scikit-learn on the raw features: {raw_features.wall / both.wall:.1f}")
    return {
        "device": name_of(arguments.device),
        "pca_seconds": round(pca.wall, 1),
        "clustering_seconds": round(clustering.wall, 1),
        "seconds": round(both.wall, 1),
        "peak_gb": peak,
        "sklearn_seconds_same_coordinates": round(same.wall, 1),
        "speedup_same_coordinates": round(same.wall / clustering.wall, 1),
        "sklearn_seconds_raw_features": round(raw_features.wall, 1),
        "speedup_raw_features": round(raw_features.wall / both.wall, 1),
        "cpu_seconds": round(both.cpu, 1),
        "cpu_speedup_same_coordinates": round(same.cpu / clustering.cpu, 1),
        "cpu_speedup_raw_features": round(raw_features.cpu / both.cpu, 1),
    }


def main() -> None:
    """Run one measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=50_000)
    parser.add_argument("--features", type=int, default=1024, help="values per person")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="of the PCA: cpu, auto, cuda or cuda:1")
    parser.add_argument("--raw", action="store_true", help="cluster raw features from a file and measure the memory")
    parser.add_argument("--restarts", type=int, default=OPTIONS.restarts, help="with --raw: starts per number of clusters")
    parser.add_argument("--folder", type=Path, help="with --raw: folder of the file; default: temporary files")
    arguments = parser.parse_args()
    print(json.dumps((raw if arguments.raw else compare)(arguments)))


if __name__ == "__main__":
    main()
