"""What a user can do next with one person: sentences from its joints, its scores and its groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posescope.core.skeleton import Skeleton
from posescope.explorer.table_metadata import SliceAbout

__all__ = ["PersonEvidence", "suggest_next_steps"]

_HIGH, _LOW = 0.9, 0.5  # quantiles of error and radius
_EXCHANGED = 0.5  # the exchanged skeleton must be this much nearer


@dataclass(frozen=True, eq=False)
class PersonEvidence:
    """What is known of one person.

    Attributes:
        joints_true: (K, 3) x and y in crop px, NaN where unlabelled, and visibility 0..2.
        joints_predicted: (K, 3) x and y in crop px, and score.
        error_quantile: fraction of the persons with a smaller error, 0..1; NaN: unknown.
        radius_quantile: fraction of the persons with a smaller radius of uncertainty; NaN: unknown.
        slices: failure slices of the person.
    """

    joints_true: NDArray[np.floating]
    joints_predicted: NDArray[np.floating]
    error_quantile: float
    radius_quantile: float
    slices: Sequence[SliceAbout] = ()

    @property
    def distances(self) -> NDArray[np.float64]:
        """(K,) distance of prediction and label, crop px; NaN where unlabelled."""
        return _distances(self.joints_true, self.joints_predicted)


def suggest_next_steps(person: PersonEvidence, skeleton: Skeleton) -> tuple[str, ...]:
    """Return sentences, the most important one first.

    Args:
        person: the person.
        skeleton: names of the K joints.
    """
    distances = person.distances
    if not np.isfinite(distances).any():
        return ("No joint is labelled, so the error is unknown. Label the person to measure it (download: relabel).",)
    steps = [_describe_group(one) for one in person.slices]
    if person.error_quantile < _HIGH:
        return (
            *steps,
            f"The error is smaller than that of {1 - person.error_quantile:.0%} of the persons. Nothing needs to be done.",
        )
    worst = int(np.nanargmax(distances))
    steps.append(
        f"The largest distance is {distances[worst]:.1f} px of the crop, at {_in_words(skeleton.joints[worst])}. "
        "Compare both skeletons with the photograph. If the annotation is wrong, correct it (download: relabel)."
    )
    if _is_exchanged(person, skeleton):
        steps.append("Left and right are exchanged, in the prediction or in the annotation.")
    if person.radius_quantile <= _LOW:
        steps.append("The model is certain although the error is large, which is frequent for wrong annotations.")
    elif person.radius_quantile >= _HIGH:
        steps.append(
            "The model is uncertain here. More photographs like this one help: select similar persons (download: train on)."
        )
    return tuple(steps)


def _describe_group(one: SliceAbout) -> str:
    if one.score is None or one.others is None:
        return f"Member of the group “{one.name}”."
    return (
        f"Member of the failing group “{one.name}”: mean PCK {one.score:.2f}, all others {one.others:.2f}. Choose the group "
        "above the map to compare its persons."
    )


def _is_exchanged(person: PersonEvidence, skeleton: Skeleton) -> bool:
    """Return whether the prediction with left and right exchanged is much nearer to the labels."""
    flip = list(skeleton.flip_indices)
    paired = [joint for joint, other in enumerate(flip) if joint != other]
    if not paired:
        return False
    plain = _distances(person.joints_true, person.joints_predicted)[paired]
    exchanged = _distances(person.joints_true, person.joints_predicted[flip])[paired]
    if not np.isfinite(plain).any():
        return False
    return bool(np.nanmean(exchanged) < _EXCHANGED * np.nanmean(plain))


def _distances(true: NDArray[np.floating], predicted: NDArray[np.floating]) -> NDArray[np.float64]:
    apart = np.linalg.norm(true[:, :2].astype(np.float64) - predicted[:, :2], axis=1)
    return np.where(true[:, 2] > 0, apart, np.nan)


def _in_words(joint: str) -> str:
    return f"the {joint.replace('_', ' ')}"
