"""How long components and clusters of many persons take, and how much memory, against plain k-means on the features.

    ours           exact PCA -> coordinates that hold 95 % of the variance -> k-means k = 2..10, 10 starts each -> silhouettes
    scikit-learn   KMeans on the raw features, k = 2..10, n_init=10, and silhouette_score on a sample of the same size

The features are synthetic: a Gaussian of rank 100 plus a little noise. It has no clusters, which is the slow case: k-means takes
most iterations where nothing tells one division from another. Of scikit-learn's work one fit (k = 6, one start) and one
silhouette_score are timed, and the rest is **extrapolated** from them: 90 fits and 9 scores. Ours is timed whole.
CPU seconds are those of all threads; they say more than the clock where other work shares the cores. With `--device cuda` ours
is done on the GPU. The last line is JSON: `device`, `seconds`, `peak_gb` (of the process, with all libraries, before
scikit-learn's turn), `sklearn_seconds`, `speedup`, and the same in CPU seconds.

`--raw` measures something else: what the analysis `clusters` with `space: raw` goes through with all features as they are, stored
as float16 in a memory map: k-means, everybody's silhouette and distance, and the evidence (clouds without clusters, halves). Its
JSON has the seconds of each step and two peaks: `peak_gb`, in which the pages of the map count as far as they are in memory, and
`peak_own_gb`, in which they do not (Linux; the highest of ten samples a second).
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

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from posescope.artifacts.devices import resolve_gpu
from posescope.explainability.clustering.base import Clustering
from posescope.explainability.clustering.kmeans import KMeansClusterer, KMeansOptions
from posescope.explainability.components.pca import principal_components
from posescope.explainability.features.feature_store import FeatureSet
from posescope.explainability.features.row_blocks import row_slices

RANK = 100
OPTIONS = KMeansOptions()
TIMED_K = 6


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock and of all threads' work."""

    wall: float
    cpu: float


def timed(function: Callable[[], object]) -> Spent:
    """How long a call takes."""
    started, worked = time.perf_counter(), time.process_time()
    function()
    return Spent(time.perf_counter() - started, time.process_time() - worked)


def synthetic_features(persons: int, width: int, seed: int, file: Path | None = None) -> FeatureSet:
    """A Gaussian of rank 100 in a random subspace, with falling standard deviations, plus noise; a file holds it as float16."""
    rng, shape = np.random.default_rng(seed), (persons, width)
    scores = rng.standard_normal((persons, RANK), dtype=np.float32) * np.linspace(3, 0.3, RANK, dtype=np.float32)
    axes = np.linalg.qr(rng.standard_normal((width, RANK)))[0].astype(np.float32)
    values = np.lib.format.open_memmap(file, mode="w+", dtype="float16", shape=shape) if file else np.empty(shape, np.float32)
    for rows in row_slices(*shape):
        noise = rng.standard_normal((rows.stop - rows.start, width), dtype=np.float32)
        values[rows] = scores[rows] @ axes.T + 0.02 * noise
    return FeatureSet(np.arange(persons), np.load(file, mmap_mode="r") if file else values, "synthetic", (width, 1, 1))


def ours(features: FeatureSet, seed: int, device: str) -> Clustering:
    """Components, and clusters along those that hold 95 % of the variance."""
    started = time.perf_counter()
    components = principal_components(features, device=resolve_gpu(device))
    points = components.project(features.values, components.components_for(0.95)).astype(np.float32)
    print(f"components after {time.perf_counter() - started:.1f} s: {points.shape[1]} hold 95 %")
    found = KMeansClusterer(OPTIONS.model_copy(update={"device": device}))(points, seed=seed)
    text = ", ".join(f"{k}: {silhouette:.3f}" for k, silhouette in found.silhouettes.items())
    print(f"clusters after {time.perf_counter() - started:.1f} s; silhouettes {text}")
    return found


