"""How long components and clusters of many persons take, and how much memory, against plain k-means on the features.

    ours           exact PCA -> coordinates that hold 95 % of the variance -> k-means k = 2..10, 10 starts each -> silhouettes
    scikit-learn   KMeans on the raw features, k = 2..10, n_init=10, and silhouette_score on a sample of the same size

The features are synthetic: a Gaussian of rank 100 plus a little noise. It has no clusters, which is the slow case: k-means takes
most iterations where nothing tells one division from another. Of scikit-learn's work one fit (k = 6, one start) and one
silhouette_score are timed, and the rest is **extrapolated** from them: 90 fits and 9 scores. Ours is timed whole.
CPU seconds are those of all threads; they say more than the clock where other work shares the cores. The last line is JSON:
`seconds`, `peak_gb` (of the process, with all libraries, before scikit-learn's turn), `sklearn_seconds`, `speedup`, and the same
in CPU seconds.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from posescope.explain.clustering import Clustering
from posescope.explain.components import principal_components
from posescope.explain.feature_store import FeatureSet
from posescope.explain.kmeans import KMeansClusterer, KMeansOptions

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


def synthetic_features(persons: int, width: int, seed: int) -> FeatureSet:
    """A Gaussian of rank 100 in a random subspace, with falling standard deviations, plus noise."""
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((persons, RANK), dtype=np.float32) * np.linspace(3, 0.3, RANK, dtype=np.float32)
    axes = np.linalg.qr(rng.standard_normal((width, RANK)))[0].astype(np.float32)
    values = scores @ axes.T
    values += 0.02 * rng.standard_normal(values.shape, dtype=np.float32)
    return FeatureSet(np.arange(persons), values, "synthetic", (width, 1, 1))


def ours(features: FeatureSet, seed: int) -> Clustering:
    """Components, and clusters along those that hold 95 % of the variance."""
    started = time.perf_counter()
    components = principal_components(features)
    points = components.project(features.values, components.components_for(0.95)).astype(np.float32)
    print(f"components after {time.perf_counter() - started:.1f} s: {points.shape[1]} hold 95 %")
    found = KMeansClusterer(OPTIONS)(points, seed=seed)
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


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=50_000)
    parser.add_argument("--features", type=int, default=1024, help="numbers a person")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    features = synthetic_features(arguments.persons, arguments.features, arguments.seed)
    spent = timed(lambda: ours(features, arguments.seed))
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"ours: {spent.wall:.1f} s, {spent.cpu:.1f} s of CPU, {peak_gb:.2f} GB at most")
    plain = scikit_learn(features, arguments.seed)
    figures = {
        "seconds": round(spent.wall, 1),
        "peak_gb": round(peak_gb, 2),
        "sklearn_seconds": round(plain.wall, 1),
        "speedup": round(plain.wall / spent.wall, 1),
        "cpu_seconds": round(spent.cpu, 1),
        "sklearn_cpu_seconds": round(plain.cpu, 1),
        "cpu_speedup": round(plain.cpu / spent.cpu, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
