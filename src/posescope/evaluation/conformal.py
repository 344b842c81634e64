"""Radius of a joint by split conformal prediction: a circle that contains the true place with a stated probability.

    calibration persons (not trained on) -> distance of prediction and annotation, per joint and range of scores
    radius for 90 % = the distance that 90 % of them, and a little more for finite numbers, do not exceed

Split conformal prediction (Vovk et al. 2005; Lei et al. 2018; for keypoints Yang and Pavone 2023) needs no model
of the errors: if a new photograph is exchangeable with the calibration photographs, the circle contains the joint with at least
the stated probability. The quantile is taken within each joint and each range of its scores (Mondrian conformal prediction, Vovk
et al. 2005), so joints of a low score get a larger radius, and the noise of one joint does not change the radius of another.

The persons of one photograph are alike, so photographs are exchangeable, persons are not. The correction for finite numbers
counts photographs: a new photograph may be worse than all M of them with probability 1 / (M + 1) (as in hierarchical conformal
prediction, Dunn et al. 2023). The statement concerns joints that an annotator would label, in crops like those of calibration.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from posescope.core.plugins import Options

__all__ = [
    "JointRadii", "RadiusTable", "UncertaintyOptions", "calibrate_joints", "conformal_radius", "least_photographs",
]  # fmt: skip

_ROUNDING = 1e-9


class UncertaintyOptions(Options):
    """How the radii are calibrated, and which joints are flagged."""

    level: float = Field(0.9, ge=0.5, le=0.99, description="probability that the circle of a joint contains its true place")
    other_levels: tuple[float, ...] = Field(
        (0.5, 0.6, 0.7, 0.8, 0.95), max_length=20, description="further probabilities, for the reliability curve; 0.01..0.99 each"
    )
    score_bins: int = Field(4, ge=1, le=20, description="ranges of scores per joint; fewer where labels are few")
    photographs_per_bin: int = Field(30, ge=10, description="minimum number of calibration photographs per range of scores")
    max_radius: float = Field(
        0.1, gt=0, le=1, description="joints with a larger radius are flagged `do_not_trust`; fraction of the crop side"
    )

    @field_validator("other_levels")
    @classmethod
    def _check_levels(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0.01 <= level <= 0.99 for level in levels):
            raise ValueError(f"expected levels between 0.01 and 0.99, found {levels}")
        return levels

    @property
    def levels(self) -> tuple[float, ...]:
        """All levels, ascending, each once."""
        return tuple(sorted({self.level, *self.other_levels}))


@dataclass(frozen=True, eq=False)
class JointRadii:
    """Radii of one joint.

    Attributes:
        labels, photographs: number of calibration labels of the joint, and of their photographs.
        score_edges: (B - 1,) float64 ascending: borders of the B ranges of scores; a score on a border is in the upper range.
        radii: (B, L) float64 px of the crop, per range of scores and level; NaN where there is none.
        reason: why there is no radius at the main level; empty if there is one.
    """

    labels: int
    photographs: int
    score_edges: NDArray[np.float64]
    radii: NDArray[np.float64]
    reason: str = ""


@dataclass(frozen=True, eq=False)
class RadiusTable:
    """Radii of all K joints at L levels.

    Attributes:
        levels: (L,) ascending.
        joints: (K,) in the order of the joints.
    """

    levels: tuple[float, ...]
    joints: tuple[JointRadii, ...]

    def radii(self, scores: NDArray[np.floating], level: float) -> NDArray[np.float64]:
        """Return the radius of each joint by its score.

        Args:
            scores: (N, K); NaN where there is no prediction.
            level: one of `levels`.

        Returns:
            (N, K) px of the crop; NaN where the joint has no radius or no score.
        """
        place = self.levels.index(level)
        found = np.full(scores.shape, np.nan)
        for joint, entry in enumerate(self.joints):
            column = scores[:, joint].astype(np.float64)
            found[:, joint] = entry.radii[np.searchsorted(entry.score_edges, column, side="right"), place]
        return np.where(np.isnan(scores), np.nan, found)


def least_photographs(level: float) -> int:
    """Return the smallest number of photographs M that gives a finite radius: M / (M + 1) >= level.

    Example:
        >>> least_photographs(0.9), least_photographs(0.95)
        (9, 19)
    """
    return math.ceil(level / (1 - level) - _ROUNDING)


def conformal_radius(errors: NDArray[np.float64], photographs: NDArray[np.int64], level: float) -> float:
    """Return the distance that a new error does not exceed with a probability of at least `level`.

    The quantile of n errors of M photographs is taken at `level * (M + 1) / M`: the standard correction of split conformal
    prediction if each photograph has one error, and a larger one otherwise.

    Args:
        errors: (n,) distances, px; no NaN.
        photographs: (n,) the photograph of each.
        level: probability.

    Returns:
        The radius, px; NaN for fewer than `least_photographs(level)` photographs.

    Example:
        >>> conformal_radius(np.arange(1.0, 20.0), np.arange(19), 0.9)
        18.0
    """
    count, groups = len(errors), len(np.unique(photographs))
    if groups < least_photographs(level):
        return math.nan
    rank = math.ceil(level * (groups + 1) / groups * count - _ROUNDING)
    return float(np.sort(errors)[min(rank, count) - 1])


def calibrate_joints(
    errors: NDArray[np.floating], scores: NDArray[np.floating], photographs: NDArray[np.int64], options: UncertaintyOptions
) -> RadiusTable:
    """Compute the radii of all joints from the calibration persons.

    Args:
        errors: (N, K) distances of predictions and annotations, px of the crop; NaN where unlabelled.
        scores: (N, K) predicted scores.
        photographs: (N,) the photograph of each person.
        options: levels and ranges of scores.
    """
    columns = zip(errors.T.astype(np.float64), scores.T.astype(np.float64), strict=True)
    joints = tuple(_calibrate_joint(error, score, photographs, options) for error, score in columns)
    return RadiusTable(options.levels, joints)


def _calibrate_joint(
    errors: NDArray[np.float64], scores: NDArray[np.float64], photographs: NDArray[np.int64], options: UncertaintyOptions
) -> JointRadii:
    known = ~np.isnan(errors) & ~np.isnan(scores)
    errors, scores, photographs = errors[known], scores[known], photographs[known]
    groups, least = len(np.unique(photographs)), least_photographs(options.level)
    edges = _score_edges(scores, photographs, options)
    members = _members(scores, edges)
    rows = [[conformal_radius(errors[one], photographs[one], level) for level in options.levels] for one in members]
    reason = "" if groups >= least else f"labelled in {groups} calibration photographs, at least {least} are needed"
    return JointRadii(len(errors), groups, edges, np.array(rows, dtype=np.float64), reason)


def _score_edges(scores: NDArray[np.float64], photographs: NDArray[np.int64], options: UncertaintyOptions) -> NDArray[np.float64]:
    """Return the borders of the most ranges of equal counts that all have enough photographs."""
    least = max(options.photographs_per_bin, least_photographs(options.level))
    for bins in range(min(options.score_bins, len(scores) // least), 1, -1):
        edges = np.unique(np.quantile(scores, np.linspace(0, 1, bins + 1)[1:-1]))
        if all(len(np.unique(photographs[one])) >= least for one in _members(scores, edges)):
            return edges
    return np.empty(0)


def _members(scores: NDArray[np.float64], edges: NDArray[np.float64]) -> Sequence[NDArray[np.bool_]]:
    number = np.searchsorted(edges, scores, side="right")
    return [number == one for one in range(len(edges) + 1)]
