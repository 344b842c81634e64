"""Findings of the analysis `latent_traversal`.

match           decoded steps look like the persons nearest to them        control: random pairs of step and person
displacement    a component moves the joints more than random changes do   control: random directions, covariance of the data
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from posescope.evaluation.bootstrap import Interval, resample_images
from posescope.explainability.answers import answer_more, need_also
from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.findings import Finding, control_of
from posescope.explainability.traversal.perturbation import AttributeEffect, Displacement, Perturbation, strongest_effects
from posescope.explainability.traversal.random_directions import mean_joint_distances_px

__all__ = ["ask_about_displacement", "ask_about_displacements", "ask_about_nearest_persons"]

_RANGE = (0.025, 0.975)
_PERMUTATIONS = 1000


def ask_about_nearest_persons(
    decoded: NDArray[np.float32], predicted: NDArray[np.float32], groups: NDArray[np.int64], picture: str, seed: int
) -> Finding | None:
    """Ask whether decoded steps match the predictions for their nearest persons.

    Args:
        decoded: (M, K, 2) joints of distinct points, px.
        predicted: (M, K, 2) joints of the nearest person of each, px.
        groups: (M,) photographs of these persons.
        picture: name of the image that shows it.
        seed: random seed of permutations and resamples.

    Returns:
        The finding; None if the persons are in fewer than two photographs.
    """
    if len(np.unique(groups)) < 2:
        return None
    pairs = mean_joint_distances_px(decoded[:, None], predicted[None])
    own = np.diagonal(pairs)
    # The difference between other persons and the own one removes what all predictions have in common.
    others = (pairs.sum(axis=1) - own) / (len(pairs) - 1)
    nearer = resample_images(groups, seed).mean_interval(others - own, groups)
    control, p_pairs = _permutation_control(pairs, others, seed)
    answer = need_also(answer_more(nearer), p_pairs)
    of = f"A drawn step along a component is {abs(nearer.estimate):.1f} px per joint"
    closer = f"{of} closer to the person at the same place among the features than to persons at other places."
    farther = f"{of} farther from the person at the same place among the features than from persons at other places."
    unclear = f"{of} {'closer to' if nearer.estimate >= 0 else 'farther from'} the person at the same place, which is not clear."
    return Finding(
        id="steps-resemble-persons",
        question="Do the skeletons drawn along the components look like the real persons at the same place among the features?",
        statement={"supported": closer, "refuted": farther, "inconclusive": unclear}[answer.verdict],
        unclear=unclear,
        verdict=answer.verdict,
        effect=nearer.estimate,
        unit="px per joint",
        low=nearer.low,
        high=nearer.high,
        control=control_of("random pairs of step and person", control),
        p_value=answer.p_value,
        picture=picture,
        detail=f"The mean distance is {own.mean():.1f} px to the person nearest to the step and {others.mean():.1f} px to those "
        "nearest to other steps.",
    )


def ask_about_displacements(perturbation: Perturbation, ends: Sequence[str], pictures: Sequence[str]) -> Iterable[Finding]:
    """Ask of every component whether it moves the joints more than random changes of the features do.

    Args:
        perturbation: result for the persons.
        ends: words for the ends of each component; empty: no name.
        pictures: name of the image of each component.
    """
    strongest = {effect.component: effect for effect in strongest_effects(perturbation.effects)}
    for own, words, picture in zip(perturbation.displacements, ends, pictures, strict=False):
        yield ask_about_displacement(own, perturbation, words, picture, strongest.get(own.component))


def ask_about_displacement(
    displacement: Displacement, perturbation: Perturbation, ends: str, picture: str, effect: AttributeEffect | None = None
) -> Finding:
    """Ask whether a component moves the joints more than random changes of the features do.

    A yes needs both: the difference from the average direction, paired by person, is above zero, and at most 5 % of the
    directions move their persons at least as far. A no needs a displacement below that of the average direction.

    Args:
        displacement: displacement by one component.
        perturbation: result for the persons.
        ends: words for both ends of the component; empty: no name.
        picture: name of the image that shows it.
        effect: strongest effect of the component on a pose attribute; None: there is none.
    """
    number, own = displacement.component, displacement.own
    answer = need_also(answer_more(displacement.difference), displacement.direction_p_value)
    named = f"component {number} ({ends})" if ends else f"component {number}"
    moves = f"Changing {named} moves the drawn joints by {own.estimate:.1f} px"
    unclear = f"{moves}, which is not clearly more or less than random changes of the same size do."
    statements = {
        "supported": f"{moves}, more than random changes of the same size do.",
        "refuted": f"{moves}, less than the average random change of the same size does.",
        "inconclusive": unclear,
    }
    return Finding(
        id=f"component-{number}-moves-joints",
        question=f"Does changing {named} change the drawn skeleton more than a random change of the features does?",
        statement=statements[answer.verdict],
        unclear=unclear,
        verdict=answer.verdict,
        effect=own.estimate,
        unit="px per joint",
        low=own.low,
        high=own.high,
        control=control_of(
            f"{displacement.directions} random changes of the same size, distributed like the differences between persons "
            "(range: 95 % of them)",
            displacement.random,
        ),
        p_value=answer.p_value,
        picture=picture,
        detail=_detail(displacement, perturbation, effect),
    )


def _detail(displacement: Displacement, perturbation: Perturbation, effect: AttributeEffect | None) -> str:
    text = (
        f"The features of {perturbation.persons} persons are shifted from -{perturbation.perturbation_sd:g} to "
        f"+{perturbation.perturbation_sd:g} standard deviations; {displacement.farther} of {displacement.directions} random "
        "changes move the joints at least as far."
    )
    if effect is None:
        return text
    attribute, size = attribute_named(effect.attribute), abs(effect.own.estimate)
    low, high = (attribute.low, attribute.high) if effect.own.estimate > 0 else (attribute.high, attribute.low)
    return (
        f"{text} The clearest change of the pose is from '{low}' towards '{high}', by {size:.2f} standard deviations of the "
        f"attribute; an average random change has an effect of {effect.random.estimate:.2f} on it."
    )


def _permutation_control(pairs: NDArray[np.float64], others: NDArray[np.float64], seed: int) -> tuple[Interval, float]:
    """Return median and 95 % range of the same difference for permuted persons, and the p-value of the true pairs."""
    rng, rows = np.random.default_rng(seed), np.arange(len(pairs))
    values = np.array([(others - pairs[rows, rng.permutation(len(pairs))]).mean() for _ in range(_PERMUTATIONS)])
    low, high = np.quantile(values, _RANGE)
    reached = int((values >= (others - np.diagonal(pairs)).mean()).sum())
    return Interval(float(np.median(values)), float(low), float(high)), (1 + reached) / (1 + _PERMUTATIONS)
