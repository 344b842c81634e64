"""PCK@alpha: a joint is right if it lies within `alpha` times a length of the person's own (Yang and Ramanan, 2013).

    normalise   length                                                              usual alpha
    box         longer side of the annotated box                                    0.2
    torso       distance from left shoulder to right hip                            0.2
    head        distance from the head's top to the neck                            0.5

MPII's PCKh takes 0.6 times the diagonal of an annotated head box; COCO-style data have no such box, so the distance between the
two joints that span it stands in its place, and the two are not the same figure.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Options
from posescope.core.records import ScoredPersons
from posescope.evaluation.metrics.base import MetricError, MetricResult, mean_over_labelled, metric_result_of_hits

__all__ = ["REFERENCE_JOINTS", "Pck", "PckOptions", "pck_hits", "reference_lengths"]

Normalise = Literal["box", "torso", "head"]
REFERENCE_JOINTS: Mapping[str, tuple[str, str]] = {"torso": ("left_shoulder", "right_hip"), "head": ("head_top", "neck")}


def reference_lengths(scored: ScoredPersons, normalise: Normalise) -> NDArray[np.float64]:
    """(N,) px: what a person's distances are measured by; NaN where a joint of it is unlabelled, or both are in one place.

    Raises:
        MetricError: if the skeleton lacks the joints.
    """
    if normalise == "box":
        return np.asarray(scored.boxes[:, 2:].max(axis=1, initial=0.0))
    names = REFERENCE_JOINTS[normalise]
    missing = [name for name in names if name not in scored.joint_names]
    if missing:
        raise MetricError(
            f"pck: to normalise by the {normalise}, the skeleton needs the joints {' and '.join(names)}; it lacks "
            f"{' and '.join(missing)} and has: {', '.join(scored.joint_names) or 'no names'}. Choose `normalise: box`."
        )
    first, second = (scored.truth[:, scored.joint_names.index(name)] for name in names)
    lengths: NDArray[np.float64] = np.hypot(*(first - second).T)
    return np.where(lengths > 0, lengths, np.nan)


def pck_hits(
    predicted: NDArray[np.float64],
    truth: NDArray[np.float64],
    visibility: NDArray[np.uint8],
    lengths: NDArray[np.float64],
    alpha: float,
) -> NDArray[np.bool_]:
    """Which joints are labelled and right: distance <= alpha * length.

    Args:
        predicted: (N, K, 2) px; NaN where nothing was found.
        truth: (N, K, 2) px, the same frame; NaN where unlabelled.
        visibility: (N, K) 0..2.
        lengths: (N,) px, the same frame; nothing is right for a person where it is NaN.
        alpha: share of the length, > 0.

    Returns:
        (N, K) bool.
    """
    offset = predicted - truth
    # NaN compares as False: neither an unlabelled truth nor a missing prediction is ever right.
    near: NDArray[np.bool_] = np.hypot(offset[..., 0], offset[..., 1]) <= (alpha * lengths)[:, None]
    return near & (visibility > 0)


class PckOptions(Options):
    """How near is right."""

    alpha: float = Field(0.2, gt=0, le=1, description="reach, as a share of the length that `normalise` names")
    normalise: Normalise = Field(
        "box",
        description="box: longer side of the person's box; torso: left_shoulder to right_hip; head: head_top to neck",
    )


class Pck:
    """Metric `pck@<alpha>`, `pck_torso@<alpha>` or `pck_head@<alpha>`: the share of all labelled joints, of whatever person,
    that is right. Persons whose length is unknown do not count.
    """  # fmt: skip

    Options = PckOptions

    def __init__(self, options: PckOptions) -> None:
        self.options = options

    def __call__(self, scored: ScoredPersons) -> MetricResult:
        """Figures of N persons.

        Raises:
            MetricError: if the skeleton lacks the joints that `normalise` needs.
        """
        alpha, normalise = self.options.alpha, self.options.normalise
        name = f"pck@{alpha:g}" if normalise == "box" else f"pck_{normalise}@{alpha:g}"
        lengths = reference_lengths(scored, normalise)
        visibility = np.where(np.isnan(lengths)[:, None], np.uint8(0), scored.visibility)
        hits = pck_hits(scored.predicted, scored.truth, visibility, lengths, alpha)
        headline = float(mean_over_labelled(hits.astype(np.float64), visibility > 0))
        weights = (visibility > 0).sum(axis=1).astype(np.float64)
        return replace(metric_result_of_hits(name, headline, hits, visibility), weights={name: weights})
