import numpy as np
import pytest

from posescope.evaluation.bootstrap import Interval
from posescope.explainability.components.pca import Components
from posescope.explainability.findings import Finding
from posescope.explainability.traversal.attribute_effects import AttributeEffect
from posescope.explainability.traversal.perturbation import Displacement, Perturbation, perturb_persons
from posescope.explainability.traversal.traversal_findings import (
    ask_about_displacement,
    ask_about_displacements,
)

PERTURBATION = Perturbation(40, 1.0)
RANDOM = Interval(1.0, 0.5, 2.0)
JOINTS, WIDTH, SDS = 8, 20, np.linspace(3, 1, 20)


def displacement(difference: tuple[float, float, float], farther: int) -> Displacement:
    own = Interval(*(1.0 + value for value in difference))
    return Displacement(2, own, RANDOM, Interval(*difference), directions=199, farther=farther)


@pytest.mark.parametrize(
    ("difference", "farther", "verdict"),
    [
        ((2.0, 1.5, 2.5), 0, "supported"),
        ((2.0, 1.5, 2.5), 30, "inconclusive"),  # above the average direction, but many directions move the joints as far
        ((0.1, -0.5, 0.6), 0, "inconclusive"),
        ((-0.5, -0.7, -0.3), 150, "refuted"),
        ((-0.5, -0.7, -0.3), 90, "inconclusive"),  # below the average direction, but not below most of them
    ],
)
def test_yes_needs_both_comparisons(difference, farther, verdict) -> None:
    found = ask_about_displacement(displacement(difference, farther), PERTURBATION, "front ↔ back", "p")
    assert found.verdict == verdict
    assert (found.effect, found.control.value, found.control.can_fail) == (1 + difference[0], 1.0, True)
    assert "component 2 (front ↔ back)" in found.question
    assert f"by {1 + difference[0]:.1f} px" in found.statement
    assert (found.statement == found.unclear) == (verdict == "inconclusive")
    assert found.p_value >= (1 + farther) / 200 or verdict == "refuted"


def test_detail_names_the_strongest_effect_on_the_pose() -> None:
    own, small = displacement((2.0, 1.5, 2.5), 0), Interval(0.1, 0.0, 0.2)
    effect = AttributeEffect(2, "standing", Interval(-1.3, -1.4, -1.2), small, 1.5, 1.2)
    assert (
        "from 'standing' towards 'sitting or lying', by 1.30" in ask_about_displacement(own, PERTURBATION, "", "p", effect).detail
    )
    assert "attribute" not in ask_about_displacement(own, PERTURBATION, "", "p").detail


def first_component_finding(seed: int, weight: float) -> Finding:
    """Decode linearly by random weights; component 1 has an effect that is multiplied by `weight`."""
    rng = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))
    components = Components(np.zeros(WIDTH), axes.T, SDS**2, layer="t", shape=(WIDTH,))
    effects = rng.normal(size=(WIDTH, JOINTS * 2))  # px per unit along each component
    effects[0] *= weight

    def decode(points: np.ndarray) -> np.ndarray:
        # A network's joints follow the features less and less the farther they move, differently for each person.
        moved = (points @ axes) @ effects
        return (20 * np.tanh(moved / 20)).reshape(len(points), JOINTS, 2).astype(np.float32)

    found = perturb_persons(
        components, 1, 1.0, features=rng.normal(size=(40, WIDTH)) * SDS @ axes.T, groups=np.arange(40), scales={},
        directions=99, persons_each=6, decode=decode, measure_attributes=lambda joints: None, seed=seed,
    )  # fmt: skip
    (finding,) = ask_about_displacements(found, [""], ["p"])
    return finding


def test_component_that_moves_the_joints_more_is_found() -> None:
    found = [first_component_finding(seed, weight=4.0).verdict for seed in range(10)]
    assert found.count("supported") >= 9


def test_component_like_any_other_change_of_the_features_is_not_found() -> None:
    found = [first_component_finding(seed, weight=1.0).verdict for seed in range(20)]
    assert found.count("supported") <= 1
