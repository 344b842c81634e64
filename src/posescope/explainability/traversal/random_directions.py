"""What a walk must be held against: directions of feature space that nobody chose, of the same length.

    ends of component i       mean + c * sqrt(variance_i) * axis_i      c = the lowest and the highest step (0 if all lie above)
    ends of a direction u     mean + c * sqrt(variance_i) * u           u drawn evenly from the unit sphere of feature space

    ends along the data       mean + c * sqrt(variance_i) * v           v likewise, but with the covariance of the data

A decoder that answers to any push would move the skeleton as far along u. But u leaves the data by construction, for most of
feature space is empty: whether a walk stays among people is asked against v.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.explainability.components.pca import Components

__all__ = ["TraversalEnds", "EndSteps", "compare_ends", "ends_with_data_covariance", "end_steps", "mean_joint_distances_px"]


@dataclass(frozen=True)
class EndSteps:
    """The steps at which walks are compared with random directions, in standard deviations: low <= 0 <= high."""

    low: float
    high: float

    def __bool__(self) -> bool:
        return self.low < self.high

    @property
    def outermost(self) -> tuple[float, ...]:
        """Those that are not the mean."""
        return tuple(step for step in (self.low, self.high) if step != 0)

    def __str__(self) -> str:
        return f"±{self.high:g} sd" if self.high == -self.low else f"{self.low:+g} and {self.high:+g} sd"


@dataclass(frozen=True)
class TraversalEnds:
    """The ends of one component (row 0) and of R random directions (rows 1..R), as the network decodes them.

    Attributes:
        points: (1 + R, 2, D) features; the low end, then the high one.
        displacement_px: (1 + R,) mean distance of the joints from the decoded mean, over both ends.
    """

    points: NDArray[np.float64]
    displacement_px: NDArray[np.float64]


def end_steps(steps: NDArray[np.float64]) -> EndSteps:
    """The outermost steps, with the mean (0) where a walk goes to one side only."""
    return EndSteps(min(0.0, float(steps.min())), max(0.0, float(steps.max())))


def mean_joint_distances_px(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean joint distance in px of skeletons (..., K, 2), broadcast."""
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
    origin: NDArray[np.float32],
) -> TraversalEnds:
    """Decode the ends of a component and of random directions of the same length.

    Args:
        components: whose `component` (0 is the first) is walked.
        component: which.
        ends: how far.
        directions: R, how many random ones.
        seed: of their draw.
        decode: (M, D) points -> (M, K, 2) joints.
        origin: (K, 2) joints of the decoded mean.
    """
    width = components.axes.shape[1]
    drawn = np.random.default_rng((seed, component)).normal(size=(directions, width))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    along = np.concatenate([components.axes[component][None], drawn]) * np.sqrt(components.variances[component])
    points = components.mean + np.array([ends.low, ends.high])[None, :, None] * along[:, None, :]
    joints = decode(points.reshape(-1, width))
    away = mean_joint_distances_px(joints, origin).reshape(-1, 2)
    # An end at the mean has not gone anywhere: it does not count.
    gone = np.array([ends.low, ends.high]) != 0
    return TraversalEnds(points, away[:, gone].mean(axis=1))


def ends_with_data_covariance(
    components: Components, component: int, ends: EndSteps, directions: int, seed: int
) -> NDArray[np.float64]:
    """(R, E, D) ends of R random directions with the data's covariance, as far from the mean as those of `component`."""
    drawn = np.random.default_rng((seed, component, 1)).normal(size=(directions, len(components)))
    # Variances are known of more directions than axes are kept.
    drawn = (drawn * np.sqrt(components.variances[: len(components)])) @ components.axes
    drawn *= np.sqrt(components.variances[component]) / np.maximum(np.linalg.norm(drawn, axis=1, keepdims=True), 1e-300)
    ended: NDArray[np.float64] = components.mean + np.array(ends.outermost)[None, :, None] * drawn[:, None, :]
    return ended
