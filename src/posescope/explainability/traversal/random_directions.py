"""Controls of latent traversals: random directions in feature space of the same length.

    ends of component i           mean + c * sqrt(variance_i) * axis_i    c: lowest and highest step, or 0 if all have one sign
    ends of a direction u         mean + c * sqrt(variance_i) * u         u uniform on the unit sphere of feature space
    ends with data covariance     mean + c * sqrt(variance_i) * v         v of unit length with the covariance of the data

A decoder that responds to any perturbation would move the joints as far along u. Since u leaves the data by construction, the
distance of traversals from the data is compared with v.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.components.pca import Components

__all__ = ["EndSteps", "compare_ends", "ends_with_data_covariance", "find_end_steps", "mean_joint_distances_px"]


@dataclass(frozen=True)
class EndSteps:
    """Steps at which traversals are compared with random directions, in standard deviations: low <= 0 <= high."""

    low: float
    high: float

    def __bool__(self) -> bool:
        return self.low < self.high

    @property
    def outermost(self) -> tuple[float, ...]:
        """End steps other than the mean."""
        return tuple(step for step in (self.low, self.high) if step != 0)

    def __str__(self) -> str:
        return f"±{self.high:g} sd" if self.high == -self.low else f"{self.low:+g} and {self.high:+g} sd"


def find_end_steps(steps: NDArray[np.float64]) -> EndSteps:
    """Return the outermost steps; a traversal to one side only ends at the mean (0) on the other."""
    return EndSteps(min(0.0, float(steps.min())), max(0.0, float(steps.max())))


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


def compare_ends(
    components: Components,
    component: int,
    ends: EndSteps,
    directions: int,
    *,
    seed: int,
    decode: Callable[[NDArray[np.float64]], NDArray[np.float32]],
    mean_joints: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Compare the displacement of the joints at the ends of a component and of random directions of the same length.

    Args:
        components: the components.
        component: index of the traversed component, from 0.
        ends: steps of the ends.
        directions: R, number of random directions.
        seed: random seed of the random directions.
        decode: function from (M, D) points to (M, K, 2) joints, px.
        mean_joints: (K, 2) joints of the decoded mean, px.

    Returns:
        (1 + R,) mean distance of the decoded joints from the decoded mean over the ends other than the mean, px: of the
        component, then of the random directions.
    """
    width = components.axes.shape[1]
    drawn = np.random.default_rng((seed, component)).normal(size=(directions, width))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    along = np.concatenate([components.axes[component][None], drawn]) * np.sqrt(components.variances[component])
    points = _end_points(components, along, ends)
    distances = mean_joint_distances_px(decode(points.reshape(-1, width)), mean_joints)
    return np.asarray(distances.reshape(len(points), -1).mean(axis=1))


def ends_with_data_covariance(
    components: Components, component: int, ends: EndSteps, directions: int, seed: int
) -> NDArray[np.float64]:
    """Compute the ends of a component and of random directions of the same length with the covariance of the data.

    Args:
        components: the components.
        component: index of the component that gives the length, from 0.
        ends: steps of the ends.
        directions: R, number of random directions.
        seed: random seed of the random directions.

    Returns:
        (1 + R, E, D) points at the E end steps other than the mean: of the component, then of the random directions.
    """
    drawn = np.random.default_rng((seed, component, 1)).normal(size=(directions, len(components)))
    # There can be more variances than axes.
    drawn = (drawn * np.sqrt(components.variances[: len(components)])) @ components.axes
    length = np.sqrt(components.variances[component])
    drawn *= length / np.maximum(np.linalg.norm(drawn, axis=1, keepdims=True), 1e-300)
    return _end_points(components, np.concatenate([components.axes[component][None] * length, drawn]), ends)


def _end_points(components: Components, along: NDArray[np.float64], ends: EndSteps) -> NDArray[np.float64]:
    """Return the (n, E, D) points at the end steps other than the mean, for (n, D) directions with the length of one step."""
    points: NDArray[np.float64] = components.mean + np.array(ends.outermost)[None, :, None] * along[:, None, :]
    return points
