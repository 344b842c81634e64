"""Controls of latent traversals: random changes of the features, of the same length and with the covariance of the data.

    direction r     u_r = w / |w|,  w drawn from a normal distribution with the covariance of the features
    change          +- c * sqrt(variance_i) * u_r, as long as the step along component i

A direction that is uniform on the sphere lies almost entirely in the many dimensions in which persons hardly differ, so every
component beats it. These directions are changes as they occur between persons, and a component need not beat them.
"""

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.components.pca import Components

__all__ = ["assign_persons", "covariance_directions", "mean_joint_distances_px"]


def covariance_directions(components: Components, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw directions with the covariance of the data, within the span of the stored axes.

    Args:
        components: P components of D features.
        count: R, number of directions.
        rng: random numbers.

    Returns:
        (R, D) vectors of length 1.
    """
    # There can be more variances than axes.
    spread = np.sqrt(components.variances[: len(components)])
    drawn = (rng.normal(size=(count, len(components))) * spread) @ components.axes
    directions: NDArray[np.float64] = drawn / np.maximum(np.linalg.norm(drawn, axis=1, keepdims=True), 1e-300)
    return directions


def assign_persons(persons: int, directions: int, each: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Assign persons to directions, so that each direction has different persons and all persons occur about equally often.

    Args:
        persons: n, number of persons.
        directions: R, number of directions.
        each: persons per direction; all n if there are no more than that.
        rng: random numbers.

    Returns:
        (R, min(each, n)) rows of persons.
    """
    width = min(each, persons)
    rounds = -(-directions // (persons // width)) if width else 0
    orders = [rng.permutation(persons)[: persons // width * width].reshape(-1, width) for _ in range(rounds)]
    return np.concatenate([np.empty((0, width), dtype=np.int64), *orders])[:directions].astype(np.int64)


def mean_joint_distances_px(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute the mean joint distance between skeletons, with broadcasting.

    Args:
        first, second: (..., K, 2) joints, px.

    Returns:
        (...) distances, px.
    """
    offset = first.astype(np.float64) - second.astype(np.float64)
    distances: NDArray[np.float64] = np.hypot(offset[..., 0], offset[..., 1]).mean(axis=-1)
    return distances
