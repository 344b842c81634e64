"""Findings of the analysis `latent_traversal`.

match           decoded steps and predictions for their nearest persons    control: random pairs
displacement    of persons' joints, perturbed along a component            control: random directions of the same length
effect          of the perturbation on a pose attribute                    control: random directions of the same length
proximity       distance of each end to the nearest person, as quantile    control: random directions with data covariance
"""

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval, resample_images
from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.findings import Finding, control_of, finding_from_claim
from posescope.explainability.traversal.neighbour_distances import NeighbourDistances
from posescope.explainability.traversal.perturbation import AttributeEffect, Displacement, Perturbation
from posescope.explainability.traversal.random_directions import EndSteps, mean_joint_distances_px

__all__ = ["claim_attribute_effect", "claim_data_proximity", "claim_displacement", "claim_nearest_person_match"]

_RANGE = (0.025, 0.975)
_PERMUTATIONS = 1000
_FAR = 0.95  # quantile of neighbour distances from which a point has left the data
_LARGE = 0.5  # standard deviations; smaller effects are called slight
_RANDOM_DIRECTIONS = "the same persons perturbed along random directions of the same length"


def claim_nearest_person_match(
    decoded: NDArray[np.float32], predicted: NDArray[np.float32], groups: NDArray[np.int64], picture: str, seed: int
) -> Finding | None:
    """Test whether decoded steps match the predictions for their nearest persons.

    Args:
        decoded: (M, K, 2) joints of distinct points, px.
        predicted: (M, K, 2) joints of the nearest person of each, px.
        groups: (M,) images of these persons.
        picture: name of the image that shows it.
        seed: random seed of permutations and resamples.

    Returns:
        The finding; None if the persons are in fewer than two images.
    """
    if len(np.unique(groups)) < 2:
        return None
    pairs = mean_joint_distances_px(decoded[:, None], predicted[None])
    own = float(np.diagonal(pairs).mean())
    # The difference between other persons and the own one removes what all predictions have in common.
    others = (pairs.sum(axis=1) - np.diagonal(pairs)) / (len(pairs) - 1)
    nearer = resample_images(groups, seed).mean_interval(others - np.diagonal(pairs), groups)
    control = _permutation_control(pairs, others, seed)
    passed = nearer.low > max(0.0, control.high)
    verdict = "resemble" if passed else "do not significantly resemble"
    claim = (
        f"Decoded traversal steps {verdict} the predictions for the real persons nearest to them: the mean distance per joint is "
        f"{own:.1f} px to the prediction for the person nearest to the same step and {own + nearer.estimate:.1f} px to those for "
        f"the persons nearest to other steps. The difference is {nearer.estimate:.1f} px [{nearer.low:.1f}, {nearer.high:.1f}]; "
        f"for random pairs of step and person it is {control.estimate:.1f} px [{control.low:.1f}, {control.high:.1f}]."
    )
    what = control_of("the difference for random pairs of step and person", control)
    return finding_from_claim(claim, nearer, what, passed=passed, picture=picture)


def claim_displacement(displacement: Displacement, perturbation: Perturbation, picture: str) -> Finding:
    """Test whether a component moves the joints of persons farther than random directions do.

    Args:
        displacement: displacement by one component.
        perturbation: result for the persons.
        picture: name of the image that shows it.
    """
    own, control, passed = displacement.own, displacement.random, displacement.is_significant
    verdict = f"{'moves the joints' if passed else 'does not move the joints significantly'} more than random directions do"
    claim = (
        f"Component {displacement.component} {verdict}: when the features are shifted from -{perturbation.perturbation_sd:g} "
        f"to +{perturbation.perturbation_sd:g} sd along it, the decoded joints of {perturbation.persons} persons move "
        f"{own.estimate:.2f} px per joint [{own.low:.2f}, {own.high:.2f}]; along random directions of the same length "
        f"{control.estimate:.2f} px [{control.low:.2f}, {control.high:.2f}]."
    )
    return finding_from_claim(claim, own, control_of(_RANDOM_DIRECTIONS, control), passed=passed, picture=picture)


