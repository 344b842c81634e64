"""Findings of the analysis `latent_traversal`.

displacement    a component moves the joints more than random changes do   control: random directions, covariance of the data

The distance between decoded steps and their nearest persons is a fact and no finding: a few steps have too few persons for an
interval.
"""

from collections.abc import Iterable, Sequence

from posescope.explainability.answers import Answer, Question, answer_more, need_also
from posescope.explainability.attributes.person_attributes import attribute_named
from posescope.explainability.findings import Finding, control_of
from posescope.explainability.traversal.attribute_effects import AttributeEffect, strongest_effects
from posescope.explainability.traversal.perturbation import Displacement, Perturbation

__all__ = ["ask_about_displacement", "ask_about_displacements"]


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
    directions move their persons at least as far. A no needs a difference below zero, and that most directions move them farther.

    Args:
        displacement: displacement by one component.
        perturbation: result for the persons.
        ends: words for both ends of the component; empty: no name.
        picture: name of the image that shows it.
        effect: strongest effect of the component on a pose attribute; None: there is none.
    """
    number, own = displacement.component, displacement.own
    answer = need_also(answer_more(displacement.difference), displacement.direction_p_value)
    if answer.verdict == "refuted" and 2 * displacement.farther <= displacement.directions:
        answer = Answer("inconclusive", displacement.direction_p_value)
    named = f"component {number} ({ends})" if ends else f"component {number}"
    moves = f"Changing {named} moves the drawn joints by {own.estimate:.1f} px"
    question = Question(
        id=f"component-{number}-moves-joints",
        text=f"Does changing {named} change the drawn skeleton more than a random change of the features does?",
        yes=f"{moves}, more than random changes of the same size do.",
        no=f"{moves}, less than most random changes of the same size do.",
        unclear=f"{moves}, which is not clearly more or less than random changes of the same size do.",
    )
    changes = (
        f"{displacement.directions} random changes of the same size, distributed like the differences between persons "
        "(range: 95 % of them)"
    )
    return question.to_finding(
        answer,
        own,
        "px per joint",
        control_of(changes, displacement.random),
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
