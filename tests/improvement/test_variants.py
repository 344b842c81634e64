"""Which networks belong to the model at hand, by where they came from."""

from dataclasses import replace

import pytest

from posescope.artifacts.pose_model import PoseModel
from posescope.improvement.errors import ImprovementError
from posescope.improvement.variants import check_same_start

OWN, BEFORE = {"fingerprint": "own", "seed": 0}, {"fingerprint": "before", "seed": 0}


def made_from(model: PoseModel, provenance: dict) -> dict[str, PoseModel]:
    """The three kinds of variants, with the provenance that each has."""
    joined = {"parts": {"hourglass": provenance, "autoencoders": {}}}
    kinds = {"inserted": joined, "continued": {"fingerprint": "c", "start": provenance}, "improved": {"start": joined}}
    return {name: replace(model, provenance=found) for name, found in kinds.items()}


def test_variants_of_the_model_at_hand_pass(untrained_model: PoseModel) -> None:
    check_same_start(replace(untrained_model, provenance=OWN), made_from(untrained_model, OWN))


@pytest.mark.parametrize("stranger", ["inserted", "continued", "improved"])
def test_variants_of_the_model_before_are_refused(untrained_model: PoseModel, stranger: str) -> None:
    """As where a part of the pipeline runs alone after another training."""
    mixed = {**made_from(untrained_model, OWN), stranger: made_from(untrained_model, BEFORE)[stranger]}
    with pytest.raises(ImprovementError, match=f"at hand: {stranger}\\."):
        check_same_start(replace(untrained_model, provenance=OWN), mixed)