def claim_attribute_effect(effect: AttributeEffect, perturbation: Perturbation, picture: str) -> Finding:
    """Describe a component by its strongest effect on a pose attribute.

    Args:
        effect: effect of the component.
        perturbation, picture: see `claim_displacement`.
    """
    attribute, own, control = attribute_named(effect.attribute), effect.own, effect.random
    words = (attribute.low, attribute.high) if own.estimate > 0 else (attribute.high, attribute.low)
    verdict = "has no significant effect on a pose attribute; the effect closest to significance"
    if effect.is_significant:
        slightly = "" if abs(own.estimate) >= _LARGE else "slightly "
        verdict = f"changes the pose {slightly}from '{words[0]}' to '{words[1]}'"
    claim = (
        f"Component {effect.component} {verdict}: when the features are shifted from -{perturbation.perturbation_sd:g} to "
        f"+{perturbation.perturbation_sd:g} sd along it, the mean of the attribute {effect.attribute} over the decoded poses of "
        f"{perturbation.persons} persons changes from {effect.low:.2f} to {effect.high:.2f} {_unit_words(attribute.unit)}"
        f"({own:+.2f} standard deviations of the attribute); along random directions "
        f"of the same length it changes by {control:+.2f}."
    )
    passed = effect.is_significant
    if not passed:
        claim += f" The interval {'overlaps that of random directions' if effect.least > 0 else 'contains zero'}."
    return finding_from_claim(claim, own, control_of(_RANDOM_DIRECTIONS, control), passed=passed, picture=picture)


def claim_data_proximity(
    ends: EndSteps, distances: NDArray[np.float64], outside: int, neighbours: NeighbourDistances, seed: int, picture: str
) -> Finding | None:
    """Test whether the ends of the traversals stay close to the data.

    Args:
        ends: steps of the ends.
        distances: (P, 1 + R, E) to the nearest person, for P components (row 0) and R random directions with data covariance
            each, at the E end steps other than the mean.
        outside: number of the P * E ends with no person beyond them along the component.
        neighbours: distribution of distances between persons.
        seed: random seed of the resamples.
        picture: name of the plot that shows it.

    Returns:
        The finding; None if no person has a neighbour in another image.
    """
    if not len(neighbours.distances):
        return None
    draws, count = resample_images(neighbours.groups, seed), distances[:, 0].size
    nearer = neighbours.nearer(distances[:, 0].ravel())
    own = draws.mean_interval(nearer.mean(axis=0), neighbours.groups)
    control = draws.mean_interval(neighbours.nearer(distances[:, 1:].ravel()).mean(axis=0), neighbours.groups)
    # Each end is tested, since the mean over ends would hide those that have left the data.
    left = [index for index, end in enumerate(nearer) if draws.mean_interval(end, neighbours.groups).high >= _FAR]
    inside = not left and outside <= count / 2
    passed = inside and own.high < control.low
    verdict = "stay close to the data" if passed else "do not stay within the distribution of the data in all directions"
    if inside and not passed:
        verdict = "are no closer to the data than random directions"
    names = f" ({_end_names(left, ends)})" if left else ""
    claim = (
        f"At {ends} the traversals {verdict}. For {len(left)} of the {count} end points{names} the distance to the nearest "
        f"person is not below the {_FAR * 100:.0f}th percentile of nearest-neighbour distances between persons. For {outside} "
        f"end points no person has a more extreme score on that component. On average, the distance from an end point to its "
        f"nearest person is larger than that of {own:.0%} of the persons to theirs; for end points along random "
        f"directions of the same length, it is larger than that of {control.estimate:.0%}."
    )
    what = "random directions with the data's covariance, of the same length"
    return finding_from_claim(claim, own, control_of(what, control), passed=passed, picture=picture)


def _end_names(left: list[int], ends: EndSteps) -> str:
    steps = ends.outermost
    found: dict[int, list[str]] = {}
    for index in left:
        found.setdefault(index // len(steps) + 1, []).append(f"{steps[index % len(steps)]:+g}")
    return ", ".join(f"component {component} at {' and '.join(own)} sd" for component, own in found.items())


def _unit_words(unit: str) -> str:
    return f"{'torso lengths' if unit == 'torsos' else unit} " if unit else ""


def _permutation_control(pairs: NDArray[np.float64], others: NDArray[np.float64], seed: int) -> Interval:
    """Return median and 95 % range of the same difference for permuted persons."""
    rng, rows = np.random.default_rng(seed), np.arange(len(pairs))
    values = np.array([(others - pairs[rows, rng.permutation(len(pairs))]).mean() for _ in range(_PERMUTATIONS)])
    low, high = np.quantile(values, _RANGE)
    return Interval(float(np.median(values)), float(low), float(high))
