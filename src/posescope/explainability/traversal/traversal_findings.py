"""What the walks claim, each against its control.

agreement    decoded steps and their nearest persons' predictions        against pairs drawn at random
movement     of people's skeletons, pushed along a component             against random directions of the same length
among people distance of each end to the nearest person, as a quantile   against random directions with the data's covariance

What pushing people does to an attribute of their pose is claimed in `walk_gains`.
"""

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval, draw_images
from posescope.explainability.findings import Finding, control_of
from posescope.explainability.traversal.neighbour_distances import NeighbourDistances
from posescope.explainability.traversal.perturbation import Displacement, Perturbation
from posescope.explainability.traversal.random_directions import EndSteps, mean_joint_distances_px

__all__ = ["claim_nearest_person_match", "claim_data_proximity", "claim_displacement"]

_RANGE = (0.025, 0.975)
_PERMUTATIONS = 1000
_FAR = 0.95  # of people have a nearer neighbour: a point as far has left them


def claim_nearest_person_match(
    decoded: NDArray[np.float32], predicted: NDArray[np.float32], groups: NDArray[np.int64], shown_in: str, seed: int
) -> Finding | None:
    """Whether steps mean to the network what they look like in the nearest people; none with less than two of those.

    Args:
        decoded: (M, K, 2) joints of distinct points.
        predicted: (M, K, 2) joints of the nearest person of each.
        groups: (M,) the photographs of those persons.
        shown_in: that shows it.
        seed: of permutations and resamples.
    """
    if len(np.unique(groups)) < 2:
        return None
    pairs = mean_joint_distances_px(decoded[:, None], predicted[None])
    own = float(np.diagonal(pairs).mean())
    # How much nearer each step is to its own person than to everybody else's: what is common to all falls away.
    others = (pairs.sum(axis=1) - np.diagonal(pairs)) / (len(pairs) - 1)
    nearer = draw_images(groups, seed).mean_interval(others - np.diagonal(pairs), groups)
    chance = _of_permutations(pairs, others, seed)
    passed = nearer.low > max(0.0, chance.high)
    verdict = (
        "mean to the network what they look like in people" if passed else "do not surely mean what they look like in people"
    )
    claim = (
        f"Walked steps {verdict}: a decoded step lies {own:.1f} px a joint from the network's answer for its nearest real "
        f"person, {nearer.estimate:.1f} px [{nearer.low:.1f}, {nearer.high:.1f}] nearer than from those for other steps' persons."
    )
    control = control_of("steps and nearest persons paired at random: how much nearer", chance)
    return Finding(claim, nearer.estimate, nearer.low, nearer.high, control, passed, shown_in)


def claim_displacement(movement: Displacement, pushed: Perturbation, shown_in: str) -> Finding:
    """How far a component moves the skeletons of real people: a walk from the mean is one path, and has no interval."""
    own, chance, passed = movement.own, movement.random, movement.is_sure
    verdict = "moves the skeleton" if passed else "does not surely move the skeleton more than any push does"
    claim = (
        f"Component {movement.component} {verdict}: pushed from -{pushed.perturbation_sd:g} to +{pushed.perturbation_sd:g} sd along it, "
        f"{pushed.people} people's decoded skeletons move {own.estimate:.2f} px a joint [{own.low:.2f}, {own.high:.2f}]; along "
        f"random directions of the same length {chance.estimate:.2f} px [{chance.low:.2f}, {chance.high:.2f}]."
    )
    control = control_of("the same people pushed along random directions of the same length", chance)
    return Finding(claim, own.estimate, own.low, own.high, control, passed, shown_in)


def claim_data_proximity(
    ends: EndSteps, distances: NDArray[np.float64], outside: int, spacing: NeighbourDistances, seed: int, shown_in: str
) -> Finding | None:
    """Whether the ends of the walks still lie among people; none where no person has a neighbour.

    Args:
        ends: how far they are.
        distances: (P, 1 + R, E) to the nearest person: of P components, then of R random directions of the data for each; of E
            ends, those of `ends` that are not 0.
        outside: how many of the P * E ends have nobody beyond them along their component.
        spacing: of people.
        seed: of the resamples.
        shown_in: that shows it.
    """
    if not len(spacing.distances):
        return None
    draws, count = draw_images(spacing.groups, seed), distances[:, 0].size
    nearer = spacing.nearer(distances[:, 0].ravel())
    own = draws.mean_interval(nearer.mean(axis=0), spacing.groups)
    chance = draws.mean_interval(spacing.nearer(distances[:, 1:].ravel()).mean(axis=0), spacing.groups)
    # The mean over ends would hide those that have left: each must lie below.
    left = [place for place, end in enumerate(nearer) if draws.mean_interval(end, spacing.groups).high >= _FAR]
    among = not left and outside <= count / 2
    passed = among and own.high < chance.low
    verdict = "stay among people" if passed else "leave the data"
    if among and not passed:
        verdict = "are no nearer to people than any direction of the data"
    who = f" ({_names_of(left, ends)})" if left else ""
    claim = (
        f"At {ends} the walks {verdict}: {len(left)} of their {count} ends{who} lie farther from the nearest person than about "
        f"{_FAR:.0%} of people from theirs, nobody stands beyond {outside} of them; on average they are farther than "
        f"{own.estimate:.0%} [{own.low:.0%}, {own.high:.0%}] of people's own neighbours; along random directions of the data, as "
        f"long, {chance.estimate:.0%}."
    )
    control = control_of("random directions with the data's covariance, of the same length", chance)
    return Finding(claim, own.estimate, own.low, own.high, control, passed, shown_in)


def _names_of(left: list[int], ends: EndSteps) -> str:
    """Which ends: their places, component by component."""
    steps = ends.outermost
    return ", ".join(f"component {place // len(steps) + 1} at {steps[place % len(steps)]:+g} sd" for place in left)


def _of_permutations(pairs: NDArray[np.float64], others: NDArray[np.float64], seed: int) -> Interval:
    """The same difference for the pairs that permutations of the persons make: median and 95 % range."""
    rng, places = np.random.default_rng(seed), np.arange(len(pairs))
    return _range_of(np.array([(others - pairs[places, rng.permutation(len(pairs))]).mean() for _ in range(_PERMUTATIONS)]))


def _range_of(values: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(values, _RANGE)
    return Interval(float(np.median(values)), float(low), float(high))
