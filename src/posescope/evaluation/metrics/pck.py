"""PCK@alpha: a joint is correct if its error is at most `alpha` times a length of the person (Yang and Ramanan, 2013).

    normalise   length                                                              usual alpha
    box         longer side of the annotated box                                    0.2
    torso       distance from left shoulder to right hip                            0.2
    head        distance from the top of the head to the neck                       0.5

MPII's PCKh uses 0.6 times the diagonal of an annotated head box. Data in COCO's format have no such box, so `head` uses the
distance of two joints; its values are not comparable with PCKh.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.plugins import Component, Options
from posescope.evaluation.metrics.base import MetricError, MetricResult, mean_over_labelled, metric_result_of_hits
from posescope.evaluation.scored_persons import ScoredPersons

__all__ = ["REFERENCE_JOINTS", "Pck", "PckOptions"]

Normalise = Literal["box", "torso", "head"]
REFERENCE_JOINTS: Mapping[str, tuple[str, str]] = {"torso": ("left_shoulder", "right_hip"), "head": ("head_top", "neck")}


class PckOptions(Options):
    """Options of the metric `pck`."""

    alpha: float = Field(0.2, gt=0, le=1, description="largest error of a correct joint, as a fraction of the length")
    normalise: Normalise = Field(
        "box",
        description="the length. box: longer side of the person's box; torso: left_shoulder to right_hip; head: head_top to neck",
    )


class Pck(Component[PckOptions]):
    """Metric `pck@<alpha>`, `pck_torso@<alpha>` or `pck_head@<alpha>`: the fraction of all labelled joints that is correct.

    Persons whose length is unknown do not count.
    """

    def __call__(self, scored: ScoredPersons) -> MetricResult:
        """Compute the metric in image px.

        Raises:
            MetricError: if the skeleton lacks the joints that `normalise` needs.
        """
        alpha, normalise = self.options.alpha, self.options.normalise
        name = f"pck@{alpha:g}" if normalise == "box" else f"pck_{normalise}@{alpha:g}"
        lengths = _lengths(scored, normalise)
        labelled = scored.labelled & ~np.isnan(lengths)[:, None]
        offset = scored.predicted - scored.truth
        # NaN compares as False: a missing prediction is never correct.
        hits = labelled & (np.hypot(offset[..., 0], offset[..., 1]) <= (alpha * lengths)[:, None])
        headline = float(mean_over_labelled(hits, labelled))
        weights = labelled.sum(axis=1).astype(np.float64)
        return replace(metric_result_of_hits(name, headline, hits, labelled), weights={name: weights})


def _lengths(scored: ScoredPersons, normalise: Normalise) -> NDArray[np.float64]:
    """Return (N,) the lengths in image px; NaN where a joint is unlabelled, or both are at the same place."""
    if normalise == "box":
        return np.asarray(scored.boxes[:, 2:].max(axis=1, initial=0.0))
    names = REFERENCE_JOINTS[normalise]
    missing = [name for name in names if name not in scored.skeleton.joints]
    if missing:
        raise MetricError(
            f"pck: `normalise: {normalise}` needs the joints {' and '.join(names)}, but the skeleton lacks "
            f"{' and '.join(missing)}. It has: {', '.join(scored.skeleton.joints)}. Choose `normalise: box`."
        )
    first, second = (scored.truth[:, scored.skeleton.joints.index(name)] for name in names)
    lengths: NDArray[np.float64] = np.hypot(*(first - second).T)
    return np.where(lengths > 0, lengths, np.nan)
