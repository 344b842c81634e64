"""Coordinates of persons on a plane, computed from their component scores.

    components    the first two components
    tsne          t-SNE of scikit-learn (van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 2008)
    umap          UMAP of umap-learn (McInnes, Healy and Melville, arXiv:1802.03426), if that package is installed

t-SNE and UMAP show which persons are alike. Their distances between groups, and the sizes of groups, mean little. Both are fitted
to a random sample of at most `most` persons, which bounds their time; the other persons are placed between their nearest fitted
ones.
"""

from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from posescope.core.errors import OptionsError
from posescope.explainability.features.row_blocks import sample_rows
from posescope.explorer.table_metadata import MapName

__all__ = ["MISSING_UMAP", "has_umap", "map_coordinates"]

Floats = NDArray[np.float64]

MISSING_UMAP = "expected the package umap-learn, which is not installed; install it (pip install umap-learn), or use tsne"

_NEIGHBOURS = 5
_PERPLEXITY = 30.0
_LEAST_PERSONS = 5  # fewer have no neighbourhoods


def has_umap() -> bool:
    """Return whether umap-learn is installed, without importing it."""
    return find_spec("umap") is not None


def map_coordinates(scores: Floats, kind: MapName = "components", *, most: int = 10_000, seed: int = 0) -> NDArray[np.float32]:
    """Return a place on the plane for each person.

    Args:
        scores: (N, P) coordinates along the first P components.
        kind: `components`, `tsne` or `umap`. Fewer than 5 persons are placed by components.
        most: maximum number of persons that the map is fitted to.
        seed: random seed of the sample and of the map.

    Returns:
        (N, 2) float32; the second coordinate is 0 if there is one component only.

    Raises:
        OptionsError: if the map is `umap` and umap-learn is not installed.
    """
    if kind == "umap" and not has_umap():
        raise OptionsError(f"reporting.explorer.map: {MISSING_UMAP}.")
    if kind == "components" or len(scores) < _LEAST_PERSONS:
        return _first_two(scores)
    rows = sample_rows(len(scores), most, seed)
    fitted = scores[rows]
    placed = (_fit_tsne if kind == "tsne" else _fit_umap)(fitted, seed)
    if len(rows) == len(scores):
        return placed.astype(np.float32)
    found = _place_between(scores, fitted, placed)
    found[rows] = placed
    return found.astype(np.float32)


def _first_two(scores: Floats) -> NDArray[np.float32]:
    plane = np.zeros((len(scores), 2), dtype=np.float32)
    plane[:, : scores.shape[1]] = scores[:, :2]
    return plane


def _fit_tsne(scores: Floats, seed: int) -> Floats:
    from sklearn.manifold import TSNE  # noqa: PLC0415  (a second to import)

    perplexity = min(_PERPLEXITY, (len(scores) - 1) / 3)
    init = "pca" if scores.shape[1] > 1 else "random"
    return np.asarray(TSNE(perplexity=perplexity, init=init, random_state=seed).fit_transform(scores), dtype=np.float64)


def _fit_umap(scores: Floats, seed: int) -> Floats:
    from umap import UMAP  # noqa: PLC0415  (optional; compiles for seconds)

    # One thread: several of them give other numbers in each run.
    return np.asarray(UMAP(random_state=seed, n_jobs=1).fit_transform(scores), dtype=np.float64)


def _place_between(scores: Floats, fitted: Floats, placed: Floats) -> Floats:
    """Return the mean place of the nearest fitted persons, weighted by the inverse of their distance, (N, 2)."""
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415

    distances, near = NearestNeighbors(n_neighbors=min(_NEIGHBOURS, len(fitted))).fit(fitted).kneighbors(scores)
    weights = 1 / np.maximum(distances, 1e-9)
    return np.asarray((placed[near] * weights[..., None]).sum(axis=1) / weights.sum(axis=1, keepdims=True))