def scikit_learn(features: FeatureSet, seed: int) -> Spent:
    """One fit and one silhouette, extrapolated to all."""
    model = KMeans(n_clusters=TIMED_K, n_init=1, random_state=seed)
    fit = timed(lambda: model.fit(features.values))
    sample = min(OPTIONS.silhouette_persons, len(features))
    score = timed(lambda: silhouette_score(features.values, model.labels_, sample_size=sample, random_state=seed))
    numbers = OPTIONS.largest - OPTIONS.smallest + 1
    print(f"scikit-learn: one fit {fit.wall:.1f} s ({model.n_iter_} iterations), one silhouette {score.wall:.1f} s")
    return Spent(*(numbers * (OPTIONS.restarts * a + b) for a, b in ((fit.wall, score.wall), (fit.cpu, score.cpu))))


def name_of(device: str) -> str:
    """Where the work is done."""
    gpu = resolve_gpu(device)
    return "cpu" if gpu is None else f"{gpu} ({torch.cuda.get_device_name(gpu)})"


def raw(arguments: argparse.Namespace) -> dict[str, float | str]:
    """Cluster the features as they are, as the analysis does."""
    # They need pandas, which a GPU machine may lack.
    from posescope.evaluation.bootstrap import draw_images  # noqa: PLC0415
    from posescope.explainability.clusters.cluster_members import measure_members  # noqa: PLC0415
    from posescope.explainability.clusters.cluster_validation import ClusterValidationOptions, validate_clusters  # noqa: PLC0415

    seed, device, figures = arguments.seed, arguments.device, {"device": name_of(arguments.device)}
    clusterer = KMeansClusterer(OPTIONS.model_copy(update={"device": device, "restarts": arguments.restarts}))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder, own_memory() as peak:
        features = synthetic_features(arguments.persons, arguments.features, seed, Path(folder) / "values.npy")
        groups, started = np.arange(len(features)), time.perf_counter()

        def note(step: str) -> None:
            figures[f"{step}_after_s"] = round(time.perf_counter() - started, 1)
            print(f"{step}: {figures[f'{step}_after_s']} s, at most {max(peak):.2f} GB of its own so far", flush=True)

        points = np.asarray(features.values, dtype=np.float32)
        note("float32")
        clustering = clusterer(points, seed=seed)
        note("k_means")
        measured = measure_members(points, clustering, OPTIONS.silhouette_persons, seed, resolve_gpu(device))
        note("persons")
        silhouette = measured.interval(groups, draw_images(groups, seed, 1000))
        structure = validate_clusters(points, groups, clusterer, clustering, silhouette, ClusterValidationOptions(), seed)
        note("structure")
        print(structure.describe())
    return {**figures, "peak_gb": peak_gb(), "peak_own_gb": round(max(peak), 2)}


@contextmanager
def own_memory() -> Iterator[list[float]]:
    """The memory that is no file's, in GB, sampled meanwhile."""
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
    """The most memory that the process ever had, in GB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def compare(arguments: argparse.Namespace) -> dict[str, float | str]:
    """Components and clusters along them, against plain k-means on the features."""
    features = synthetic_features(arguments.persons, arguments.features, arguments.seed)
    spent = timed(lambda: ours(features, arguments.seed, arguments.device))
    peak = peak_gb()
    print(f"ours: {spent.wall:.1f} s, {spent.cpu:.1f} s of CPU, {peak:.2f} GB at most")
    plain = scikit_learn(features, arguments.seed)
    return {
        "device": name_of(arguments.device),
        "seconds": round(spent.wall, 1),
        "peak_gb": peak,
        "sklearn_seconds": round(plain.wall, 1),
        "speedup": round(plain.wall / spent.wall, 1),
        "cpu_seconds": round(spent.cpu, 1),
        "sklearn_cpu_seconds": round(plain.cpu, 1),
        "cpu_speedup": round(plain.cpu / spent.cpu, 1),
    }


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=50_000)
    parser.add_argument("--features", type=int, default=1024, help="numbers a person")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="cpu, auto, cuda or cuda:1")
    parser.add_argument(
        "--raw", action="store_true", help="cluster the features as they are, out of a file, and watch the memory"
    )
    parser.add_argument("--restarts", type=int, default=OPTIONS.restarts, help="with --raw: starts a number of clusters")
    parser.add_argument("--folder", type=Path, help="with --raw: where the file is made meanwhile; none: among temporary files")
    arguments = parser.parse_args()
    print(json.dumps((raw if arguments.raw else compare)(arguments)))


if __name__ == "__main__":
    main()
