"""Object keypoint similarity (OKS) of a prediction and its person, as computed by COCO's evaluator.

    e_j = d_j^2 / (2 sigma_j)^2 / (area + eps) / 2          OKS = mean over the labelled joints of exp(-e_j)

with d_j in image px, area in px^2 and eps = 2^-52, exactly as `COCOeval.computeOks` of pycocotools.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from posescope.core.files import fingerprint
from posescope.core.plugins import Component, Options
from posescope.evaluation.metrics.base import MetricError, MetricResult, mean_over_labelled
from posescope.evaluation.scored_persons import ScoredPersons

__all__ = ["Oks", "OksOptions", "joint_oks", "joint_similarities", "person_oks"]

Sigma = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def joint_similarities(
    predicted: NDArray[np.float64], truth: NDArray[np.float64], areas: NDArray[np.float64], sigmas: Sequence[float]
) -> NDArray[np.float64]:
    """Return exp(-e_j) of every joint.

    Args:
        predicted: (N, K, 2) image px; NaN where there is no prediction.
        truth: (N, K, 2) image px; NaN where unlabelled.
        areas: (N,) px^2.
        sigmas: (K,) > 0, relative to the square root of the area.

    Returns:
        (N, K) float64, 0..1; NaN where unlabelled, 0 where labelled and not predicted.
    """
    squared = ((predicted - truth) ** 2).sum(axis=-1)
    variances = (2 * np.asarray(sigmas, dtype=np.float64)) ** 2
    similarities: NDArray[np.float64] = np.exp(-squared / variances / (areas[:, None] + np.spacing(1)) / 2)
    missed = np.isnan(predicted).any(axis=-1) & ~np.isnan(truth).any(axis=-1)
    return np.where(missed, 0.0, similarities)


def joint_oks(scored: ScoredPersons) -> NDArray[np.float64]:
    """Return (N, K) the similarity of every joint of scored persons, with the sigmas of the skeleton."""
    return joint_similarities(scored.predicted, scored.truth, scored.areas, scored.skeleton.oks_sigmas)


def person_oks(
    predicted: NDArray[np.float64],
    truth: NDArray[np.float64],
    visibility: NDArray[np.uint8],
    areas: NDArray[np.float64],
    sigmas: Sequence[float],
) -> NDArray[np.float64]:
    """Return the OKS of every person.

    Args:
        predicted, truth, areas, sigmas: see `joint_similarities`.
        visibility: (N, K) 0..2.

    Returns:
        (N,) float64, 0..1; NaN for a person without labelled joints.

    Example:
        >>> truth = np.array([[[10.0, 20.0], [30.0, 40.0]]])
        >>> person_oks(truth, truth, np.array([[2, 1]], np.uint8), np.array([900.0]), (0.1, 0.1))
        array([1.])
    """
    return mean_over_labelled(joint_similarities(predicted, truth, areas, sigmas), visibility > 0, axis=1)


class OksOptions(Options):
    """Options of the metric `oks`."""

    sigmas: tuple[Sigma, ...] | None = Field(
        None,
        description="K tolerances > 0 relative to the square root of the area, in the skeleton's order; null: the skeleton's own",
    )


class Oks(Component[OksOptions]):
    """Metric `oks`: mean over persons of the OKS of each with its own prediction, without matching and threshold.

    With other sigmas than the skeleton's the name is `oks_sigmas_<first 6 hex digits of their fingerprint>`, since values of
    different sigmas are not comparable.
    """

    def __call__(self, scored: ScoredPersons) -> MetricResult:
        """Compute the metric in image px.

        Raises:
            MetricError: if the number of sigmas is not the number of joints.
        """
        own = scored.skeleton.oks_sigmas
        sigmas = own if self.options.sigmas is None else self.options.sigmas
        name = "oks" if tuple(sigmas) == tuple(own) else f"oks_sigmas_{fingerprint(list(sigmas))[:6]}"
        if len(sigmas) != scored.visibility.shape[1]:
            raise MetricError(
                f"oks: expected one sigma per joint ({scored.visibility.shape[1]}), found {len(sigmas)}. Correct the option "
                "`sigmas` of the metric, or remove it to use the sigmas of the skeleton."
            )
        similarities = joint_similarities(scored.predicted, scored.truth, scored.areas, sigmas)
        per_person = mean_over_labelled(similarities, scored.labelled, axis=1)
        return MetricResult(
            metric_values={name: float(mean_over_labelled(per_person, ~np.isnan(per_person)))},
            per_person={name: per_person},
            per_joint={name: mean_over_labelled(similarities, scored.labelled, axis=0)},
        )
